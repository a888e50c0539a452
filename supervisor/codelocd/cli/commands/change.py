"""Commands that change what runs: `codelocd start stop restart reload apply upgrade shutdown`."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from codelocd.cli import output
from codelocd.cli.connection import (
    GRACE,
    Connection,
    connect_patiently,
    connect_promptly,
    whole_status,
)
from codelocd.cli.guard import ExitCode, Failure
from codelocd.cli.options import daemon_options, json_option, locations_argument
from codelocd.cli.output import LiveLine
from codelocd.cli.which import Asked
from codelocd.client import Client, DaemonUnreachable, RpcError
from codelocd.render.definitions import changes
from codelocd.render.status import under_way
from codelocd.render.text import STATES, Screen, duration, one_line

if TYPE_CHECKING:
    from codelocd.documents.answers import ActionOutcome


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
        with connect_patiently(asked) as connection:
            announce(connection)
            if connection.is_of_this_version():
                parameters["by"] = "cli"
            with Waiting(connection.daemon.socket, parameters) if wait else nullcontext():
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


def _report(verb: str, outcomes: Sequence[ActionOutcome], *, as_json: bool) -> int:
    if as_json:
        output.document({"locations": outcomes})
    else:
        for outcome in outcomes:
            output.say(_outcome_line(outcome))
    failed = [outcome["name"] for outcome in outcomes if not outcome["ok"]]
    if failed:
        raise Failure(_what_failed(verb, failed), ExitCode.FAILED)
    return ExitCode.DONE


def _outcome_line(outcome: ActionOutcome) -> str:
    screen = output.stdout_screen()
    state = screen.paint(outcome["state"], STATES.get(outcome["state"]))
    problem = outcome["problem"]
    words = f": {problem['kind']}: {one_line(problem['summary'])}" if problem else ""
    if outcome.get("superseded"):
        words = f": another order, {outcome['superseded']}, came after this one"
    if note := outcome.get("note"):
        words += f"; {one_line(note)}"
    return f"{screen.paint(one_line(outcome['name']), 'bold')} {state}{words}"


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
            what = f": {changes(fields, len(fields), one_line)}" if fields else ""
            yield screen.paint(f"{sign} {one_line(name)}", style) + f" {step}{what}"
    if plan.get("pending"):
        yield one_line(plan["pending"])


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


@click.command()
@daemon_options
@click.pass_obj
def shutdown_command(asked: Asked) -> None:
    """Stop the daemon and everything it runs.

    Returns when it is gone.

    \b
    codelocd shutdown
    codelocd --user shutdown
    """
    with connect_patiently(asked) as connection:
        announce(connection)
        pid = connection.call("hello")["pid"]
        connection.until_gone("shutdown")
        output.note(f"stopped {connection.daemon.name} (pid {pid})")


QUIET = 1.0
"""Seconds before the first word, and between two looks: most orders have their outcome by then."""

HEED = 0.8
"""Seconds for the daemon to say what it does: so what an order waits for is said within two."""


class Waiting:
    """While an order is carried out: looks from time to time, on a connection of its own.

    `parameters` are those of the order, which name its locations.
    """

    def __init__(self, socket: str, parameters: Mapping[str, Any]) -> None:
        self._socket = socket
        names = parameters.get("locations")
        self._parameters = {"locations": names} if names else {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="waiting", daemon=True)

    def __enter__(self) -> Waiting:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(QUIET)

    def _look(self) -> None:
        said: set[str] = set()
        heard = time.monotonic()
        with LiveLine(sys.stderr) as line:
            while not self._ended.wait(QUIET):
                try:
                    with Client(self._socket, timeout=HEED, foreign=True) as client:
                        found = whole_status(client.call("status", self._parameters, timeout=HEED))
                    heard, waits = time.monotonic(), under_way(found["locations"])
                except DaemonUnreachable as failure:
                    if failure.reason != "silent":
                        continue  # the order itself says what is wrong
                    waits = [("the daemon, which does not answer", _since(heard))]
                except (RpcError, OSError):
                    continue
                if not self._ended.is_set():
                    _say(line, said, waits)


def _since(moment: float) -> str:
    return duration(time.monotonic() - moment)


def _say(line: LiveLine, said: set[str], waits: Sequence[tuple[str, str]]) -> None:
    """All of it on a terminal, where it is written over; elsewhere each wait once."""
    if line.is_live:
        texts = [f"{what} ({since})" for what, since in waits]
        line.show(f"waiting for {', '.join(texts)}") if texts else line.clear()
        return
    for what, since in waits:
        if what not in said:
            said.add(what)
            line.show(f"waiting for {what} ({since})")
