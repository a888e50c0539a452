"""What the pane below the table shows of the selected location, as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from codelocd.render import journal
from codelocd.render.location import stages
from codelocd.render.status import past_failure
from codelocd.render.text import Screen, duration, one_line, starting, wrapped
from codelocd_top.levels import STYLES, level, word
from codelocd_top.run_rows import pane_lines
from codelocd_top.view import key_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codelocd.documents.events import JournalEntry
    from codelocd.documents.locations import FrameDocument, LocationStatus, ProblemDocument
    from codelocd_top.model import PrintedLine, TopModel

MARGIN = "  "
MOST = 6
"""Lines that the summary of a problem may take."""
DETAILS = 300
"""Lines of the details of a problem, the last ones: a traceback ends with what went wrong."""
BAR = 40
"""Columns of the longest bar of the timing pane."""


def lines(model: TopModel, screen: Screen) -> Sequence[str]:
    """The pane that is chosen."""
    if model.mode == "keys":
        return key_lines(screen)
    if model.table == "runs":
        if model.run_pane == "steps" or model.run is None:
            return pane_lines(model, screen)
        printed = model.printed
        nothing = [f"{MARGIN}run {model.run} has printed nothing that is kept"]
        return OutputLines(printed, screen) if printed else nothing
    chosen = model.chosen
    if chosen is None:
        return [f"{MARGIN}no location{' fits the filter' if model.wanted else ' yet'}"]
    match model.pane:
        case "problem":
            return list(_problem(chosen, model, screen))
        case "output":
            return OutputLines(model.printed, screen) if model.printed else [_silent(chosen)]
        case "events":
            return list(_entries(model.past, model, screen))
        case _:
            return list(_timing(model, screen))


class OutputLines(Sequence[str]):
    """Lines of output as they are shown; each is made only when it is looked at."""

    def __init__(self, printed: Sequence[PrintedLine], screen: Screen) -> None:
        self._printed = printed
        self._screen = screen

    def __len__(self) -> int:
        return len(self._printed)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return OutputLines(self._printed[at], self._screen)
        line = self._printed[at]
        when = self._screen.paint(journal.moment(line.at, milliseconds=False), "dim")
        return f" {when} {journal.visible(line.text, self._screen)}"


def _silent(location: LocationStatus) -> str:
    return f"{MARGIN}{one_line(location['name'])} has printed nothing that is kept"


def _problem(location: LocationStatus, model: TopModel, screen: Screen) -> Iterator[str]:
    problem = location["problem"]
    if problem is not None:
        yield from _told(problem, model, screen, STYLES[level(location)])
        return
    if location["wanted"] is False:
        yield f"{MARGIN}stopped by an order; s starts it, or {starting(location['name'])}"
        return
    yield f"{MARGIN}no problem: {word(location)}"
    failure = past_failure(location)
    if failure is not None:
        ago = duration(max(model.now - failure["at"], 0))
        yield ""
        yield f"{MARGIN}its last runner that ended by itself, {ago} ago:"
        yield from _told(failure, model, screen, "dim")


def _told(problem: ProblemDocument, model: TopModel, screen: Screen, style: str) -> Iterator[str]:
    """The summary, since when, the user's lines, and what to do; then the details."""
    since = f"{problem['kind']}, since {journal.moment(problem['at'], milliseconds=False)}"
    width, remedy = max(model.width - 4, 20), problem["remedy"] or ""
    summary = problem["summary"].removesuffix(remedy).rstrip("; ") if remedy else problem["summary"]
    for line in wrapped(one_line(summary), width, MOST):
        yield f"{MARGIN}{screen.paint(line, style)}"
    yield f"{MARGIN}{screen.paint(since, 'dim')}"
    for frame in _own(problem["frames"]):
        yield from _frame(frame, screen)
    for line in wrapped(one_line(f"try  {remedy}"), width, MOST) if remedy else ():
        yield f"{MARGIN}{screen.paint(line, 'bold')}"
    if problem["detail"] and problem["detail"].strip() != problem["summary"]:
        yield ""
        details = problem["detail"].splitlines()
        yield from (f"{MARGIN}{one_line(line)}" for line in details[-DETAILS:])


def _own(frames: Sequence[FrameDocument]) -> Sequence[FrameDocument]:
    """The innermost of the user's frames; the innermost of all where none is theirs."""
    own = [frame for frame in frames if frame["own"]]
    return (own or list(frames))[-1:]


def _frame(frame: FrameDocument, screen: Screen) -> Iterator[str]:
    yield f"{MARGIN}{one_line(frame['file'])}:{frame['line']} {one_line(frame['function'])}"
    for number, text in frame["code"]:
        is_at_fault = number == frame["line"]
        line = f"{'▶' if is_at_fault else ' '}{number:>5} │ {one_line(str(text).expandtabs(4))}"
        yield f"{MARGIN}{screen.paint(line, 'bold' if is_at_fault else None)}"


def _timing(model: TopModel, screen: Screen) -> Iterator[str]:
    """A bar for each stage of the newest load; below it a line for each of those before."""
    loads = [entry for entry in model.past[::-1] if entry["timing"]]
    newest = loads[0]["timing"] if loads else None
    if newest is None:
        yield f"{MARGIN}no load that the journal tells of"
        return
    yield from _entries(loads[:1], model, screen)
    chosen = model.chosen
    found = list(stages(newest, chosen["start_method"] if chosen else None))
    longest = max((seconds for _, seconds in found), default=0)
    for name, seconds in found:
        bar = "█" * round(seconds / longest * BAR) if longest else ""
        yield f"{MARGIN}{name:<10}{duration(seconds):>8}  {bar}".rstrip()
    yield ""
    yield from _entries(loads[1:], model, screen)


def _entries(entries: Sequence[JournalEntry], model: TopModel, screen: Screen) -> Iterator[str]:
    edge = Screen(colour=screen.colour, width=model.width - 2)
    return (f" {journal.event(entry, edge)}" for entry in entries)
