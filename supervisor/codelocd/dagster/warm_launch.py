"""Has Dagster's page and daemon launch their runs by codelocd: its run launcher, and how they are
told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.files import replace_text

CONFIG = "dagster.yaml"
KEY = "run_launcher"
LAUNCHER: Mapping[str, str] = {
    "module": "codeloc_runner.dagster_launcher",
    "class": "WarmRunLauncher",
}
MADE = '# Made by codelocd of the project\'s dagster.yaml, for [dagster] launcher = "warm".\n'
"""How a file begins that is made anew at each start."""


@dataclass(frozen=True, slots=True)
class WarmLaunch:
    """`bundle`: the folder from which the launcher is imported; `control`: the daemon's socket."""

    bundle: Path
    control: Path

    def variables(self) -> dict[str, str]:
        """For Dagster's page and daemon."""
        return {**self.path, "CODELOCD_SOCKET": str(self.control)}

    @property
    def path(self) -> dict[str, str]:
        """For a process that imports the launcher, and launches nothing."""
        return {"PYTHONPATH": str(self.bundle)}


def write_config(path: Path, project: Path) -> bool:
    """In a folder of codelocd's: the project's dagster.yaml with the launcher. False: that one
    names a launcher itself, or cannot be read, and Dagster shall have it as it is. Raises
    OSError."""
    import yaml  # here: where no launcher is asked for, a start does without it

    given = _read(project)
    if given is None or KEY in given:
        return False
    text = MADE + yaml.safe_dump({**given, KEY: dict(LAUNCHER)}, allow_unicode=True)
    if path.is_symlink() or not path.exists() or path.read_text("utf-8") != text:
        replace_text(path, text, mode=0o600)
    return True


def is_made(config: Path) -> bool:
    """Whether the file is one of `write_config`. Raises OSError."""
    with open(config, encoding="utf-8", errors="replace") as file:
        return file.readline() == MADE


def why_not(home: Path) -> str | None:
    """Why the runs of this instance are launched otherwise, and what to do; None: they are not."""
    config = home / CONFIG
    given = _read(config)
    if given is not None and given.get(KEY) == LAUNCHER:
        return None
    line = f"{KEY}: {{module: {LAUNCHER['module']}, class: {LAUNCHER['class']}}}"
    return f'[dagster] launcher = "warm" has no effect yet: {config} has to say {line}'


def _read(config: Path) -> dict[str, Any] | None:
    """None where it is no map. Raises OSError."""
    import yaml

    try:
        given = yaml.safe_load(config.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    if given is None:
        return {}
    return given if isinstance(given, dict) else None
