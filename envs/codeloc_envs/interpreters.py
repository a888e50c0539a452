"""The Pythons of this machine, asked once and remembered by identity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from codeloc_envs.interpreter import FileIdentity, Interpreter, python_of
from codeloc_envs.json_file import read_json, write_json
from codeloc_envs.places import SEARCHED, candidates
from codeloc_envs.probe import ask
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.specification import PythonWish
from codeloc_envs.specifier import is_path, newest, satisfies

OLDEST = (3, 8)
"""What a runner still runs on; older ones are not offered."""


class NotAskedYetError(Exception):
    """An answer needs a process to be started, and the caller wants none."""


class Interpreters:
    """Finds Pythons. Answers are kept in the file `cache`, by path and identity.

    With `ask=False` a method starts no process: it raises NotAskedYetError instead.
    """

    def __init__(
        self,
        cache: Path,
        places: Callable[[], Iterable[Path]] | None = None,
        *,
        fetched: Path | None = None,
    ) -> None:
        """`fetched`: a folder of further Pythons."""
        self._cache = cache
        self._places = places or (lambda: candidates(os.environ, Path.home(), fetched))
        self._known: dict[str, Any] = read_json(cache) or {}
        self._changed = False

    def every(self, *, ask: bool = True) -> tuple[Interpreter, ...]:
        """All that are old enough and no virtual environments, each binary once."""
        found: dict[str, Interpreter] = {}
        for path in self._places():
            python = None if _is_virtual(path) else self._look(path, ask)
            if python and python.version[:2] >= OLDEST:
                found.setdefault(python.identity.realpath, python)
        self._save()
        return tuple(found.values())

    def at(self, executable: Path, *, ask: bool = True) -> Interpreter | None:
        """The Python at that very path, None if there is none."""
        python = self._look(executable, ask)
        self._save()
        return python

    def find(self, wish: PythonWish, *, ask: bool = True) -> Interpreter:
        """The newest that fits; raises EnvironmentProblem with what was asked and what there is."""
        if wish.asked and is_path(wish.asked):
            python = self._named(wish, Path(wish.asked).expanduser(), ask)
        else:
            pythons = self.every(ask=ask)
            found = newest(pythons, wish.asked or wish.requires)
            if found is None:
                raise EnvironmentProblem(_not_found(wish, pythons))
            python = found
        if wish.requires and not satisfies(python.text, wish.requires):
            raise EnvironmentProblem(_excluded(wish, python))
        return python

    def _named(self, wish: PythonWish, path: Path, ask: bool) -> Interpreter:
        executable = (python_of(path) or path) if os.path.isdir(path) else path
        python = self.at(executable, ask=ask)
        if python is None:
            raise EnvironmentProblem(
                f"{executable}{_by(wish.asked_by)} is no Python that runs; "
                "name an interpreter, or a version"
            )
        return python

    def _look(self, path: Path, may_ask: bool) -> Interpreter | None:
        try:
            identity = FileIdentity.of(path).to_json()
        except OSError:
            return None
        kept = self._known.get(str(path))
        if kept is None or kept["identity"] != identity:
            if not may_ask:
                raise NotAskedYetError(path)
            python = ask(path)
            kept = {"identity": identity, "python": python and python.to_json()}
            self._known[str(path)] = kept
            self._changed = True
        return Interpreter.from_json(kept["python"]) if kept["python"] else None

    def _save(self) -> None:
        """Two savers at once lose an answer, which is then asked for again."""
        if self._changed:
            write_json(self._cache, self._known)
            self._changed = False


def _is_virtual(python: Path) -> bool:
    return python.parent.with_name("pyvenv.cfg").exists()


def _by(source: str) -> str:
    return f" ({source})" if source else ""


def _not_found(wish: PythonWish, pythons: Iterable[Interpreter]) -> str:
    asked = (
        f"{wish.asked}{_by(wish.asked_by)}"
        if wish.asked
        else f"{wish.requires}{_by(wish.required_by)}"
    )
    there = ", ".join(_labels(pythons)) or "none"
    return (
        f"python {asked} not found; there is: {there} (looked in {SEARCHED}); "
        'install it, or set python = "..." to one of these'
    )


def _labels(pythons: Iterable[Interpreter]) -> Iterator[str]:
    ordered = sorted(pythons, key=lambda each: each.version, reverse=True)
    return iter(dict.fromkeys(each.label for each in ordered))


def _excluded(wish: PythonWish, python: Interpreter) -> str:
    return (
        f"python {python.label}{_by(wish.asked_by)} is not allowed by "
        f"requires-python {wish.requires}{_by(wish.required_by)}; change one of the two"
    )
