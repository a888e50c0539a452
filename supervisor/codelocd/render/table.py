"""Columns of text, as many of them as the screen has room for."""

from __future__ import annotations

from codelocd.render.screen import Screen
from codelocd.render.text import columns, one_line, shortened

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence

Cell = str | tuple[str, str | None]
"""Text, or text and its style."""

GAP = "  "
NOTHING = "-"


class Column:
    """A title, and what becomes of the column where the screen is narrow.

    `falls`: the column with the highest number falls away first, one with 0 stays. `least`: how
    many columns of the terminal it keeps where it is cut; without it, it is not cut. `right`: its
    cells are aligned right.
    """

    __slots__ = ("falls", "least", "right", "title")

    def __init__(
        self, title: str, falls: int = 0, least: int | None = None, *, right: bool = False
    ) -> None:
        self.title = title
        self.falls = falls
        self.least = least
        self.right = right


def table(titles: Sequence[Column], rows: Sequence[Sequence[Cell]], screen: Screen) -> str:
    """A title line and a line per row, none of them longer than the screen is wide."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    head = [_cell((column.title, "bold")) for column in titles]
    lines = [head, *cells]
    natural = [max(columns(line[i][0]) for line in lines) for i in range(len(titles))]
    kept = list(range(len(titles)))
    if screen.width is not None:
        kept = _kept(titles, cells, natural, screen.width)
    widths = [natural[i] for i in kept]
    if screen.width is not None:
        _fit(widths, [titles[i].least for i in kept], screen.width)
    rights = [titles[i].right for i in kept]
    return "\n".join(_line([line[i] for i in kept], widths, rights, screen) for line in lines)


def _cell(cell: Cell) -> tuple[str, str | None]:
    text, style = (cell, None) if isinstance(cell, str) else cell
    return one_line(text) or NOTHING, style


def _kept(
    titles: Sequence[Column],
    cells: Sequence[Sequence[tuple[str, str | None]]],
    natural: Sequence[int],
    edge: int,
) -> list[int]:
    """Which columns there is room for; what says nothing in any row is the first to go."""

    def least(i: int) -> int:
        shortest = titles[i].least
        return natural[i] if shortest is None else min(natural[i], shortest)

    def rank(i: int) -> tuple[bool, int]:
        return all(row[i][0] == NOTHING for row in cells), titles[i].falls

    kept = list(range(len(titles)))
    while sum(map(least, kept)) + len(GAP) * (len(kept) - 1) > edge:
        falling = [i for i in kept if titles[i].falls]
        if not falling:
            break
        kept.remove(max(falling, key=rank))
    return kept


def _fit(widths: list[int], least: Sequence[int | None], edge: int) -> None:
    """Cut the widest that may be cut, and where that is not enough the widest of all."""
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - edge
    for floors in ([w if f is None else f for w, f in zip(widths, least, strict=True)], None):
        while excess > 0:
            free = [i for i, w in enumerate(widths) if w > (floors[i] if floors else 1)]
            if not free:
                break
            widths[max(free, key=widths.__getitem__)] -= 1
            excess -= 1


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
