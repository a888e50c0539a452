"""A ready environment: one of the store's, or one that the user made, which is only read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from codeloc_envs.files import read_text, seen_text
from codeloc_envs.interpreter import python_of
from codeloc_envs.problem import EnvironmentProblem

Origin = Literal["built", "reused", "existing"]
Flavour = Literal["virtualenv", "conda", "interpreter"]


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter with everything that was asked for.

    `path` is its prefix, None for a plain interpreter. `python` is the version, `3.12.1`.
    `existing` ones belong to the user: they are read, never written; `has_bytecode` says
    that compiled files stand in theirs, so that nothing need be compiled elsewhere, and
    `activation` is what the scripts of a conda prefix set. `sources` are the files of local
    packages that were installed into it: a change of one means another environment, like a change
    of `Choice.inputs`.
    """

    key: str
    path: Path | None
    python: str
    executable: Path
    origin: Origin
    flavour: Flavour = "virtualenv"
    has_bytecode: bool = False
    activation: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """What activation sets, besides `executable.parent` as the first entry of PATH."""
        own = {"VIRTUAL_ENV": str(self.path)} if self.flavour == "virtualenv" else {}
        return {**own, **self.activation}

    @property
    def lease_name(self) -> str:
        """Under what its leases are held."""
        built = self.origin != "existing" and self.path is not None
        return self.path.name if built and self.path else self.key

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "path": str(self.path) if self.path else None,
            "python": self.python,
            "executable": str(self.executable),
            "origin": self.origin,
            "flavour": self.flavour,
            "has_bytecode": self.has_bytecode,
            "activation": dict(self.activation),
            "sources": [str(source) for source in self.sources],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Environment:
        path = Path(data["path"]) if data["path"] else None
        sources = tuple(map(Path, data["sources"]))
        known = {"path": path, "executable": Path(data["executable"]), "sources": sources}
        return cls(**{**data, **known})


@dataclass(frozen=True, slots=True)
class Existing:
    """What stands at a path: `prefix` is None for a plain interpreter.

    `files` say what it is; a change of one of them makes it another environment.
    """

    executable: Path
    prefix: Path | None
    flavour: Flavour
    files: tuple[Path, ...]

    @property
    def stated_version(self) -> str | None:
        """Its Python's version by its own `pyvenv.cfg`, None where none is written."""
        said = self.settings
        version = said.get("version_info") or said.get("version")
        return ".".join(version.split(".")[:3]) if version else None

    @property
    def settings(self) -> Mapping[str, str]:
        """Its `pyvenv.cfg`."""
        if self.flavour != "virtualenv" or self.prefix is None:
            return {}
        text = seen_text(self.prefix / "pyvenv.cfg") or ""
        pairs = (line.partition("=") for line in text.splitlines())
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    @property
    def has_bytecode(self) -> bool:
        """Compiled files stand in it: its own, or those of the Python it is."""
        root = self.prefix or self.executable.resolve().parent.parent
        return any(
            os.path.isdir(package / "__pycache__")
            for site in root.glob("lib*/python3*/site-packages")
            for package in [site, *site.iterdir()]
        )


def inspect(path: Path) -> Existing | None:
    """What stands at `path`; None if it is missing or a folder that is no environment.

    Takes a virtual environment or a conda prefix (a folder), a file that names one (PEP 832:
    https://peps.python.org/pep-0832/), or an interpreter. Raises EnvironmentProblem for a
    broken one: it was meant, so nothing else may take its place.
    """
    if os.path.isdir(path):
        return _folder(path)
    if not os.path.exists(path):
        return None
    if os.access(path, os.X_OK) and "py" in path.name:
        return _interpreter(path)
    return _redirect(path)


def require(path: Path, source: str) -> Existing:
    """As `inspect`, where nothing there is a problem too."""
    found = inspect(path)
    if found is None:
        state = "is no environment" if os.path.exists(path) else "does not exist"
        raise EnvironmentProblem(
            f"the environment {path} ({source}) {state}; "
            "create it, or name an environment's folder or an interpreter",
            inputs=(path,),
        )
    return found


def environment_files(path: Path) -> Iterator[Path]:
    """What makes the folder `path` an environment, there or not."""
    yield from (path, path / "pyvenv.cfg", path / "conda-meta/history")


def _folder(path: Path) -> Existing | None:
    virtual = os.path.isfile(path / "pyvenv.cfg")
    executable = python_of(path)
    if executable is None and not virtual:
        return None
    if executable is None or not os.path.exists(executable):
        gone = f" ({executable.readlink()} is gone)" if executable else ""
        raise EnvironmentProblem(
            f"the environment {path} has no Python that runs{gone}; create it again",
            inputs=(*environment_files(path), executable or path / "bin/python"),
        )
    if virtual:
        return Existing(executable, path, "virtualenv", (path / "pyvenv.cfg",))
    if os.path.isdir(path / "conda-meta"):
        scripts = sorted(path.glob("etc/conda/activate.d/*.sh"))
        files = (path / "conda-meta/history", path / "conda-meta/state", *scripts)
        return Existing(executable, path, "conda", files)
    return Existing(executable, None, "interpreter", ())


def _interpreter(executable: Path) -> Existing:
    """An interpreter in the `bin` of an environment means that environment."""
    prefix = executable.parent.parent
    if executable.parent.name == "bin" and (
        os.path.isfile(prefix / "pyvenv.cfg") or os.path.isdir(prefix / "conda-meta")
    ):
        found = _folder(prefix)
        if found is not None:
            return found
    return Existing(executable, None, "interpreter", ())


def _redirect(file: Path) -> Existing:
    named = read_text(file, "environment file").strip()
    target = Path(os.path.normpath(file.parent / named))
    found = _folder(target) if named and "\n" not in named and os.path.isdir(target) else None
    if found is None:
        raise EnvironmentProblem(
            f"{file} should name an environment's folder in one line, "
            f'and names "{named.splitlines()[0] if named else ""}"',
            inputs=(file,),
        )
    return Existing(found.executable, found.prefix, found.flavour, (file, *found.files))
