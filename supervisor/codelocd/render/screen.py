"""What the place that text goes to can show."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Mapping

CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
"""SGR parameters (ECMA-48, section 8.3.117)."""

STATES = {
    "serving": "green",
    "stale": "yellow",
    "building": "cyan",
    "starting": "cyan",
    "stopping": "cyan",
    "backoff": "yellow",
    "failed": "red",
    "stopped": "dim",
    "external": "dim",
}

NAMES = ("cyan", "magenta", "green", "blue", "yellow")


class Screen:
    """`colour`: escape sequences are understood.

    `width` and `height`: columns and lines, None where there is no edge.
    """

    __slots__ = ("colour", "height", "width")

    def __init__(
        self, *, colour: bool = False, width: int | None = None, height: int | None = None
    ) -> None:
        self.colour = colour
        self.width = width
        self.height = height

    def paint(self, text: str, style: str | None) -> str:
        """`text` in a style of CODES; as it is without one, or without colour."""
        if not self.colour or not style or not text:
            return text
        return f"\x1b[{CODES[style]}m{text}\x1b[0m"


PLAIN = Screen()


def colours(environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to colour: NO_COLOR forbids it, else FORCE_COLOR wants it, else a terminal has it.

    Both count where they are set and not empty (https://no-color.org, https://force-color.org).
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return terminal and environ.get("TERM") != "dumb"


def name_style(index: int) -> str:
    """The colour of the `index`th location's name."""
    return NAMES[index % len(NAMES)]
