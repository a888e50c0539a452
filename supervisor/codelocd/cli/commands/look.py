"""Commands that show what there is: `codelocd status definitions show call`."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click

from codelocd.cli import output, status
from codelocd.cli.commands.completions import methods
from codelocd.cli.connection import GRACE, PROMPT_TIMEOUT, ask, connect_promptly
from codelocd.cli.exit_codes import ExitCode, Failure, NoDaemon, SilentDaemon
from codelocd.cli.options import (
    PATIENCE,
    daemon_options,
    definition_argument,
    json_option,
    kind_option,
    location_argument,
    locations_argument,
)
from codelocd.cli.pages import next_daemon
from codelocd.cli.status import document, wanted
from codelocd.cli.which import Asked
from codelocd.render.definitions import definition, definitions
from codelocd.render.location import location as page
from codelocd.render.location import page as timing_page
from codelocd.render.location import stacks as stacks_page
from codelocd.render.status import page as screenful
from codelocd.render.status import status as table

if TYPE_CHECKING:
    from codelocd.documents.answers import StacksDocument
    from codelocd.documents.definitions import DefinitionsDocument, Listed, ShownAsset
    from codelocd.documents.locations import LeftLocation, ShownLocation, StatusDocument


@click.command()
@locations_argument
@json_option
@click.option(
    "--watch", is_flag=True, help="Look again every second; on a terminal, on a screen of its own."
)
@click.option(
    "--failed", is_flag=True, help="Only those that should serve the newest source and do not."
)
@daemon_options
@click.pass_obj
def status_command(
    asked: Asked, locations: tuple[str, ...], as_json: bool, watch: bool, failed: bool
) -> int:
    """Show the state of locations.

    A location serves as long as any runner of it answers. `stale` means that what it serves is
    not the newest source, because that did not load: the last column says why. Trouble comes
    first. A terminal gets as many columns as it has room for, a pipe all of them.

    Ends with 1 if a location that is wanted is not serving, or is stale, or if the config has a
    mistake and is therefore not applied: a line below the table says which. `codelocd top` shows
    more than --watch does, and acts on what it shows. Where the daemon is
    stopped, hangs or is dead, it shows what the daemon kept last, says how old that is, and ends
    with 3.

    \b
    codelocd status
    codelocd status --failed
    codelocd status sales --watch
    codelocd status --json | jq -r '.locations[] | select(.stale) | .name'
    """
    if watch:
        with suppress(SilentDaemon):  # what it left is shown in its place
            watch_status(asked, locations, as_json=as_json, only_failed=failed)
    return status.once(asked, locations, as_json=as_json, only_failed=failed)


@click.command()
@locations_argument
@kind_option
@json_option
@daemon_options
@click.pass_obj
def definitions_command(
    asked: Asked, locations: tuple[str, ...], kind: str | None, as_json: bool
) -> None:
    """List the definitions of all locations, merged.

    Below the table: assets that depend on another location's, and assets that more than one
    location defines. Where no daemon answers, it shows what is on disk, says so, and ends with 3.

    \b
    codelocd definitions
    codelocd definitions sales --kind asset
    codelocd definitions --json | jq '.edges'
    """
    parameters = {**wanted(locations), **({"kind": kind} if kind else {})}
    answer: DefinitionsDocument
    unanswered: NoDaemon | SilentDaemon | None = None
    try:
        answer = ask(asked, "definitions", parameters)
    except (NoDaemon, SilentDaemon) as failure:
        from codelocd.cli import left  # its imports would slow down every other case

        answer = left.definitions(left.by(asked, failure, locations), locations, kind)
        unanswered = failure
    if as_json:
        output.document(answer)
    else:
        output.say(definitions(answer, output.stdout_screen()))
    if unanswered is not None:
        raise unanswered


@click.command()
@definition_argument
@kind_option
@click.option("--repository", help="Only in this repository of the location.")
@click.option("--stacks", is_flag=True, help="Where each thread of its runner is right now.")
@click.option("--warm", is_flag=True, help="With --stacks: those of its warm interpreter, too.")
@click.option("--timing", is_flag=True, help="Where the time of the last load went.")
@json_option
@daemon_options
@click.pass_obj
def show_command(
    asked: Asked,
    location: str,
    kind: str | None,
    repository: str | None,
    stacks: bool,
    warm: bool,
    timing: bool,
    as_json: bool,
) -> None:
    """Show one location or one definition in full.

    LOCATION shows its state, its environment and why it has that one, its last exit, the
    complete traceback of its problem and its last lines of output. LOCATION/NAME shows one
    definition; an asset's name is its key joined by slashes. An asset comes with the location
    that produces it, and with what is upstream and downstream of it in every location. Where
    several definitions have the name, --kind and --repository choose one. Where no daemon answers,
    it shows what is on disk, and says so; one that runs but does not answer makes it end with 3.

    \b
    codelocd show sales
    codelocd show sales --timing
    codelocd show sales --stacks
    codelocd show sales/mart/orders
    codelocd show sales/refresh --kind job
    """
    name, _, inner = location.partition("/")
    if not inner and (kind or repository):
        raise click.UsageError("--kind and --repository need LOCATION/NAME")
    if inner and (timing or stacks):
        raise click.UsageError("--timing and --stacks are of a whole LOCATION")
    if stacks or warm:
        _show_stacks(asked, name, warm=warm, as_json=as_json)
    elif inner:
        _show_definition(asked, name, inner, kind, repository, as_json)
    else:
        _show_location(asked, name, timing, as_json)


def _show_location(asked: Asked, name: str, timing: bool, as_json: bool) -> None:
    found: ShownLocation | LeftLocation
    silent: SilentDaemon | None = None
    try:
        with connect_promptly(asked) as connection:
            found = connection.call("show", {"location": name})
    except (NoDaemon, SilentDaemon) as failure:
        from codelocd.cli import left  # its imports would slow down every other case

        found = left.location(left.by(asked, failure, ()), name)
        silent = failure if isinstance(failure, SilentDaemon) else None
    if as_json:
        output.document(found["timing"] if timing else found)
    elif timing:
        output.say(timing_page(found))
    else:
        output.say(page(found, time.time(), output.stdout_screen()))
    if silent is not None:
        raise silent


def _show_definition(
    asked: Asked, location: str, name: str, kind: str | None, repository: str | None, as_json: bool
) -> None:
    chosen = {"location": location, "name": name, "kind": kind, "repository": repository}
    given = {key: value for key, value in chosen.items() if value}
    found: Listed | ShownAsset
    silent: SilentDaemon | None = None
    try:
        with connect_promptly(asked) as connection:
            found = connection.call("show", given)
    except (NoDaemon, SilentDaemon) as failure:
        from codelocd.cli import left  # its imports would slow down every other case

        found = left.definition(left.by(asked, failure, ()), location, name, kind, repository)
        silent = failure if isinstance(failure, SilentDaemon) else None
    if as_json:
        output.document(found)
    else:
        output.say(definition(found, output.stdout_screen()))
    if silent is not None:
        raise silent


def _show_stacks(asked: Asked, location: str, *, warm: bool, as_json: bool) -> None:
    answer: StacksDocument = ask(asked, "stacks", {"location": location, "warm": warm})
    if as_json:
        output.document(answer)
    else:
        output.say(stacks_page(answer, warm=warm, screen=output.stdout_screen()))


INTERVAL = 1.0
"""Seconds between two looks."""

TERMINATED = 128 + signal.SIGTERM
"""As a shell says it of a command that the signal ended."""

ENTER = "\x1b[?1049h\x1b[?25l"
"""To the alternate screen, without a cursor (xterm's private modes 1049 and 25)."""

LEAVE = "\x1b[?25h\x1b[?1049l"

HOME, END_OF_LINE, BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
"""To the first column of the first row; erase to the end of the line, of the screen (ECMA-48)."""


def watch_status(
    asked: Asked, locations: Sequence[str], *, as_json: bool, only_failed: bool
) -> NoReturn:
    """Print until interrupted. When the daemon ends, the next one is waited for.

    Raises SilentDaemon where one does not answer.
    """
    connection = connect_promptly(asked)
    with _place(as_json=as_json) as show:
        while True:
            try:
                with connection:
                    while True:
                        answer: StatusDocument = connection.call(
                            "status", wanted(locations), PROMPT_TIMEOUT
                        )
                        show(document(answer, only_failed=only_failed))
                        time.sleep(INTERVAL)
            except Failure as failure:
                if failure.code != ExitCode.NO_DAEMON:
                    raise
                deadline = time.monotonic() + PATIENCE
                connection = next_daemon(lambda: connect_promptly(asked), deadline)


@contextmanager
def _place(*, as_json: bool) -> Iterator[Callable[[StatusDocument], None]]:
    """What shows a document where stdout goes; a terminal is as it was afterwards."""
    if as_json or not output.is_live(sys.stdout):
        yield output.line if as_json else _below
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    _put(ENTER)
    try:
        yield _in_place
    finally:
        _put(LEAVE)


def _below(found: StatusDocument) -> None:
    output.say(table(found, output.stdout_screen()))


def _in_place(found: StatusDocument) -> None:
    """Over what is there, without a line end after the last line: that would scroll."""
    lines = screenful(found, time.strftime("%H:%M:%S"), output.stdout_screen()).splitlines()
    _put(f"{HOME}{f'{END_OF_LINE}{chr(10)}'.join(lines)}{END_OF_LINE}{BELOW}")


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@click.command()
@location_argument
@click.argument("method", shell_complete=methods)
@click.argument("parameters", metavar="[JSON]", default="{}")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after this."
)
@daemon_options
@click.pass_obj
def call_command(
    asked: Asked, location: str, method: str, parameters: str, timeout: float | None
) -> None:
    """Ask the runner that serves a location.

    METHOD is one of hello, ping, snapshot, describe, stacks; JSON an object with its
    parameters. Prints a JSON document: `result`, and the `generation` of the runner that
    answered. A call that a runner has accepted is answered by it, even if another takes over.
    None of them changes what runs: `codelocd stop` and `codelocd restart` do.

    \b
    codelocd call sales describe
    codelocd call sales describe '{"kind": "asset", "name": "mart/orders"}'
    codelocd call sales stacks | jq -r '.result.threads[].stack[]'
    """
    request: dict[str, Any] = {
        "location": location,
        "method": method,
        "params": _object(parameters),
    }
    patience = None
    if timeout is not None:
        request["timeout"], patience = timeout, timeout + GRACE
    output.document(ask(asked, "call", request, timeout=patience))


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"the parameters are not JSON ({error}): {text}") from None
    if not isinstance(value, dict):
        raise click.UsageError(f'the parameters must be a JSON object like {{"a": 1}}, not {text}')
    return value
