"""The text of an env file to variables.

A parser of our own: python-dotenv skips the lines it does not understand, gives no line
numbers, and makes an unset variable an empty string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from codelocd.config.document import read_text
from codelocd.config.mistakes import ConfigError, Mistake

_ASSIGNMENT = re.compile(
    r"""
    [ \t]* (?: export [ \t]+ )? (?P<name> [A-Za-z_][A-Za-z0-9_]* ) [ \t]* = [ \t]*
    (?: ' (?P<single> [^']* ) '
      | " (?P<double> (?: [^"\\] | \\. )* ) "
      | (?P<plain> (?! (?<=[ \t]) \# ) [^'"\n] [^\n]*? )?
    )
    [ \t]* (?: (?<=[ \t]) \# [^\n]* )? \r? (?: \n | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_SPECIAL = re.compile(rf"\\(?P<escaped>.)|{_REFERENCE.pattern}", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def read(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of an env file; ConfigError. `environ` is for `${NAME}` in it."""
    return parse(str(path), read_text(path), environ)


def parse(source: str, text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables in `text`; the last of equal names counts.

    `NAME=value`, `export NAME=value`, comments, single quotes (as they stand), double quotes
    (with `\\n \\t \\r \\" \\\\ \\$`), both over several lines. `${NAME}` and `${NAME:-default}`
    stand for an earlier variable of the file or of `environ`, except in single quotes.
    Raises ConfigError with every line that is none of these.
    """
    variables: dict[str, str] = {}
    mistakes: list[Mistake] = []
    position = 0
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        if empty := _EMPTY.match(text, position):
            position = empty.end()
        elif match := _ASSIGNMENT.match(text, position):
            position = match.end()
            try:
                variables[match["name"]] = _value(match, {**environ, **variables})
            except KeyError as unset:
                mistakes.append(_unset(source, line, match["name"], str(unset.args[0])))
        else:
            position = _next_line(text, position)
            what = "is no assignment"
            mistakes.append(Mistake(source, line, (), what, 'write NAME=value or NAME="value"'))
    if mistakes:
        raise ConfigError(mistakes)
    return variables


def _value(match: re.Match[str], known: Mapping[str, str]) -> str:
    """The value of an assignment; KeyError with the name that is not set."""

    def special(found: re.Match[str]) -> str:
        escaped = found["escaped"]
        if escaped is None:
            return _referred(known)(found)
        return _ESCAPES.get(escaped, escaped if escaped in '"\\$' else f"\\{escaped}")

    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return _SPECIAL.sub(special, match["double"])
    return _REFERENCE.sub(_referred(known), match["plain"] or "")


def _referred(known: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def value(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        return known[name] if default is None else known.get(name) or default

    return value


def _unset(source: str, line: int, name: str, unset: str) -> Mistake:
    what = f"refers to {unset}, which is not set"
    return Mistake(source, line, (name,), what, f"set {unset}, or write ${{{unset}:-}}")


def _next_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1
