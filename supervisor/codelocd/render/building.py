"""One step of a build as a line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codelocd.render.amounts import size
from codelocd.render.screen import STATES, Screen
from codelocd.render.text import one_line


def step(data: Mapping[str, Any], screen: Screen) -> str:
    """`downloading 3/51 (12 MiB of 80 MiB) downloaded pandas`; `data` as the topic has it."""
    counted = f" {data['done']}/{data['total']}" if data.get("total") else ""
    loaded = ""
    if data.get("bytes_total"):
        loaded = f" ({size(data['bytes_done'])} of {size(data['bytes_total'])})"
    words = screen.paint(f"{data['phase']}{counted}{loaded}", STATES["building"])
    return f"{words} {one_line(data['message'])}".rstrip()
