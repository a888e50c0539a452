"""What a specification depends on: the files to watch, and their content for a key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.fingerprint import canonical, digest_bytes
from codeloc_envs.inline import Metadata, read_metadata
from codeloc_envs.local_source import build_files, content_digest
from codeloc_envs.lock import read_lock
from codeloc_envs.pip_settings import pip_settings
from codeloc_envs.pyproject import normalised, read_pyproject
from codeloc_envs.requirement_files import RequirementFile, reached
from codeloc_envs.specification import Kind, Specification
from codeloc_envs.text_file import read_text
from codeloc_envs.workspace import project_files


def described_files(specification: Specification) -> tuple[Path, ...]:
    """The files that describe the environment; raises EnvironmentProblem if one is unreadable."""
    request = specification.request
    match specification.kind:
        case Kind.PACKAGES:
            return tuple(file.path for file in reached(request.requirements))
        case Kind.SCRIPT:
            return (_required(specification.script),)
        case Kind.PROJECT:
            return tuple(build_files(_required(request.project)))
        case Kind.UV_LOCK:
            lock = _required(request.lock)
            return (lock, *build_files(lock.parent), *project_files(lock.parent))
        case Kind.PYLOCK:
            lock = _required(request.lock)
            local = (file for source in read_lock(lock).sources() for file in source.files())
            return (lock, *local)
        case Kind.EXISTING:
            return ()


def gather(specification: Specification, settings: Mapping[str, str]) -> dict[str, Any]:
    """Everything a key depends on but the interpreter, as JSON values.

    `settings` are the installer's. Places count only where content depends on them: two
    checkouts with the same requirements share what they say. Raises EnvironmentProblem.
    """
    return {
        "kind": specification.kind.value,
        "requires": specification.python.requires,
        "extras": sorted({normalised(name) for name in specification.request.extras}),
        "groups": sorted({normalised(name) for name in specification.request.groups}),
        "content": _content(specification),
        "settings": {**settings, **_of_pip(specification)},
        "uv": _uv_settings(specification.directory),
    }


def _of_pip(specification: Specification) -> dict[str, str]:
    """What pip would see, where it is the installer."""
    if specification.request.installation.installer != "pip":
        return {}
    return {"installer": "pip", **pip_settings(os.environ, Path.home())}


def _content(specification: Specification) -> list[Any]:
    directory = str(specification.directory)
    match specification.kind:
        case Kind.PACKAGES:
            return _packages(specification)
        case Kind.SCRIPT:
            metadata = _metadata(specification)
            local = metadata.for_uv or "file:" in metadata.text
            return [metadata.text, directory if local else None]
        case Kind.PYLOCK:
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
    return metadata or Metadata("", None, False)


def _uv_settings(directory: Path) -> list[str]:
    """Digests of uv's own settings, looked up as it does: the folder's, the user's, the system's.

    https://docs.astral.sh/uv/concepts/configuration-files/
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    fixed = [home / "uv/uv.toml", Path("/etc/uv/uv.toml")]
    return [
        *_local_settings(directory),
        *(content_digest(file) for file in fixed if file.is_file()),
    ]


def _local_settings(directory: Path) -> Iterator[str]:
    for folder in (directory, *directory.parents):
        if (folder / "uv.toml").is_file():
            yield content_digest(folder / "uv.toml")
            return
        project = folder / "pyproject.toml"
        settings = read_pyproject(project).tool("uv") if project.is_file() else None
        if settings is not None:
            yield digest_bytes(canonical(settings).encode())
            return


def _required(path: Path | None) -> Path:
    assert path is not None, "the kind of a specification says what it holds"
    return path
