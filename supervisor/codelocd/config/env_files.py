"""Reads the env files that a config names into variables."""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from codelocd.config.discovery import check_found
from codelocd.config.document import Document, read_text
from codelocd.config.errors import ConfigError, KeyPath, Mistake, gathered
from codelocd.config.variables import LONGEST, MOST, are_too_many, is_too_long

EnvFiles = Mapping[Path, Mapping[str, str]]
"""By absolute path, what each file adds to the daemon's variables; the last one wins."""

NAME = ".env"
"""The file that Dagster's commands read unasked."""


def read(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a file adds: it never overrides a variable that is really set; ConfigError."""
    variables = read_dotenv(path, environ)
    return {name: value for name, value in variables.items() if name not in environ}


def read_named(
    document: Document, named: Iterable[tuple[KeyPath, str]], environ: Mapping[str, str]
) -> EnvFiles:
    """The files that the document names, each at a key; ConfigError with what is wrong in all."""
    places = {document.absolute(text): key for key, text in named}

    def entry(path: Path) -> tuple[Path, Mapping[str, str]]:
        if not os.path.isfile(path):
            what, remedy = f"no such file: {path}", "create it or remove the key"
            if os.path.isdir(path):
                what, remedy = f"is a folder: {path}", "name a file in it, or remove the key"
            mistake = document.mistake(places[path], what, remedy)
            raise ConfigError([replace(mistake, absent=path)])
        return path, read(path, environ)

    return dict(gathered(partial(entry, path) for path in places))


def joined(files: EnvFiles) -> dict[str, str]:
    """What all of them add together."""
    return {name: value for file in files.values() for name, value in file.items()}


def looked_for(folder: Path) -> tuple[Path, ...]:
    """Where `beside` looks."""
    return (folder / NAME,)


def beside(folder: Path, environ: Mapping[str, str]) -> EnvFiles:
    """The `.env` in a folder, where there is one; ConfigError.

    The folder is one whose code runs: its owner is trusted, others who can write there are not.
    """
    path = folder / NAME
    if not os.path.isfile(path):
        return {}
    check_found(path, environ, [os.stat(folder).st_uid])
    return {path: read(path, environ)}


_DEPTH = 20
"""Of defaults within defaults."""

_SPACE = r"[^\S\r\n]*"
_ASSIGNMENT = re.compile(
    rf"""
    {_SPACE} (?: export [^\S\r\n]+ (?! = ) )?
    (?: ' (?P<quoted> [^']+ ) ' | (?P<name> [^=\#\s'] [^=\#\s]* ) )
    (?: {_SPACE} = {_SPACE}
        (?: ' (?P<single> (?: \\. | [^'\\] )* ) ' {_SPACE} (?: \# [^\r\n]* )?
          | " (?P<double> (?: \\. | [^"\\] )* ) " {_SPACE} (?: \# [^\r\n]* )?
          | (?P<plain> (?! (?<=[^\S\r\n]) \# ) [^'"\s] [^\r\n]*? )?
            {_SPACE} (?: (?<=\s) \# [^\r\n]* )?
        )
      | {_SPACE} (?P<bare> (?: \# [^\r\n]* )? )
    )
    {_SPACE} (?: \r\n | \n | \r | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_EMPTY = re.compile(rf"{_SPACE}(?:\#[^\r\n]*)?(?:\r\n|\n|\r|\Z)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_NEWLINE = re.compile(r"\r\n|\n|\r")
_TOKEN = re.compile(r"\\(?P<escaped>.)|(?P<open>\$\{)|(?P<close>\})", re.DOTALL)
_PLAIN_TOKEN = re.compile(r"(?P<escaped>(?!))|(?P<open>\$\{)|(?P<close>\})")
"""Without quotes a backslash stands for itself."""
_REFERENCE = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_.]*)(?:(?P<form>:?[-+])(?P<other>.*))?", re.DOTALL
)
_ESCAPES = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


class _Wrong(Exception):
    """What is wrong with a value, and what to do about it."""


def read_dotenv(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of an env file; ConfigError. `environ` is for `${NAME}` in it."""
    return parse(str(path), read_text(path), environ)


def parse(source: str, text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables in `text`; the last of equal names counts, and a name alone is none.

    `NAME=value`, `export NAME=value`, comments, single quotes (as they stand, but for `\\'` and
    `\\\\`), double quotes (with `\\n`, `\\"`, `\\$` and the like), both over several lines. Except
    in single quotes, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}` and
    `${NAME+other}` mean what they mean in a shell, of earlier variables of the file and of
    `environ`. Raises ConfigError with every line that is none of these.
    """
    variables: dict[str, str] = {}
    known = ChainMap(variables, dict(environ))
    mistakes: list[Mistake] = []
    position, line, size = 0, 1, 0
    while position < len(text) and size <= MOST:
        start = position
        if match := _EMPTY.match(text, position):
            position = match.end()
        elif match := _ASSIGNMENT.match(text, position):
            position = match.end()
            name = match["quoted"] or match["name"]
            try:
                if match["bare"] is None:
                    variables[name] = _checked(name, _value(match, known))
                    size += len(variables[name])
                else:
                    variables.pop(name, None)
            except _Wrong as wrong:
                what, remedy = wrong.args
                mistakes.append(Mistake(source, line, (name,), what, remedy))
        else:
            rest = _LINE.match(text, position)
            position = rest.end() if rest else len(text)
            what = "is no assignment"
            mistakes.append(Mistake(source, line, (), what, 'write NAME=value or NAME="value"'))
        line += len(_NEWLINE.findall(text, start, position))
    if not mistakes and (size > MOST or are_too_many(variables)):
        what = f"has more variables than a process can have ({MOST} bytes)"
        mistakes.append(Mistake(source, None, (), what, "put the long ones into files"))
    if mistakes:
        raise ConfigError(mistakes)
    return variables


def _checked(name: str, value: str) -> str:
    """What a process can have; _Wrong."""
    if "\0" in name or "\0" in value:
        raise _Wrong("holds a NUL, which no variable can", "take it out")
    if is_too_long(name, value):
        raise _Wrong(f"is longer than a process can have ({LONGEST} bytes)", "put it into a file")
    return value


def _value(match: re.Match[str], known: Mapping[str, str]) -> str:
    """The value of an assignment; _Wrong."""
    if match["single"] is not None:
        return re.sub(r"\\([\\'])", r"\1", match["single"])
    if match["double"] is not None:
        return _expanded(match["double"], known, escapes=True)
    return _expanded(match["plain"] or "", known, escapes=False)


def _expanded(text: str, known: Mapping[str, str], *, escapes: bool, depth: int = 0) -> str:
    """With its references replaced; _Wrong, also when that makes it too long."""
    if depth > _DEPTH:
        raise _Wrong("has defaults within defaults too deeply", "write it more simply")
    made: list[str] = []
    size = 0
    for piece, inner in _pieces(text, escapes=escapes):
        part = piece if inner is None else _referred(inner, known, escapes, depth)
        size += len(part)
        if size >= LONGEST:
            raise _Wrong(
                f"is longer than a process can have ({LONGEST} bytes)", "refer to less in it"
            )
        made.append(part)
    return "".join(made)


def _pieces(text: str, *, escapes: bool) -> Iterator[tuple[str, str | None]]:
    """Each text as it stands, and each reference by what is in its braces; _Wrong.

    A `${` that nothing ends stands for itself, unless a reference follows that would, too.
    """
    plain = position = 0
    begun: list[int] = []
    holds_others = False
    for token in (_TOKEN if escapes else _PLAIN_TOKEN).finditer(text):
        if token["escaped"] is not None:
            if not begun:
                yield text[plain : token.start()], None
                yield _unescaped(token["escaped"]), None
                plain = token.end()
        elif token["open"]:
            begun.append(token.end())
        elif begun:
            position = begun.pop()
            holds_others = bool(begun)
            if not begun:
                yield text[plain : position - 2], None
                yield "", text[position : token.start()]
                plain = token.end()
    if begun and holds_others:
        raise _Wrong("has a ${ that no } ends", "write ${NAME}, or single quotes around the value")
    yield text[plain:], None


def _unescaped(character: str) -> str:
    kept = character if character in "\\'\"$" else f"\\{character}"
    return _ESCAPES.get(character, kept)


def _referred(inner: str, known: Mapping[str, str], escapes: bool, depth: int) -> str:
    """What `${inner}` stands for; _Wrong. A name may have a dash, if there is one of it."""
    if inner in known:
        return known[inner]
    found = _REFERENCE.fullmatch(inner)
    if found is None:
        raise _Wrong(
            f"has ${{{inner}}}, which is no reference",
            "write ${NAME} or ${NAME:-default}, or single quotes around what stands for itself",
        )
    name, form, other = found["name"], found["form"], found["other"]
    if form is None:
        raise _Wrong(f"refers to {name}, which is not set", f"set {name}, or write ${{{name}:-}}")
    counts = bool(known.get(name)) if form.startswith(":") else name in known
    if form.endswith("-") == counts:
        return known[name] if counts else ""
    return _expanded(other, known, escapes=escapes, depth=depth + 1)
