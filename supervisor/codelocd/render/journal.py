"""What happened, and what runners printed: one line each."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from codelocd.render.screen import STATES, Screen
from codelocd.render.text import one_line

COLOURING = re.compile("\x1b\\[[0-9;:]*m")
"""The one escape sequence that cannot do more to a terminal than be seen (SGR)."""


def event(entry: Mapping[str, Any], screen: Screen) -> str:
    """An `events --json` document as a line."""
    before, after = entry["before"], entry["after"]
    change = f"{before} → {after}" if before and before != after else after or ""
    generation = f"(generation {entry['generation']})" if entry["generation"] else ""
    words = [
        screen.paint(moment(entry["at"], date=True), "dim"),
        screen.paint(one_line(entry["location"] or "codelocd"), "bold"),
        one_line(entry["event"]),
        screen.paint(change, STATES.get(after or "")),
        generation,
        one_line(entry["detail"] or ""),
    ]
    return "  ".join(word for word in words if word)


def output(line: Mapping[str, Any], screen: Screen, style: str | None) -> str:
    """A line of a runner's output as a line, with its time and the location's name before it."""
    name = screen.paint(one_line(line["location"]), style)
    when = screen.paint(moment(line["at"]), "dim")
    return f"{when} {name} | {visible(line['text'], screen)}"


def visible(text: str, screen: Screen) -> str:
    """Output as it may reach a terminal: its colours stay where colours are shown at all."""
    if "\x1b" not in text:
        return one_line(text)
    pieces = [one_line(piece) for piece in COLOURING.split(text)]
    if not screen.colour:
        return "".join(pieces)
    colours = [*COLOURING.findall(text), "\x1b[0m"]
    return "".join(a + b for a, b in zip(pieces, colours, strict=True))


def moment(at: float, *, date: bool = False) -> str:
    """Unix time as local time, to the millisecond."""
    pattern = "%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S"
    return f"{time.strftime(pattern, time.localtime(at))}.{int(at % 1 * 1000):03d}"
