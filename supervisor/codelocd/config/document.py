"""A config file that has been parsed, and where in it everything stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codeloc_envs.files import read_bytes
from codeloc_envs.problem import shortage
from codelocd.config.errors import ConfigError, KeyPath, Mistake, dotted
from codelocd.config.variables import LONGEST


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a file, or of the table `root` in it; `notes` on how it was parsed.

    `line_of` gives the line of a key counted from the top of the file, or of the nearest
    table around it, or None. `unfit` are the texts that no process can have: `data` has another
    text in place of each, so that all else can be looked at.
    """

    path: Path
    data: Mapping[str, Any]
    line_of: Callable[[KeyPath], int | None]
    root: KeyPath = ()
    notes: tuple[str, ...] = ()
    unfit: tuple[Mistake, ...] = ()

    @property
    def folder(self) -> Path:
        return self.path.parent

    def checked(self) -> Document:
        """No text of a config reaches a process with a NUL or a half of a character in it, and
        none the disk as a path that no file can have: each that would is in `unfit`.
        """
        texts = list(_texts(self.data, (), set()))
        mistakes = [
            (key, self.mistake(key, f"holds {what}, which no process can have", "take it out"))
            for key, text in texts
            if not (text.isascii() and text.isprintable() and len(text) < LONGEST)
            for what, found in _IMPOSSIBLE
            if found(text)
        ]
        mistakes += [
            (key, self.mistake(key, "is longer than the path of a file can be", "correct the path"))
            for key, text in texts
            if 4 * len(text) > _LONGEST_NAME and _names_a_file(key) and _is_no_path(text)
        ]
        if not mistakes:
            return self
        unfit = tuple(
            replace(mistake, alone=isinstance(_at(self.data, key), str))
            for key, mistake in mistakes
        )
        data = _without_unfit(self.data, (), {key for key, _ in mistakes}, {})
        return replace(self, data=data, unfit=(*self.unfit, *unfit))

    def mistake(self, key: KeyPath, what: str, remedy: str) -> Mistake:
        whole = (*self.root, *key)
        return Mistake(str(self.path), self.line_of(whole), whole, what, remedy)

    def note(self, key: KeyPath) -> str:
        """Says that a key was accepted for nothing."""
        whole = (*self.root, *key)
        return f"{self.path}:{self.line_of(whole)}: {dotted(whole)} has no effect here"

    def passed_over(self, key: KeyPath, what: str, remedy: str) -> str:
        """Says that a key is left out, as its own reader leaves it out."""
        return f"{self.mistake(key, what, 'passed over')}; {remedy}"

    def place(self, key: KeyPath) -> str:
        """Names an entry in messages: `/abs/codelocd.toml [location.sales]`."""
        return f"{self.path} [{dotted((*self.root, *key))}]"

    def absolute(self, text: str) -> Path:
        """A path as the file means it: relative to the file, `~` for the user's folder."""
        return absolute(self.folder, text)

    def table(self, *key: str) -> Document:
        """The table at `key`, empty where there is none; ConfigError if it is no table."""
        data: Any = self.data
        for depth, part in enumerate(key, start=1):
            data = data.get(part, {})
            if not isinstance(data, Mapping):
                raise ConfigError(
                    [self.mistake(key[:depth], "must be a table", "see docs/config.md")]
                )
        return replace(self, data=data, root=(*self.root, *key)).checked()


def _is_half(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _is_long(text: str) -> bool:
    return len(text.encode(errors="surrogatepass")) >= LONGEST


_LONGEST_NAME, _LONGEST_PATH = 255, 4095
"""Bytes of a file's name, and of a path, that Linux takes (NAME_MAX, PATH_MAX less its end)."""
_PATHS = frozenset(
    [
        "python_file",
        "relative_path",
        "working_directory",
        "env_file",
        "requirements",
        "project",
        "lock",
        "path",
        "certificate",
        "find_links",
        "state_dir",
        "store",
        "socket",
        "executable_path",
        "token_file",
        "directory",
    ]
)
"""The keys, in all formats, whose values name files or folders."""


def _names_a_file(key: KeyPath) -> bool:
    names = [part for part in key if isinstance(part, str)]
    return bool(names) and names[-1] in _PATHS and names[-2:-1] != ["env"]


def _is_no_path(text: str) -> bool:
    data = text.encode(errors="surrogatepass")
    return len(data) > _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in data.split(b"/"))


_IMPOSSIBLE = (
    ("a NUL", lambda text: "\0" in text),
    ("half of a character (a lone surrogate)", _is_half),
    (f"more than {LONGEST} bytes", _is_long),
)


def _texts(value: Any, key: KeyPath, seen: set[int]) -> Iterator[tuple[KeyPath, str]]:
    """Every text in it, keys included, with its place."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping | list) and id(value) not in seen:
        seen.add(id(value))  # YAML's aliases may make a ring
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        for part, inner in entries:
            if isinstance(part, str):
                yield key, part
            yield from _texts(inner, (*key, part if isinstance(part, int) else str(part)), seen)


def _at(data: Any, key: KeyPath) -> Any:
    """What stands at a key, None where the key is written otherwise."""
    for part in key:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


_FIT = "unfit"
"""What stands for a text that no process can have."""


def _without_unfit(value: Any, key: KeyPath, unfit: set[KeyPath], made: dict[int, Any]) -> Any:
    """A copy with other texts at the keys of `unfit`, and without unfit keys."""
    if isinstance(value, str):
        return _FIT if key in unfit else value
    if not isinstance(value, Mapping | list) or id(value) in made:
        return made.get(id(value), value)
    copy: Any = {} if isinstance(value, Mapping) else []
    made[id(value)] = copy
    if isinstance(value, list):
        copy += [
            _without_unfit(inner, (*key, index), unfit, made) for index, inner in enumerate(value)
        ]
        return copy
    for part, inner in value.items():
        if not (isinstance(part, str) and any(found(part) for _, found in _IMPOSSIBLE)):
            copy[part] = _without_unfit(inner, (*key, str(part)), unfit, made)
    return copy


def absolute(folder: Path, text: str) -> Path:
    """`text` from the point of view of `folder`, without `..`, links left as they are."""
    return Path(os.path.normpath(folder / os.path.expanduser(text)))


def read_text(path: Path) -> str:
    """The text of a file in UTF-8; ConfigError where it cannot be read, OSError where the machine
    lacks what that takes for now."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        mistake = Mistake(str(path), None, (), "is not text in UTF-8", "save it as UTF-8")
    except OSError as error:
        if shortage(error):
            raise
        reason = f"cannot be read: {error.strerror}"
        mistake = Mistake(str(path), None, (), reason, "name a file that can")
    raise ConfigError([mistake])
