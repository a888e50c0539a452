"""What a location asks for, and what an environment is made from."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

LinkMode = Literal["hardlink", "clone", "copy"]
InstallerName = Literal["uv", "pip"]


@dataclass(frozen=True, slots=True)
class Index:
    """Where packages come from; an empty one leaves it to what uv and pip are configured with.

    `url` is the index, `extra` further ones that are asked before it (the first that has a
    name gives it), `find_links` folders or pages of files. `certificate` is a bundle of
    certificates. `keyring`: passwords come from the `keyring` program. `credential` names a file
    in `$CREDENTIALS_DIRECTORY` with one line `user:password`, for the host of `url`
    (https://systemd.io/CREDENTIALS/).
    """

    url: str | None = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    certificate: Path | None = None
    keyring: bool = False
    credential: str | None = None

    @property
    def names_places(self) -> bool:
        """It replaces the indexes that uv and pip are configured with."""
        return bool(self.url or self.extra or self.find_links)


ANYWHERE = Index()


@dataclass(frozen=True, slots=True)
class Installation:
    """Where packages come from, and how they are put into an environment.

    How an environment is built, whatever is in it.

    `link_mode`: `copy` for users who edit installed packages; linked files are shared with the
    package cache and other environments. `allow_python_download`: uv may fetch a Python that
    this machine does not have.
    """

    index: Index = ANYWHERE
    link_mode: LinkMode = "hardlink"
    installer: InstallerName = "uv"
    allow_python_download: bool = False

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        certificate = self.index.certificate
        data["index"]["certificate"] = str(certificate) if certificate else None
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Installation:
        index = dict(data["index"])
        certificate = index["certificate"]
        index["certificate"] = Path(certificate) if certificate else None
        lists = {name: tuple(index[name]) for name in ("extra", "find_links")}
        return cls(**{**data, "index": Index(**{**index, **lists})})


ORDINARY = Installation()
"""What holds where nothing is said."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a config or a command line says about an environment; every path absolute.

    At most one of `project`, `lock` and `path` is set; `packages` and `requirements`
    go together and with none of those three. `added` come on top of whatever is described
    elsewhere, for as long as they are asked for. `python` is a version (`3.12`), a
    specifier (`>=3.9,<3.11`) or a path of an interpreter. `installation` holds whatever is
    asked for.
    """

    python: str | None = None
    packages: tuple[str, ...] = ()
    requirements: tuple[Path, ...] = ()
    project: Path | None = None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    lock: Path | None = None
    path: Path | None = None
    added: tuple[str, ...] = ()
    installation: Installation = ORDINARY

    def to_json(self) -> dict[str, Any]:
        plain = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        return {**plain, "installation": self.installation.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Request:
        return cls(
            python=data["python"],
            packages=tuple(data["packages"]),
            requirements=tuple(Path(file) for file in data["requirements"]),
            project=_path(data["project"]),
            extras=tuple(data["extras"]),
            groups=tuple(data["groups"]),
            lock=_path(data["lock"]),
            path=_path(data["path"]),
            added=tuple(data["added"]),
            installation=Installation.from_json(data["installation"]),
        )


class EnvironmentKind(enum.StrEnum):
    """The ways to describe an environment; a bare one is `PACKAGES` without any."""

    PACKAGES = "packages"
    SCRIPT = "script"
    PROJECT = "project"
    UV_LOCK = "uv.lock"
    PYLOCK = "pylock.toml"
    PIPENV = "Pipfile"
    EXISTING = "existing"


@dataclass(frozen=True, slots=True)
class PythonWish:
    """Which interpreter an environment is built with.

    `asked` is a version, a specifier or a path, None for the newest there is; `requires` is a
    `requires-python` that holds besides. `asked_by` and `required_by` say where each stands.
    """

    asked: str | None = None
    asked_by: str = ""
    requires: str | None = None
    required_by: str = ""


@dataclass(frozen=True, slots=True)
class Specification:
    """Everything an environment is made from, as references: files count by content when used.

    `directory` is where relative paths in them start, and uv looks for its own settings.
    `script` is a file with inline script metadata.
    """

    kind: EnvironmentKind
    directory: Path
    request: Request = Request()
    python: PythonWish = field(default_factory=PythonWish)
    script: Path | None = None

    @property
    def text(self) -> str:
        """What describes it, in a few words."""
        request = self.request
        match self.kind:
            case EnvironmentKind.PACKAGES:
                files = (str(file) for file in request.requirements)
                return ", ".join([*request.packages, *files]) or "no packages"
            case EnvironmentKind.SCRIPT:
                return f"inline script metadata in {self.script}"
            case EnvironmentKind.PROJECT:
                return f"the project {request.project}"
            case kind:
                return f"{kind.value}: {request.lock or request.path}"

    def with_added(self, why: str) -> str:
        """`why`, and what was added to it."""
        added = self.request.added
        return f"{why}; with {', '.join(added)}" if added else why

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "directory": str(self.directory),
            "request": self.request.to_json(),
            "python": {each.name: getattr(self.python, each.name) for each in fields(self.python)},
            "script": _plain(self.script),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Specification:
        return cls(
            kind=EnvironmentKind(data["kind"]),
            directory=Path(data["directory"]),
            request=Request.from_json(data["request"]),
            python=PythonWish(**data["python"]),
            script=_path(data["script"]),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _path(text: str | None) -> Path | None:
    return Path(text) if text is not None else None
