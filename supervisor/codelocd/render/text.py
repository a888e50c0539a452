"""Text that came from elsewhere, made safe and measured for a terminal."""

from __future__ import annotations

CONTROL = dict.fromkeys((*range(32), 127, *range(128, 160)), "�")
LINE = {**CONTROL, ord("\t"): " ", ord("\n"): " ", ord("\r"): " "}
BLOCK = {**CONTROL, ord("\t"): "\t", ord("\n"): "\n", ord("\r"): ""}


def one_line(text: str) -> str:
    """`text` without control characters: a name cannot move the cursor of whoever lists it."""
    return text if text.isprintable() else text.translate(LINE)


def block(text: str) -> str:
    """Several lines without control characters but tabs."""
    return text.translate(BLOCK)


def indented(text: str, margin: str) -> str:
    """`block` with a margin before each line."""
    return "\n".join(f"{margin}{line}".rstrip() for line in block(text).splitlines())


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
    if columns(text) <= width:
        return text
    left = max(width - 1, 0)
    for end, character in enumerate(text):
        left -= 1 if character.isascii() else _width(character)
        if left < 0:
            return text[:end] + "\N{HORIZONTAL ELLIPSIS}"
    return text


def plural(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
