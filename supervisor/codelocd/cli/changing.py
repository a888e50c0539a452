"""Orders to locations: start, stop, restart, reload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from codelocd.cli import output
from codelocd.cli.connection import Connection, connect
from codelocd.cli.guard import ExitCode, Failure
from codelocd.cli.options import daemon_options, json_option, locations_argument
from codelocd.cli.which import Asked
from codelocd.render.text import STATES, one_line

GRACE = 10.0
"""Seconds beyond its own time limit in which the daemon still answers."""


def order(verb: str, text: str) -> click.Command:
    """The command `verb`; `text` is its help."""

    def callback(
        asked: Asked,
        locations: tuple[str, ...],
        every: bool,
        wait: bool,
        timeout: float | None,
        as_json: bool,
    ) -> int:
        parameters = {**_chosen(locations, every=every), "wait": wait, "timeout": timeout}
        patience = None if timeout is None else timeout + GRACE
        with connect(asked) as connection:
            announce(connection)
            answer = connection.call(verb, parameters, timeout=patience)
        return _report(verb, answer["locations"], as_json=as_json)

    return _with_options(callback, verb, text)


def announce(connection: Connection) -> None:
    """Say who is about to change something, unless it is the project's own daemon."""
    if connection.daemon.project is None:
        output.note(f"asking {connection.daemon.name} at {connection.daemon.socket}")


def _chosen(locations: Sequence[str], *, every: bool) -> dict[str, Any]:
    if every == bool(locations):
        raise click.UsageError("name the locations, or give --all (not both)")
    return {"all": True} if every else {"locations": list(locations)}


def _with_options(callback: Callable[..., int], verb: str, text: str) -> click.Command:
    command = click.pass_obj(callback)
    for option in (
        daemon_options,
        json_option,
        click.option(
            "--timeout", type=click.FloatRange(min=0), metavar="SECONDS",
            help="Wait no longer than this; then fail. What was asked for goes on.",
        ),
        click.option(
            "--wait/--no-wait", default=True, help="Wait for the outcome (that is the default)."
        ),
        click.option("--all", "every", is_flag=True, help="Every location."),
        locations_argument,
    ):  # fmt: skip
        command = option(command)
    return click.command(verb, help=text)(command)


def _report(verb: str, outcomes: Sequence[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        output.document({"locations": outcomes})
    else:
        for outcome in outcomes:
            output.say(_line(outcome))
    failed = [outcome["name"] for outcome in outcomes if not outcome["ok"]]
    if failed:
        raise Failure(_failure(verb, failed), ExitCode.FAILED)
    return ExitCode.DONE


def _line(outcome: dict[str, Any]) -> str:
    screen = output.stdout_screen()
    state = screen.paint(outcome["state"], STATES.get(outcome["state"]))
    problem = outcome["problem"]
    words = f": {problem['kind']}: {one_line(problem['summary'])}" if problem else ""
    return f"{screen.paint(one_line(outcome['name']), 'bold')} {state}{words}"


def _failure(verb: str, failed: Sequence[str]) -> str:
    first = failed[0]
    return f"{verb} failed for {', '.join(failed)}; `codelocd show {first}` has the whole story"
