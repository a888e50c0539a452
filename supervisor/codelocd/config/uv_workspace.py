"""The environment that the projects of a uv workspace share.

https://docs.astral.sh/uv/concepts/projects/workspaces/: one `.venv` beside the root's
pyproject.toml, whose [tool.uv.workspace] names the members by glob patterns.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENVIRONMENT = ".venv"


def shared_interpreter(project: Path) -> Path | None:
    """That of the workspace's environment, if it is there and the project has none of its own."""
    if (project / ENVIRONMENT).exists():
        return None
    for root in project.parents:
        interpreter = root / ENVIRONMENT / "bin" / "python"
        if interpreter.exists() and _is_member(root, project):
            return interpreter
    return None


def _is_member(root: Path, project: Path) -> bool:
    workspace = _workspace(root / "pyproject.toml")
    return _matches(root, project, workspace.get("members")) and not _matches(
        root, project, workspace.get("exclude")
    )


def _matches(root: Path, project: Path, patterns: object) -> bool:
    given = patterns if isinstance(patterns, list) else []
    return any(project in root.glob(pattern) for pattern in given if isinstance(pattern, str))


def _workspace(path: Path) -> Mapping[str, Any]:
    """The table; {} where there is none, or where the file is not to be read."""
    try:
        table: Any = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    for name in ("tool", "uv", "workspace"):
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}
