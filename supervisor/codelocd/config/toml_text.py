"""TOML text to a document that knows its lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from codelocd.config.discovery import PYPROJECT
from codelocd.config.document import Document
from codelocd.config.errors import ConfigError, KeyPath, Mistake

_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


def parse(path: Path, text: str) -> Document:
    """The document; ConfigError with the parser's own words and line.

    What other tools write into a pyproject.toml is theirs: of that only the table that is used
    is looked at further.
    """
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError([_syntax(path, str(error), text)]) from None
    except RecursionError:
        raise ConfigError(
            [Mistake(str(path), None, (), "is nested too deeply", "flatten it")]
        ) from None
    document = Document(path, data, _Lines(text).line_of)
    if path.name != PYPROJECT:
        document.check_texts()
    return document


def _syntax(path: Path, message: str, text: str) -> Mistake:
    position = _POSITION.search(message)
    at = position["line"] if position else None
    line = int(at) if at else len(text.splitlines()) or None
    what = f"is not valid TOML: {_POSITION.sub('', message)}"
    return Mistake(str(path), line, (), what, "correct the syntax there")


class _Lines:
    """Finds the line of a key with nothing but the parser, which gives none.

    The first lines of a file that hold whole statements are TOML themselves, so a key
    stands in the statement that ends where these lines first know it.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)
        self._parsed = cache(self._parse)

    def line_of(self, key: KeyPath) -> int | None:
        whole = tomllib.loads("".join(self._lines))
        while key and not _knows(whole, key):
            key = key[:-1]
        return self._first_line(key) if key else None

    def _first_line(self, key: KeyPath) -> int:
        unknown, known = 0, len(self._lines)
        while known - unknown > 1:
            middle = (unknown + known) // 2
            if _knows(self._until(middle), key):
                known = middle
            else:
                unknown = middle
        return self._statement_end(known - 1) + 1

    def _until(self, count: int) -> Mapping[str, Any]:
        """What the whole statements within the first `count` lines say."""
        return self._parsed(self._statement_end(count)) or {}

    def _statement_end(self, count: int) -> int:
        while self._parsed(count) is None:
            count -= 1
        return count

    def _parse(self, count: int) -> Mapping[str, Any] | None:
        try:
            return tomllib.loads("".join(self._lines[:count]))
        except ValueError:
            return None


def _knows(data: Any, key: KeyPath) -> bool:
    for part in key:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
