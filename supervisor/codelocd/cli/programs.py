"""Finds the program that a command names, and tells whether it belongs to a location's
environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

HEAD = 1024
"""Bytes of a file that are looked at for the program that runs it; Linux reads 256."""

PYTHON = re.compile(r"(?:python|pypy|graalpy)[0-9.]*t?$")
TRAMPOLINE = re.compile(rb"^'''exec' [\"']?(.+?)[\"']? \"\$0\"", re.MULTILINE)
"""Line two of an installed script whose interpreter is too long, or has a space, for line one:
`distlib/scripts.py` writes it so, and pip and uv do as well."""


@dataclass(frozen=True, slots=True)
class ProgramPlace:
    """Where commands of a location run.

    `prefix` is the environment, None for an interpreter that is used as it is: its folder then
    has programs of the whole machine. `project` is the folder whose scripts are the location's own.
    """

    executable: Path
    prefix: Path | None
    directory: Path
    project: Path
    search: str


def found(word: str, place: ProgramPlace) -> Path | None:
    """The file that `word` names: by its path, else the first of its name on PATH."""
    if "/" in word:
        path = place.directory / word
        return path if path.exists() else None
    folders = [place.directory / folder for folder in place.search.split(os.pathsep)]
    files = [folder / word for folder in folders if word and (folder / word).is_file()]
    runnable = (file for file in files if os.access(file, os.X_OK))
    return next(runnable, files[0] if files else None)


def outsider(path: Path, place: ProgramPlace) -> Path | None:
    """What does not belong to the environment: the file, or the program that runs it; else None.

    Inside is what lies in the environment, wherever its links lead, unless another Python runs
    it; and a script of the project that is run by what lies in the environment.
    """
    runs = _interpreter(path, place)
    if _is_in_environment(path, place):
        is_other = runs is not None and PYTHON.match(runs.name)
        return runs if runs and is_other and not _is_in_environment(runs, place) else None
    if runs is not None and (_is_script_of(path, place) or place.prefix is None):
        return None if _is_in_environment(runs, place) else runs
    return path


def may_be_packaged(path: Path, place: ProgramPlace) -> bool:
    """Whether a Python package may have brought it: Python runs it, or it is a shim of pyenv or
    asdf beside their Pythons, which are scripts of a shell.
    """
    runs = _interpreter(path, place)
    if runs is None:
        return False
    return bool(PYTHON.match(runs.name)) or (path.parent.name == "shims" and _has_python(path))


def _has_python(shim: Path) -> bool:
    return any(PYTHON.match(each.name) for each in shim.parent.glob("python*"))


def _is_in_environment(path: Path, place: ProgramPlace) -> bool:
    """By where it stands: the `python` of an environment is a link to one outside."""
    if place.prefix is None:
        return path.resolve() == place.executable.resolve()
    return path.parent.resolve().is_relative_to(place.prefix.resolve())


def _is_script_of(path: Path, place: ProgramPlace) -> bool:
    return path.resolve().is_relative_to(place.project.resolve())


def _interpreter(path: Path, place: ProgramPlace) -> Path | None:
    """What runs a script by its first line (execve(2)); None for what is no script."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return None
    if not head.startswith(b"#!"):
        return None
    if other := TRAMPOLINE.search(head):
        return Path(os.fsdecode(other[1]))
    words = os.fsdecode(head[2:].split(b"\n")[0]).split()
    if not words:
        return None
    if os.path.basename(words[0]) != "env":
        return place.directory / words[0]
    named = (word for word in words[1:] if word[0] != "-" and "=" not in word)
    name = next(named, "env")
    return found(name, place) or Path(words[0])
