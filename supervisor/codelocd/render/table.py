"""Columns of text."""

from __future__ import annotations

from codelocd.render.screen import Screen
from codelocd.render.text import columns, one_line, shortened

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence

Cell = str | tuple[str, str | None]
"""Text, or text and its style."""

GAP = "  "
NARROWEST = 20
"""The last column is never cut to less."""


def table(titles: Sequence[str], rows: Sequence[Sequence[Cell]], screen: Screen) -> str:
    """A title line and a line per row; a title that begins with `>` aligns its column right.

    The last column is cut where the screen ends.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    rights = [title.startswith(">") for title in titles]
    head = [_cell((title.removeprefix(">"), "bold")) for title in titles]
    lines = [head, *cells]
    widths = [max(columns(line[i][0]) for line in lines) for i in range(len(titles))]
    _fit(widths, screen.width)
    return "\n".join(_line(line, widths, rights, screen) for line in lines)


def _cell(cell: Cell) -> tuple[str, str | None]:
    text, style = (cell, None) if isinstance(cell, str) else cell
    return one_line(text) or "-", style


def _fit(widths: list[int], edge: int | None) -> None:
    if edge is not None:
        before = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(edge - before, NARROWEST))


def _line(
    cells: Sequence[tuple[str, str | None]],
    widths: Sequence[int],
    rights: Sequence[bool],
    screen: Screen,
) -> str:
    parts = []
    for (text, style), width, right in zip(cells, widths, rights, strict=True):
        text = shortened(text, width)
        padding = " " * (width - columns(text))
        painted = screen.paint(text, style)
        parts.append(padding + painted if right else painted + padding)
    return GAP.join(parts).rstrip()
