"""Finds what a specification depends on: the files to watch, and their content for a key."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from codeloc_envs.files import read_text, seen_bytes
from codeloc_envs.fingerprint import canonical, digest_bytes
from codeloc_envs.install.pip_settings import files_named_for_pip, options_that_count, pip_files
from codeloc_envs.install.uv_settings import (
    begin_of_uv_settings,
    files_named_for_uv,
    fixed_uv_files,
    uv_files,
)
from codeloc_envs.project.hashes import named_hashes
from codeloc_envs.project.pylock import BUILD_FILES, build_files, content_digest, read_lock
from codeloc_envs.project.pyproject import seen_pyproject
from codeloc_envs.project.requirement_files import RequirementFile, reached, reached_where_there
from codeloc_envs.project.script import Metadata, read_metadata
from codeloc_envs.project.workspace import members, project_files
from codeloc_envs.request import EnvironmentKind, Specification


def described_files(specification: Specification) -> tuple[Path, ...]:
    """The files that describe the environment; raises EnvironmentProblem if one is unreadable."""
    request = specification.request
    match specification.kind:
        case EnvironmentKind.PACKAGES:
            return tuple(file.path for file in reached(request.requirements))
        case EnvironmentKind.SCRIPT:
            return (_required(specification.script),)
        case EnvironmentKind.PROJECT:
            return tuple(build_files(_required(request.project)))
        case EnvironmentKind.UV_LOCK:
            lock = _required(request.lock)
            return (lock, *build_files(lock.parent), *project_files(lock.parent))
        case EnvironmentKind.PYLOCK:
            lock = _required(request.lock)
            local = (file for source in read_lock(lock).sources() for file in source.files())
            return (lock, *local)
        case EnvironmentKind.PIPENV:
            return (_required(request.lock),)
        case EnvironmentKind.EXISTING:
            return ()


def built_folders(specification: Specification) -> Iterator[Path]:
    """The folders on this machine whose packages are asked for by the description itself.

    To resolve, they are built: nothing less tells what they need.
    """
    request, directory = specification.request, specification.directory
    if request.project is not None:
        yield request.project
    if specification.kind is EnvironmentKind.UV_LOCK:
        yield from (directory, *members(directory))
    for file in reached(request.requirements) if request.requirements else ():
        yield from file.local_paths
    project = seen_pyproject(directory / "pyproject.toml")
    uv = project.tool("uv") if project is not None else None
    for source in ((uv or {}).get("sources") or {}).values():
        if isinstance(source, Mapping) and isinstance(source.get("path"), str):
            yield Path(os.path.normpath(directory / source["path"]))


def looked_for(specification: Specification) -> Iterator[Path]:
    """The files that would describe it too, if they were there."""
    match specification.kind:
        case EnvironmentKind.PROJECT | EnvironmentKind.UV_LOCK:
            yield from (specification.directory / name for name in BUILD_FILES)


def settings_files(specification: Specification, reach: Iterable[Path]) -> tuple[Path, ...]:
    """The files of the installer's settings, and those that they name, there or not.

    `reach`: as far up as the project may reach, whose folders uv looks in.
    Above the project, where uv looks too, lie folders like /tmp: too busy to be watched.
    """
    if specification.kind is EnvironmentKind.EXISTING:
        return ()
    directory, home = specification.directory, Path.home()
    named = _named_by_settings(specification)
    of_pip = pip_files(os.environ, home)
    found = (*uv_files(os.environ, home, reach), *of_pip, *named)
    return tuple(dict.fromkeys(directory / file for file in found))


def gather(specification: Specification, settings: Mapping[str, str]) -> dict[str, Any]:
    """Everything a key depends on but the interpreter, as JSON values.

    `settings` are the installer's. Places count only where content depends on them: two
    checkouts with the same requirements share what they say. Raises EnvironmentProblem.
    """
    return {
        "kind": specification.kind.value,
        "requires": specification.python.requires,
        "extras": sorted({canonicalize_name(name) for name in specification.request.extras}),
        "groups": sorted({canonicalize_name(name) for name in specification.request.groups}),
        "content": _content(specification),
        "settings": {**settings, **_of_pip(specification)},
        "uv": _uv_settings(specification.directory),
        "named": list(map(_digest_if_there, _named_by_settings(specification))),
        **({"added": sorted(specification.request.added)} if specification.request.added else {}),
        **({"hashes": "kept"} if named_hashes(specification).first else {}),
    }


def _of_pip(specification: Specification) -> dict[str, str]:
    """What pip would see, where it is the installer."""
    if specification.request.installation.installer != "pip":
        return {}
    return {"installer": "pip", **options_that_count(os.environ, Path.home())}


def _named_by_settings(specification: Specification) -> tuple[Path, ...]:
    """What settings name decides by its content, not by its name: constraints, overrides."""
    directory = specification.directory
    if specification.request.installation.installer == "pip":
        named = files_named_for_pip(os.environ, Path.home(), directory)
    else:
        named = files_named_for_uv(os.environ, directory)
    return tuple(reached_where_there(named))


def _digest_if_there(file: Path) -> str | None:
    """The installer itself says best what is wrong with a file that its settings name."""
    data = seen_bytes(file)
    return None if data is None else digest_bytes(data)


def _content(specification: Specification) -> list[Any]:
    directory = str(specification.directory)
    match specification.kind:
        case EnvironmentKind.PACKAGES:
            return _packages(specification)
        case EnvironmentKind.SCRIPT:
            metadata = _metadata(specification)
            local = metadata.for_uv or "file:" in metadata.text
            return [metadata.text, directory if local else None]
        case EnvironmentKind.PYLOCK:
            text = read_text(_required(specification.request.lock), "lock file")
            return [digest_bytes(text.encode()), directory if "path =" in text else None]
        case _:
            files = described_files(specification)
            named = sorted(
                [os.path.relpath(file, directory), content_digest(file)] for file in files
            )
            return [directory, named]


def _packages(specification: Specification) -> list[Any]:
    files = reached(specification.request.requirements)
    directory = specification.directory
    local = any(file.names_local_paths for file in files)
    return [
        sorted({package.strip() for package in specification.request.packages}),
        sorted(
            [os.path.relpath(file.path, directory), digest_bytes(file.text.encode())]
            for file in files
        ),
        str(directory) if local else None,
        _expanded(files),
    ]


def _expanded(files: tuple[RequirementFile, ...]) -> dict[str, str | None]:
    names = {name for file in files for name in file.variables}
    return {name: os.environ.get(name) for name in names}


def _metadata(specification: Specification) -> Metadata:
    metadata = read_metadata(_required(specification.script))
    return metadata or Metadata("", None, False, ())


def _uv_settings(directory: Path) -> list[str]:
    """Digests of uv's own settings, looked up as it does: the folder's, the user's, the system's.

    It passes over a project file that it cannot read.
    https://docs.astral.sh/uv/concepts/configuration-files/
    """
    named, *fixed = fixed_uv_files(os.environ, Path.home())
    if named is not None:
        file = directory / named
        return [content_digest(file)] if file.is_file() else []
    return [
        *_local_settings(directory),
        *(content_digest(file) for file in fixed if file and file.is_file()),
    ]


def _local_settings(directory: Path) -> Iterator[str]:
    begin = begin_of_uv_settings(directory)
    for folder in (begin, *begin.parents):
        if (folder / "uv.toml").is_file():
            yield content_digest(folder / "uv.toml")
            return
        project = seen_pyproject(folder / "pyproject.toml")
        settings = project.tool("uv") if project is not None else None
        if settings is not None:
            yield digest_bytes(canonical(settings).encode())
            return


def _required(path: Path | None) -> Path:
    assert path is not None, "the kind of a specification says what it holds"
    return path
