"""What the state of a location is called, how bad it is, and the sign that stands for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from codelocd.render.status import UNDER_WAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codelocd.documents.locations import LocationFacts

Level: TypeAlias = Literal["bad", "stale", "busy", "off", "well"]
LEVELS: tuple[Level, ...] = ("bad", "stale", "busy", "off", "well")
"""The worst first."""
SIGNS: dict[Level, str] = {"bad": "✖", "stale": "◆", "busy": "◐", "off": "○", "well": "●"}
"""They differ in shape, for screens without colour."""
STYLES: dict[Level, str] = {
    "bad": "red",
    "stale": "yellow",
    "busy": "cyan",
    "off": "dim",
    "well": "green",
}
BARS = "▁▂▃▄▅▆▇█"


def level(location: LocationFacts) -> Level:
    """How bad it is."""
    state = location["state"]
    if state in ("failed", "backoff"):
        return "bad"
    if state in ("external", "stopped"):
        return "off"
    if location["stale"] and location["problem"]:
        return "stale"
    if state in UNDER_WAY or location["reloading"]:
        return "busy"
    return "well" if state == "serving" else "bad"


def word(location: LocationFacts) -> str:
    """What callers get, in few words."""
    if location["state"] != "serving":
        return location["state"]
    if location["reloading"]:
        return "building next" if location["reloading"] == "building" else "loading next"
    return "serving last good" if location["stale"] and location["problem"] else "serving"


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, from nothing to the largest."""
    largest = max(values, default=0.0) or 1.0
    last = len(BARS) - 1
    return "".join(BARS[min(round(max(value, 0) / largest * last), last)] for value in values)
