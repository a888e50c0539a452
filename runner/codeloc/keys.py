"""Names, and the keys of assets: lists of names that `/` joins in text."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Tuple

    from typing_extensions import TypeAlias

    Key: TypeAlias = Tuple[str, ...]

NAME = "letters, digits and _"
"""In words: `^[A-Za-z0-9_]+$`."""


def is_name(text: str) -> bool:
    return text.isascii() and text.replace("_", "a").isalnum()


def text(key: Key) -> str:
    return "/".join(key)
