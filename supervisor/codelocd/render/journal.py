"""Lines of the journal and of runners' output."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codelocd.render.text import GAP, STATES, Screen, columns, one_line, shortened

if TYPE_CHECKING:
    from codelocd.documents.events import JournalEntry, LostLines
    from codelocd.documents.locations import LogLine

NARROW = 100
"""Columns below which an event leaves out what matters least."""

COLOURING = re.compile("\x1b\\[[0-9;:]*m")
"""The one escape sequence that cannot do more to a terminal than be seen (SGR)."""

OTHER_ESCAPES = re.compile(
    r"\x1b(?!\[[0-9;:]*m)"
    r"(?:\[[0-?]*[ -/]*(?:[@-~]|\Z)"  # a control sequence
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\|\Z)"  # a command: a title, a link
    r"|[PX^_][^\x1b]*(?:\x1b\\|\Z)"  # other strings
    r"|[ -/]*[0-~])?"
)
"""Every other one, whole (ECMA-48); the page drops the same."""


def event(entry: JournalEntry, screen: Screen) -> str:
    """An `events --json` document as a line, no longer than the screen is wide."""
    before, after = entry["before"], entry["after"]
    change = f"{before} → {after}" if before and before != after else after or ""
    narrow = screen.width is not None and screen.width < NARROW
    known = entry["generation"] and not narrow
    words: list[tuple[str, str | None]] = [
        (moment(entry["at"], date=True, milliseconds=not narrow), "dim"),
        (one_line(entry["location"] or "codelocd"), "bold"),
        (one_line(entry["event"]), None),
        (change, STATES.get(after or "")),
        (f"(generation {entry['generation']})" if known else "", None),
        (one_line(entry["detail"] or ""), None),
        (_load(entry), None),
        (f"by {one_line(by)}" if (by := entry["by"]) and by != "file" else "", "dim"),
    ]
    return _joined([(text, style) for text, style in words if text], screen)


def _load(entry: JournalEntry) -> str:
    """How long a load took from the save on, and how many definitions it changed."""
    timing, total = entry["timing"], None
    if timing is not None and timing["total"] is not None:
        total = f"{timing['total']:.2f} s"
    signs = (("+", entry["added"]), ("~", entry["changed"]), ("-", entry["removed"]))
    return " ".join([total or "", *(f"{sign}{count}" for sign, count in signs if count)]).strip()


def gap(lost: LostLines) -> str:
    """What stands in the place of lines that are lost."""
    first, count = lost["seq"], lost["gap"]
    whose = f" of {one_line(lost['location'])}" if lost["location"] else ""
    lines = f"line {first}" if count == 1 else f"{count} lines, {first} to {first + count - 1},"
    return f"({lines}{whose} lost)"


def _joined(words: Sequence[tuple[str, str | None]], screen: Screen) -> str:
    """The words with gaps between, as many of them as the screen has room for."""
    told: list[str] = []
    left = screen.width
    for text, style in words:
        if left is not None:
            text = shortened(text, left) if left > 0 else ""
            left -= columns(text) + len(GAP)
        if text:
            told.append(screen.paint(text, style))
    return GAP.join(told)


def output(line: LogLine, screen: Screen, style: str | None) -> str:
    """A line of a runner's output as a line, with its time and the location's name before it."""
    name = screen.paint(one_line(line["location"]), style)
    when = screen.paint(moment(line["at"], date=_is_of_another_day(line["at"])), "dim")
    return f"{when} {name} | {visible(line['text'], screen)}"


def run_output(line: Mapping[str, Any], screen: Screen) -> str:
    """A line of a run's output, with its time and, from the second attempt on, the attempt."""
    when = screen.paint(moment(line["at"], date=_is_of_another_day(line["at"])), "dim")
    attempt = f" attempt {line['generation']} |" if (line["generation"] or 0) > 1 else ""
    return f"{when}{attempt} {visible(line['text'], screen)}"


def visible(text: str, screen: Screen) -> str:
    """Output as it may reach a terminal: its colours stay where colours are shown at all.

    Other escape sequences are dropped, other control characters are replaced.
    """
    if "\x1b" not in text:
        return one_line(text)
    text = OTHER_ESCAPES.sub("", text)
    pieces = [one_line(piece) for piece in COLOURING.split(text)]
    if not screen.colour:
        return "".join(pieces)
    colours = [*COLOURING.findall(text), "\x1b[0m"]
    return "".join(a + b for a, b in zip(pieces, colours, strict=True))


def _is_of_another_day(at: float) -> bool:
    return time.localtime(at)[:3] != time.localtime()[:3]


def moment(at: float, *, date: bool = False, milliseconds: bool = True) -> str:
    """Unix time as local time."""
    pattern = "%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S"
    text = time.strftime(pattern, time.localtime(at))
    return f"{text}.{int(at % 1 * 1000):03d}" if milliseconds else text
