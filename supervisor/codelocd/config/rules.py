"""Checks what a config says of modules and environments, and whether the files that it names
exist."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from codeloc_envs import EnvironmentProblem, Specification
from codeloc_envs.environment import require
from codeloc_envs.interpreter import Interpreter, newest
from codeloc_envs.project.requirement_files import logical_lines, walked
from codeloc_envs.request import EnvironmentKind
from codelocd.config.errors import KeyPath, Mistake, nearest
from codelocd.config.location import Raw
from codelocd.model import LocationSpec, Target

Say: TypeAlias = Callable[[KeyPath, str, str], Mistake]


def unfit_module(key: KeyPath, name: str, say: Say) -> Iterator[Mistake]:
    """A name that no `import` statement can have."""
    if name.endswith(".py") or "/" in name:
        yield say(key, f"{name!r} is a path, not a module's name", "write it as python_file")
    elif not _is_dotted(name):
        yield say(key, f"{name!r} is not a module's name", "write it as in an import: sales.defs")


def unfit_attribute(key: KeyPath, name: str, say: Say) -> Iterator[Mistake]:
    if not _is_dotted(name):
        yield say(key, f"{name!r} is not a name in Python", "write the variable's name: defs")


def missing_part(key: KeyPath, name: str, directory: Path, say: Say) -> Iterator[Mistake]:
    """A module that a package of the location's own folder does not have.

    A folder without __init__.py may go on elsewhere (PEP 420).
    """
    first, *rest = name.split(".") if _is_dotted(name) and not name.endswith(".py") else [""]
    root = _root(directory, first)
    if root is None:
        return
    folder = root / first
    for part in rest:
        if not _module(folder, part):
            if (folder / "__init__.py").is_file() or not folder.is_dir():
                what = f"there is no module {part} in {folder}"
                yield say(key, what, nearest(part, sorted(_names(folder))))
            return
        folder /= part


def missing_module(spec: LocationSpec, environment: Specification, say: Say) -> Iterator[Mistake]:
    """A module that is in neither the location's folders nor an environment without packages."""
    assert isinstance(spec.target, Target)
    name, directory, request = spec.target.value, spec.working_directory, environment.request
    first = name.partition(".")[0]
    has_packages = bool(request.packages or request.requirements)
    if environment.kind is not EnvironmentKind.PACKAGES or has_packages:
        return
    if _is_dotted(name) and _root(directory, first) is None:
        there = {name for folder in _folders(directory) for name in _names(folder)}
        what = f"there is no module {first} in {directory}, and its environment has no packages"
        remedy = nearest(first, sorted(there)) if there else "correct working_directory"
        yield say((spec.target.kind,), what, remedy)


def _root(directory: Path, first: str) -> Path | None:
    """The folder from which the first part of a dotted name is imported."""
    return next((f for f in _folders(directory) if first and _module(f, first)), None)


def _folders(directory: Path) -> tuple[Path, Path]:
    return directory, directory / "src"


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))


def _module(folder: Path, name: str) -> bool:
    """By any suffix that an extension module may have, too."""
    return (folder / name).is_dir() or any(folder.glob(f"{name}.*"))


def _names(folder: Path) -> set[str]:
    found = folder.iterdir() if folder.is_dir() else iter(())
    return {
        each.stem
        for each in found
        if each.stem.isidentifier() and (each.suffix == ".py" or (each / "__init__.py").is_file())
    }


Pythons: TypeAlias = Callable[[], tuple[Interpreter, ...]]
"""Those of this machine."""

_OPTIONS = re.compile(r"\s--?[a-z].*$")
"""pip's options behind a requirement, such as --hash."""
_ELSEWHERE = re.compile(r"://|[/\\]|\$\{")
"""What is no requirement of PEP 508 and may still be one: a URL, a path, a variable."""


def broken_environment(
    table: Raw, absolute: Callable[[str], Path], say: Say, pythons: Pythons
) -> Iterator[Mistake]:
    """What the table names and that cannot be; paths by `absolute`."""
    if python := _text(table, "python"):
        is_downloaded = table.get("allow_python_download") is True
        yield from _python(python, absolute, say, pythons, is_downloaded=is_downloaded)
    for index, package in enumerate(_texts(table, "packages")):
        yield from _package(("packages", index), package, say)
    for index, file in enumerate(_texts(table, "requirements")):
        yield from _requirements(("requirements", index), absolute(file), say)
    if project := _text(table, "project"):
        yield from _project(absolute(project), say)
    if lock := _text(table, "lock"):
        yield from _missing_file(("lock",), absolute(lock), say)
    if path := _text(table, "path"):
        try:
            require(absolute(path), "asked for")
        except EnvironmentProblem as problem:
            yield _said(say, ("path",), problem)


