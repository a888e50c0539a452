"""The table of locations."""

from __future__ import annotations

from codelocd.render.amounts import duration, share, size
from codelocd.render.screen import STATES, Screen
from codelocd.render.table import table
from codelocd.render.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Mapping
    from typing import Any

    from codelocd.render.table import Cell

TITLES = (
    "NAME",
    "STATE",
    ">UPTIME",
    ">RESTARTS",
    ">DEFINITIONS",
    "ENVIRONMENT",
    "PYTHON",
    ">PID",
    ">MEMORY",
    ">CPU",
    "PROBLEM",
)


def status(document: Mapping[str, Any], screen: Screen) -> str:
    """The `status --json` document as a table."""
    rows = [_row(location) for location in document["locations"]]
    listed = table(TITLES, rows, screen) if rows else "no locations"
    return "\n".join([listed, *config(document["daemon"].get("config"), screen)])


def config(found: Mapping[str, Any] | None, screen: Screen) -> list[str]:
    """What there is to say about a config that is not applied: a line for each mistake."""
    if found is None or found["problem"] is None:
        return []
    if found["state"] == "invalid":
        lines = found["problem"].splitlines()
        return [screen.paint(one_line(f"config not applied: {line}"), "red") for line in lines]
    text = one_line(f"config changed, not applied: {found['file']}: {found['problem']}")
    return [screen.paint(text, "yellow")]


def state(location: Mapping[str, Any]) -> tuple[str, str]:
    """What callers get, and what is going on beside it, with the colour of the whole."""
    words = [location["state"]]
    if location["stale"]:
        words.append("stale")
    if location["reloading"]:
        words.append(location["reloading"])
    return ", ".join(words), STATES.get(words[1] if location["stale"] else words[0], "dim")


def healthy(location: Mapping[str, Any]) -> bool:
    """Not wanted (nor is a server of somebody else), or serving the newest source."""
    if not location["wanted"]:
        return True
    return location["state"] == "serving" and not location["stale"]


def environment(location: Mapping[str, Any]) -> str:
    """The key of a built environment, the folder of the user's own."""
    found = location["environment"] or {}
    if found.get("origin") == "existing":
        return str(found.get("path") or found.get("executable") or "-")
    return str(found.get("key") or "-")[:12]


def _row(location: Mapping[str, Any]) -> list[Cell]:
    problem = location["problem"]
    return [
        (location["name"], "bold"),
        state(location),
        duration(location["uptime"]),
        str(location["restarts"]),
        str(sum((location["definitions"] or {}).values())),
        environment(location),
        (location["environment"] or {}).get("python") or "-",
        str(location["pid"] or "-"),
        size(location["memory"]),
        share(location["cpu"]),
        (f"{problem['kind']}: {problem['summary']}", "red") if problem else "-",
    ]
