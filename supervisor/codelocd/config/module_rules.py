"""What a module and an attribute may be called, and whether a module is there."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator
from pathlib import Path

from codeloc_envs import Specification
from codeloc_envs.request import EnvironmentKind
from codelocd.config.errors import KeyPath, Mistake, nearest
from codelocd.model import LocationSpec, Target

Say = Callable[[KeyPath, str, str], Mistake]


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