def broken_index(table: Raw, absolute: Callable[[str], Path], say: Say) -> Iterator[Mistake]:
    """Addresses that are none, and files that are missing."""
    if url := _text(table, "url"):
        yield from _address(("url",), url, say)
    for index, url in enumerate(_texts(table, "extra")):
        yield from _address(("extra", index), url, say)
    for index, link in enumerate(_texts(table, "find_links")):
        if "://" in link:
            yield from _address(("find_links", index), link, say)
        elif not os.path.exists(absolute(link)):
            what = f"no such file or folder: {absolute(link)}"
            yield say(("find_links", index), what, "create it, or correct the path")
    if certificate := _text(table, "certificate"):
        yield from _missing_file(("certificate",), absolute(certificate), say)


def _python(
    asked: str,
    absolute: Callable[[str], Path],
    say: Say,
    pythons: Pythons,
    *,
    is_downloaded: bool,
) -> Iterator[Mistake]:
    if "/" in asked:
        try:
            require(absolute(asked), "asked for")
        except EnvironmentProblem as problem:
            yield _said(say, ("python",), problem)
        return
    try:
        newest((), asked)
    except EnvironmentProblem as problem:
        yield _said(say, ("python",), problem)
        return
    there = pythons()
    if newest(there, asked) is None and not is_downloaded:
        known = ", ".join(sorted({each.label for each in there})) or "none"
        what = f"no Python here fits {asked}; there is: {known}"
        remedy = "install it, name another, or set allow_python_download = true"
        yield say(("python",), what, remedy)


def _package(key: KeyPath, text: str, say: Say) -> Iterator[Mistake]:
    if text.startswith(("-", ".")):
        remedy = "write `name @ file:///path`, or put it in a requirements file"
        yield say(key, f"{text!r} is no requirement", remedy)
    elif reason := _unfit(text):
        yield say(key, f"{text!r} is no requirement: {reason}", "write it as pip takes it")


def _unfit(text: str) -> str | None:
    """Why a text is no requirement (PEP 508); None where it is, or may be one for uv and pip."""
    if _ELSEWHERE.search(text):
        return None
    try:
        Requirement(_OPTIONS.sub("", text))
    except InvalidRequirement as error:
        return str(error).partition("\n")[0].strip()
    return None


def _requirements(key: KeyPath, path: Path, say: Say) -> Iterator[Mistake]:
    if os.path.isdir(path):
        yield say(key, f"is a folder: {path}", "name a requirements file")
        return
    for _, file in walked([path]):
        if isinstance(file, EnvironmentProblem):
            yield _said(say, key, file)
            continue
        for number, line in logical_lines(file.text):
            reason = None if line.startswith(("-", ".")) else _unfit(line)
            if reason:
                what = f"{line!r} is no requirement: {reason}"
                yield Mistake(str(file.path), number, (), what, "write it as pip takes it")


def _project(folder: Path, say: Say) -> Iterator[Mistake]:
    if os.path.isfile(folder):
        remedy = "name its folder"
        yield say(("project",), f"is a file: {folder}", remedy)
    elif not os.path.isdir(folder):
        yield say(("project",), f"no such folder: {folder}", "create it, or correct the path")


def _missing_file(key: KeyPath, path: Path, say: Say) -> Iterator[Mistake]:
    if os.path.isdir(path):
        yield say(key, f"is a folder: {path}", "name a file")
    elif not os.path.exists(path):
        yield say(key, f"no such file: {path}", "create it, or correct the path")


def _address(key: KeyPath, url: str, say: Say) -> Iterator[Mistake]:
    try:
        parts = urlsplit(url)
        fits = bool(parts.netloc) and parts.port != 0
    except ValueError:
        fits = False
    else:
        fits = (parts.scheme in ("http", "https") and fits) or parts.scheme == "file"
    if not fits:
        what = "is no address of an index"
        yield say(key, what, "write it as https://HOST/PATH, or file:///FOLDER")


def _said(say: Say, key: KeyPath, problem: EnvironmentProblem) -> Mistake:
    what, _, remedy = problem.summary.partition("; ")
    return say(key, what, remedy or "correct it")


def _text(table: Raw, key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) and value else None


def _texts(table: Mapping[str, object], key: str) -> list[str]:
    value = table.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
