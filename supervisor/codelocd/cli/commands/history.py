"""Commands that show what happened: `codelocd logs events`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from codelocd.cli import output
from codelocd.cli.connection import PROMPT_TIMEOUT, connect_promptly
from codelocd.cli.exit_codes import NoDaemon, SilentDaemon
from codelocd.cli.options import daemon_options, locations_argument, reading_options, stream_options
from codelocd.cli.pages import Ask, Line, Pages, follow
from codelocd.cli.status import wanted
from codelocd.cli.which import Asked
from codelocd.render import journal
from codelocd.render.text import name_style

if TYPE_CHECKING:
    from codelocd.documents.answers import EventsDocument, LogsDocument
    from codelocd.documents.events import JournalEntry, LostLines
    from codelocd.documents.locations import LogLine, StatusDocument
    from codelocd.storage.remains import Remains

LINES = 100
"""How many lines are shown of the past unless another number, or a part of it, is asked for."""


def show(
    asked: Asked,
    pages: Pages,
    left: Callable[[Remains, Mapping[str, Any]], Mapping[str, Any]],
    *,
    lines: int | None,
    followed: float | None,
) -> Iterator[Line]:
    """The last `lines`, or all that `pages` asks for, and then those that come: `followed` is for
    how many seconds the next daemon is waited for. Where no daemon answers, `left` does."""

    def past(ask: Ask) -> Iterable[Line]:
        return pages.all(ask) if lines is None else pages.newest(ask, lines)

    try:
        with connect_promptly(asked) as connection:
            yield from past(lambda params: connection.call(pages.method, params))
            if followed is not None:
                yield from follow(pages, connection, lambda: connect_promptly(asked), followed)
    except (NoDaemon, SilentDaemon) as failure:
        if followed is not None:
            raise
        from codelocd.cli.left import by  # its imports would slow down every other case

        remains = by(asked, failure, pages.params.get("locations", ()))
        yield from past(lambda params: left(remains, params))
        if isinstance(failure, SilentDaemon):
            raise


def _from_snapshot(asked: Asked, pages: Pages, followed: float | None) -> Iterator[Line]:
    """The state of each location in the shape of an event, and then what happens to them."""
    with connect_promptly(asked) as connection:
        answer: StatusDocument = connection.call("status", pages.params, PROMPT_TIMEOUT)
        seq, now = answer["daemon"]["events"], time.time()
        for each in answer["locations"]:
            yield {
                "seq": seq,
                "at": now,
                "location": each["name"],
                "event": "snapshot",
                "before": None,
                "after": each["state"],
                "generation": each["generation"],
                "detail": each["problem"]["summary"] if each["problem"] else None,
            }
        pages.seen[""] = seq
        if followed is not None:
            yield from follow(pages, connection, lambda: connect_promptly(asked), followed)


def _left_logs(remains: Remains, params: Mapping[str, Any]) -> LogsDocument:
    from codelocd.storage.logs import LogQuery

    rest = {name: value for name, value in params.items() if name != "locations"}
    return remains.logs(params.get("locations") or remains.locations, LogQuery(**rest))


def _left_events(remains: Remains, params: Mapping[str, Any]) -> EventsDocument:
    entries = remains.events(params.get("locations"), params["lines"], params.get("before"))
    return {"events": entries, "last": entries[-1]["seq"] if entries else 0}


def _print(lines: Iterator[Line], text: Callable[[Line], str], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            output.line(line)
        else:
            output.say(journal.gap(cast("LostLines", line)) if "gap" in line else text(line))


def _log_line() -> Callable[[Line], str]:
    screen = output.stdout_screen()
    styles: dict[str, str] = {}

    def text(line: Line) -> str:
        style = styles.setdefault(line["location"], name_style(len(styles)))
        return journal.output(cast("LogLine", line), screen, style)

    return text


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


@click.command()
@locations_argument
@stream_options("lines")
@reading_options
@daemon_options
@click.pass_obj
def logs_command(
    asked: Asked,
    locations: Sequence[str],
    *,
    followed: float | None,
    lines: int | None,
    since: float | None,
    until: float | None,
    grep: Callable[[str], object] | str | None,
    stream: str | None,
    as_json: bool,
) -> None:
    """Show what runners printed.

    Without -n these are the last 100 lines, or with --since, --until, --grep or --stream all that
    there are. Where no daemon answers, it shows what is on disk, and says so; -f needs one. Lines
    of another day have their date. A line that is lost is counted where it would stand.

    \b
    codelocd logs sales -n 20
    codelocd logs -f
    codelocd logs sales --since 10min --grep 'Error|Warning'
    codelocd logs --json | jq -r 'select(.stream == "stderr") | .text'
    """
    plain = grep if isinstance(grep, str) else None
    narrowed = _given(since=since, until=until, stream=stream, contains=plain)
    pattern = grep if callable(grep) else None
    if lines is None and not narrowed and pattern is None:
        lines = LINES
    pages = Pages("logs", {**wanted(locations), **narrowed}, pattern)
    found = show(asked, pages, _left_logs, lines=lines, followed=followed)
    _print(found, _log_line(), as_json=as_json)


@click.command()
@locations_argument
@stream_options("events")
@click.option(
    "--snapshot", is_flag=True, help="Begin with the state of each location, not with the past."
)
@daemon_options
@click.pass_obj
def events_command(
    asked: Asked,
    locations: Sequence[str],
    *,
    followed: float | None,
    lines: int | None,
    snapshot: bool,
    as_json: bool,
) -> None:
    """Show what happened to which location, when and why.

    Without -n these are the last 100 events. Without LOCATION also what happened to the daemon
    itself: that its config changed, or could not be applied. Where no daemon answers, it shows what
    is on disk, and says so; -f needs one. Numbers go on from one daemon to the next.

    \b
    codelocd events -n 20
    codelocd events sales
    codelocd events -f --json | jq 'select(.after == "failed")'
    codelocd events -f --json --snapshot
    """
    screen = output.stdout_screen()
    pages = Pages("events", wanted(locations))
    if snapshot:
        found = _from_snapshot(asked, pages, followed)
    else:
        count = LINES if lines is None else lines
        found = show(asked, pages, _left_events, lines=count, followed=followed)
    _print(found, lambda entry: journal.event(cast("JournalEntry", entry), screen), as_json=as_json)
