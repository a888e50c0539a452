"""uv workspaces: projects that share one lock, and so one environment.

https://docs.astral.sh/uv/concepts/projects/workspaces/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from codeloc_envs.pyproject import read_pyproject


def lock_of_workspace(member: Path) -> Path | None:
    """The `uv.lock` of the workspace that the project in `member` belongs to, if any.

    Raises EnvironmentProblem for an invalid project file on the way.
    """
    for root in member.parents:
        table = workspace_table(root)
        if table is not None:
            lock = root / "uv.lock"
            return lock if lock.is_file() and member in members(root) else None
    return None


def members(root: Path) -> tuple[Path, ...]:
    """The folders of the workspace's projects but `root` itself, sorted."""
    table = workspace_table(root) or {}
    found = {folder for pattern in table.get("members", ()) for folder in root.glob(pattern)}
    return tuple(sorted(folder for folder in found if _counts(folder, root, table)))


def workspace_table(root: Path) -> Mapping[str, Any] | None:
    """`[tool.uv.workspace]` of the project file in `root`."""
    file = root / "pyproject.toml"
    uv = read_pyproject(file).tool("uv") if file.is_file() else None
    table = (uv or {}).get("workspace")
    return table if isinstance(table, Mapping) else None


def _counts(folder: Path, root: Path, table: Mapping[str, Any]) -> bool:
    name = str(folder.relative_to(root))
    excluded = any(fnmatch(name, pattern) for pattern in table.get("exclude", ()))
    return (folder / "pyproject.toml").is_file() and not excluded


def project_files(root: Path) -> Iterator[Path]:
    """The project files of all members."""
    yield from (folder / "pyproject.toml" for folder in members(root))
