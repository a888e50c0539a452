"""uv workspaces: projects that share one lock, and so one environment.

https://docs.astral.sh/uv/concepts/projects/workspaces/
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from codeloc_envs.files import read_text
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.project.pyproject import read_pyproject


def requires_of(lock: Path) -> str | None:
    """What a `uv.lock` says for itself; the rest of it is uv's own.

    Its `requires-python`. A broken lock says nothing here: uv explains it better.
    """
    try:
        value = tomllib.loads(read_text(lock, "lock file")).get("requires-python")
    except tomllib.TOMLDecodeError:
        return None
    return value if isinstance(value, str) else None


ENVIRONMENT = ".venv"
"""The folder beside the root's project file in which uv keeps the environment of all members."""


def workspace_of(member: Path) -> Path | None:
    """The root of the workspace that the project in `member` belongs to, if any.

    The nearest folder above that has a workspace decides, as with uv. A project file above that
    cannot be read is ignored here: uv reports it where it matters.
    """
    for root in member.parents:
        try:
            if workspace_table(root) is not None:
                return root if member in _named(root) else None
        except EnvironmentProblem:
            continue
    return None


def lock_of_workspace(member: Path) -> Path | None:
    """The `uv.lock` of the project's workspace, if there is one."""
    root = workspace_of(member)
    return root / "uv.lock" if root is not None and (root / "uv.lock").is_file() else None


def shared_interpreter(member: Path) -> Path | None:
    """The interpreter of the environment of the project's workspace.

    None if the project has an environment of its own, or if there is no other.
    """
    if (member / ENVIRONMENT).exists():
        return None
    root = workspace_of(member)
    interpreter = root / ENVIRONMENT / "bin" / "python" if root is not None else None
    return interpreter if interpreter is not None and interpreter.exists() else None


def members(root: Path) -> tuple[Path, ...]:
    """The folders of the workspace's projects but `root` itself, sorted."""
    return tuple(sorted(f for f in _named(root) if (f / "pyproject.toml").is_file()))


def workspace_table(root: Path) -> Mapping[str, Any] | None:
    """`[tool.uv.workspace]` of the project file in `root`."""
    file = root / "pyproject.toml"
    uv = read_pyproject(file).tool("uv") if file.is_file() else None
    table = (uv or {}).get("workspace")
    return table if isinstance(table, Mapping) else None


def _named(root: Path) -> set[Path]:
    """What the workspace's patterns name, project file or not.

    In `exclude` uv lets `*` match `/` too: `packages/x*` excludes `packages/x/a`.
    """
    table = workspace_table(root) or {}
    found = {folder for pattern in _patterns(table, "members") for folder in root.glob(pattern)}
    excluded = tuple(_patterns(table, "exclude"))
    return {
        folder
        for folder in found
        if not any(fnmatchcase(str(folder.relative_to(root)), pattern) for pattern in excluded)
    }


def _patterns(table: Mapping[str, Any], key: str) -> Iterator[str]:
    """Those that can be followed, without `./` in front; uv refuses the others."""
    given = table.get(key)
    for pattern in given if isinstance(given, list) else ():
        if isinstance(pattern, str) and pattern and not pattern.startswith("/"):
            yield str(Path(pattern))


def project_files(root: Path) -> Iterator[Path]:
    """The project files of all members."""
    yield from (folder / "pyproject.toml" for folder in members(root))
