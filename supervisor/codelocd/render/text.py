"""Text for a terminal: made safe, measured, laid out in columns."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INVISIBLE = (
    0x00AD,  # soft hyphen
    0x034F,  # combining grapheme joiner
    0x061C,  # Arabic letter mark
    *range(0x115F, 0x1161),  # Hangul fillers
    *range(0x180B, 0x1810),
    *(0x200B, 0x200E, 0x200F),  # zero width space, direction marks
    *range(0x2028, 0x202F),  # separators, direction embeddings and overrides
    *range(0x2060, 0x2070),  # word joiner, invisible operators, direction isolates
    0x3164,
    0xFEFF,
    *range(0xFFF0, 0xFFFC),
    *range(0xE0000, 0xE0100),  # tags
)
"""Characters that show nothing or turn round what follows (Unicode's categories Cf, Zl and Zp, and
fillers): names that look alike would differ. The joiners U+200C and U+200D are left, as emoji and
several scripts cannot be written without them, and so are variation selectors."""

CONTROL = dict.fromkeys((*range(32), 127, *range(128, 160), *_INVISIBLE), "�")
LINE = {**CONTROL, ord("\t"): " ", ord("\n"): " ", ord("\r"): " "}
BLOCK = {**CONTROL, ord("\t"): "\t", ord("\n"): "\n", ord("\r"): ""}


def one_line(text: str) -> str:
    """`text` without control characters: a name cannot move a terminal's cursor."""
    return text if text.isprintable() else text.translate(LINE)


def block(text: str) -> str:
    """Several lines without control characters but tabs."""
    return text.translate(BLOCK)


def indented(text: str, margin: str) -> str:
    """`block` with a margin before each line."""
    return "\n".join(f"{margin}{line}".rstrip() for line in block(text).splitlines())


ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

MARKS = 20
"""Characters of one column, with the marks and joiners of it, of which a line shows all."""


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes (Unicode Standard Annex 11)."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    from unicodedata import category, east_asian_width

    if category(character) in ("Mn", "Me", "Cf"):  # marks, joiners, variation selectors
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def shortened(text: str, width: int) -> str:
    """`text`, cut to `width` columns with an ellipsis where it is longer."""
    seen = text[: MARKS * (max(width, 0) + 1)]  # of a megabyte, all would take long
    if len(seen) == len(text) and columns(text) <= width:
        return text
    left = max(width - 1, 0)
    for end, character in enumerate(seen):
        left -= 1 if character.isascii() else _width(character)
        if left < 0:
            return seen[:end] + ELLIPSIS
    return seen if len(seen) == len(text) else seen + ELLIPSIS


def wrapped(text: str, width: int, most: int) -> list[str]:
    """`text` in at most so many lines of `width` columns, broken at a space where one is near.

    All but the first begin with two spaces; what has no place in the last is cut.
    """
    lines: list[str] = []
    while columns(text) > width and len(lines) < most - 1:
        head = shortened(text, width + 1)[:-1]
        at = head.rfind(" ")
        if at < len(head) // 2:
            at = max(len(head), 1)
        lines.append(text[:at])
        text = f"  {text[at:].lstrip()}"
    return [*lines, shortened(text, width)]


def plural(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float | None) -> str:
    """`42ms`, `4.2s`, `1m 15s`, `3h 5m`, `2d 4h`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    return _two_units(round(seconds))


def interval(seconds: float | None) -> str:
    """A length of time that was chosen: as `duration`, without what is nought: `2s`, `1.5s`,
    `5m`."""
    found = duration(seconds).replace(".0s", "s")
    return found.removesuffix(" 0s").removesuffix(" 0m").removesuffix(" 0h")


def _two_units(seconds: int) -> str:
    for size, unit, part, part_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // part}{part_unit}"
    return f"{seconds // 60}m {seconds % 60}s" if seconds >= 60 else f"{seconds}s"


def size(amount: int | None) -> str:
    """Bytes with a binary prefix (IEC 80000-13): `512 B`, `1.5 KiB`, `30 MiB`."""
    if amount is None:
        return "-"
    value, unit = float(amount), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}" if unit != "B" and value < 10 else f"{value:.0f} {unit}"


def share(fraction: float | None) -> str:
    """A fraction of one core in percent."""
    return "-" if fraction is None else f"{fraction * 100:.0f}%"


def starting(name: str) -> str:
    """The command that starts a location."""
    if not name.translate(PLAIN_SIGNS).isalnum() or not name.isascii():
        import shlex  # seldom: its import takes as long as a table

        name = one_line(shlex.quote(name))
    return f"codelocd start {name}"


PLAIN_SIGNS = dict.fromkeys(map(ord, "_-."))
"""What a name may hold besides letters and digits without a meaning to a shell."""


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
