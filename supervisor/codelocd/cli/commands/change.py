"""Commands that change what runs: `codelocd start stop restart reload apply upgrade shutdown`."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from codelocd.cli import output
from codelocd.cli.actions import QUIET, Order, announce
from codelocd.cli.connection import (
    connect_patiently,
    connect_promptly,
)
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.options import daemon_options, json_option, locations_argument, outcome_options
from codelocd.cli.which import Asked
from codelocd.render.definitions import changes
from codelocd.render.location import outcome as outcome_line
from codelocd.render.text import Screen, one_line, plural

if TYPE_CHECKING:
    from codelocd.documents.answers import ActionOutcome
    from codelocd.documents.locations import StatusDocument


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
        order = Order(verb, _chosen(locations, every=every), wait=wait, timeout=timeout)
        return _report(verb, order.outcomes(asked), as_json=as_json)

    return _with_options(callback, verb, text)


def _chosen(locations: Sequence[str], *, every: bool) -> dict[str, Any]:
    if every == bool(locations):
        raise click.UsageError("name the locations, or give --all (not both)")
    return {"all": True} if every else {"locations": list(locations)}


def _with_options(callback: Callable[..., int], verb: str, text: str) -> click.Command:
    command = click.pass_obj(callback)
    for option in (
        daemon_options,
        json_option,
        outcome_options,
        click.option("--all", "every", is_flag=True, help="Every location."),
        locations_argument,
    ):
        command = option(command)
    return click.command(verb, help=text)(command)


def _report(verb: str, outcomes: Sequence[ActionOutcome], *, as_json: bool) -> int:
    if as_json:
        output.document({"locations": outcomes})
    else:
        for outcome in outcomes:
            output.say(outcome_line(outcome, output.stdout_screen()))
    failed = [outcome["name"] for outcome in outcomes if not outcome["ok"]]
    if failed:
        raise Failure(_what_failed(verb, failed), ExitCode.FAILED)
    return ExitCode.DONE


def _what_failed(verb: str, failed: Sequence[str]) -> str:
    first = failed[0]
    return f"{verb} failed for {', '.join(failed)}; `codelocd show {first}` has the whole story"


start_command = order(
    "start",
    """Start locations that are stopped, or that have given up.

    Waits until they serve, and fails if the first attempt did.

    \b
    codelocd start sales
    codelocd start --all --no-wait
    """,
)


stop_command = order(
    "stop",
    """Stop locations, until `codelocd start`.

    A change of their files does not start them again, nor does a restart of the daemon. Their
    definitions are no longer listed.

    \b
    codelocd stop sales weather
    codelocd stop --all
    """,
)


restart_command = order(
    "restart",
    """Stop locations, then start them.

    Nothing serves in between: where that matters, `codelocd reload` is what you want.

    \b
    codelocd restart sales
    codelocd restart --all --timeout 60
    """,
)


reload_command = order(
    "reload",
    """Load the code again, even if nothing changed.

    A new runner loads beside the old one, which serves until the new one is good. If the new
    one fails, the old one stays.

    \b
    codelocd reload sales
    codelocd reload --all
    """,
)


STEPS = (
    ("added", "+", "green"),
    ("removed", "-", "red"),
    ("reloaded", "~", "yellow"),
    ("adjusted", "~", "yellow"),
)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@json_option
@daemon_options
@click.pass_obj
def apply_command(asked: Asked, dry_run: bool, as_json: bool) -> None:
    """Make what runs match the config, as SIGHUP does to a service.

    First prints what changes: locations that are added, removed, reloaded (they get a new runner)
    and adjusted (they go on under other rules), and in which keys they differ. `codelocd dev` does
    this by itself at each save. A config with mistakes changes nothing; apply then ends with 2.

    \b
    codelocd apply --dry-run
    codelocd --system apply
    codelocd apply --dry-run --json | jq .changes
    """
    with connect_promptly(asked) if dry_run else connect_patiently(asked) as connection:
        if not dry_run:
            announce(connection)
        plan = connection.call("apply", {"dry_run": True}, timeout=None)
        if not as_json:
            _say_plan(plan)
        if not dry_run:
            shown, plan = plan, connection.call("apply", {"dry_run": False}, timeout=None)
            if plan != shown and not as_json:
                output.note("the config was saved once more meanwhile; this was done:")
                _say_plan(plan)
    if as_json:
        output.document(plan)


def _say_plan(plan: Mapping[str, Any]) -> None:
    lines = list(_step_lines(plan, output.stdout_screen()))
    output.say("\n".join(lines) or "nothing to change: what runs matches the config")
    sys.stdout.flush()  # what follows may take a while


def _step_lines(plan: Mapping[str, Any], screen: Screen) -> Iterator[str]:
    for step, sign, style in STEPS:
        for name in plan[step]:
            fields = plan.get("changes", {}).get(name, {})
            told = {key: [_written(key, each) for each in both] for key, both in fields.items()}
            what = f": {changes(told, len(told), one_line)}" if told else ""
            yield screen.paint(f"{sign} {one_line(name)}", style) + f" {step}{what}"
    if plan.get("pending"):
        yield one_line(plan["pending"])


DURATIONS = {"start_timeout", "build_timeout", "stop_timeout", "ping_interval", "ping_timeout"}
DURATIONS |= {"healthy_after", "initial", "maximum", "period"}
"""Keys of a location, and of its `backoff` and `restart_limit`, that are seconds."""


def _written(key: str, value: Any) -> Any:
    """The value as the config has it, with a unit."""
    from codelocd.config import quantities  # for `apply` alone

    if isinstance(value, Mapping):
        return {name: _written(name, each) for name, each in value.items()}
    if isinstance(value, int | float) and key in DURATIONS:
        return quantities.duration_text(value)
    if isinstance(value, int) and key == "memory_limit":
        return quantities.size_text(value)
    return value


UPGRADE_SECONDS = 60.0


@click.command()
@daemon_options
@click.pass_obj
def upgrade_command(asked: Asked) -> None:
    """Have a service take up the new version that is installed, under the same pid.

    What serves goes on: the daemon ends nothing but builds and loads under way. If the new code
    cannot be loaded, the old daemon goes on. The same as SIGUSR2.

    \b
    pip install --upgrade codelocd && codelocd --user upgrade
    """
    with connect_patiently(asked) as connection:
        announce(connection)
        former = connection.call("hello")["instance"]
        connection.until_gone("upgrade")
    deadline = time.monotonic() + UPGRADE_SECONDS
    while True:
        try:
            with connect_patiently(asked) as connection:
                now = connection.call("hello")
                if now["instance"] != former:
                    output.note(f"codelocd {now['version']} goes on (pid {now['pid']})")
                    return
        except Failure:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _say_what_drains(status: StatusDocument) -> None:
    runs = sum(each["runs"]["running"] for each in status["locations"])
    if runs:
        what = f"waiting for {plural(runs, 'run')} to end, at most for its drain_timeout"
        how = "`codelocd runs --state running` lists them, `codelocd runs cancel` ends them"
        output.note(f"{what}; {how}")


@click.command()
@daemon_options
@click.pass_obj
def shutdown_command(asked: Asked) -> None:
    """Stop the daemon and everything it runs.

    Returns when it is gone. Runs that go on have `drain_timeout` of [runs] in the config to end by
    themselves: 10 minutes for a service, none under dev.

    \b
    codelocd shutdown
    codelocd --user shutdown
    """
    with connect_patiently(asked) as connection:
        announce(connection)
        pid = connection.call("hello")["pid"]
        told = threading.Timer(QUIET, _say_what_drains, [connection.call("status")])
        told.start()
        try:
            connection.until_gone("shutdown")
        finally:
            told.cancel()
        output.note(f"stopped {connection.daemon.name} (pid {pid})")
