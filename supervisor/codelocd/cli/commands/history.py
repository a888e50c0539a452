"""Commands that show what happened: `codelocd logs events`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from codelocd.cli import output
from codelocd.cli.connection import Connection, connect
from codelocd.cli.guard import NoDaemon
from codelocd.cli.options import daemon_options, locations_argument, stream_options
from codelocd.cli.status import wanted
from codelocd.cli.which import Asked
from codelocd.render import journal
from codelocd.render.text import name_style

if TYPE_CHECKING:
    from codelocd.storage.remains import Remains


Line = dict[str, Any]

FRESH = 1000
"""Lines asked for after some were missed."""


def show_logs(
    asked: Asked, locations: Sequence[str], *, lines: int, follow: bool, as_json: bool
) -> None:
    """Print the last lines of output, and then those that come."""

    def last(connection: Connection, count: int) -> list[Line]:
        answer = connection.call("logs", {**wanted(locations), "lines": count})
        return list(answer["lines"])

    def of(data: dict[str, Any]) -> list[Line]:
        return [data] if not locations or data["location"] in locations else []

    def kept(remains: Remains) -> list[Line]:
        return remains.logs(locations or remains.locations, lines)

    found = _lines(asked, "logs", last, of, lines=lines, follow=follow)
    _print(_or_left(found, asked, locations, kept, follow=follow), _log_line(), as_json=as_json)


def show_events(
    asked: Asked, locations: Sequence[str], *, lines: int, follow: bool, as_json: bool
) -> None:
    """Print the last entries of the journal, and then those that come."""

    def last(connection: Connection, count: int) -> list[Line]:
        answer = connection.call("events", {**wanted(locations), "lines": count})
        return list(answer["events"])

    def of(data: dict[str, Any]) -> list[Line]:
        entry = data["event"]
        return [entry] if not locations or entry["location"] in locations else []

    def kept(remains: Remains) -> list[Line]:
        return remains.events(locations or None, lines)

    screen = output.stdout_screen()
    found = _lines(asked, "status", last, of, lines=lines, follow=follow)
    found = _or_left(found, asked, locations, kept, follow=follow)
    _print(found, lambda entry: journal.event(entry, screen), as_json=as_json)


def _or_left(
    found: Iterator[Line],
    asked: Asked,
    locations: Sequence[str],
    kept: Callable[[Remains], list[Line]],
    *,
    follow: bool,
) -> Iterator[Line]:
    """What a daemon says, or where none runs what the last one left."""
    try:
        yield from found
    except NoDaemon as failure:
        if follow:
            raise
        from codelocd.cli import left  # its imports would slow down every other case

        yield from kept(left.by(asked, failure, locations))


def _print(lines: Iterator[Line], text: Callable[[Line], str], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            output.line(line)
        else:
            output.say(text(line))


def _log_line() -> Callable[[Line], str]:
    screen = output.stdout_screen()
    styles: dict[str, str] = {}

    def text(line: Line) -> str:
        style = styles.setdefault(line["location"], name_style(len(styles)))
        return journal.output(line, screen, style)

    return text


def _lines(
    asked: Asked,
    topic: str,
    last: Callable[[Connection, int], list[Line]],
    of: Callable[[dict[str, Any]], list[Line]],
    *,
    lines: int,
    follow: bool,
) -> Iterator[Line]:
    """The last lines, then those that come. The news begin first: none falls in between."""
    with connect(asked) as connection:
        news = connection.subscribe([topic]) if follow else ()
        known = last(connection, lines)
        yield from known
        printed = deque(known, maxlen=FRESH)
        for event in news:
            found = _found(event["data"], of, lambda: last(connection, FRESH))
            new = [line for line in found if line not in printed]
            yield from new
            printed.extend(new)


def _found(
    data: dict[str, Any],
    of: Callable[[dict[str, Any]], list[Line]],
    last: Callable[[], list[Line]],
) -> list[Line]:
    """What an event is about: a line, or after some were missed all that are still there."""
    if not data.get("full"):
        return of(data)
    return last() if data["missed"] else []


@click.command()
@locations_argument
@stream_options("lines")
@daemon_options
@click.pass_obj
def logs_command(
    asked: Asked, locations: tuple[str, ...], follow: bool, lines: int, as_json: bool
) -> None:
    """Show what runners printed.

    Where no daemon runs, it shows what is on disk, and says so; -f needs one. Lines of another day
    have their date.

    \b
    codelocd logs sales -n 20
    codelocd logs -f
    codelocd logs --json | jq -r 'select(.stream == "stderr") | .text'
    """
    show_logs(asked, locations, lines=lines, follow=follow, as_json=as_json)


@click.command()
@locations_argument
@stream_options("events")
@daemon_options
@click.pass_obj
def events_command(
    asked: Asked, locations: tuple[str, ...], follow: bool, lines: int, as_json: bool
) -> None:
    """Show what happened to which location, when and why.

    Without LOCATION also what happened to the daemon itself: that its config changed, or could
    not be applied. Where no daemon runs, it shows what is on disk, and says so; -f needs one.

    \b
    codelocd events -n 20
    codelocd events sales
    codelocd events -f --json | jq 'select(.after == "failed")'
    """
    show_events(asked, locations, lines=lines, follow=follow, as_json=as_json)
