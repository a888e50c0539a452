"""Has Dagster's page and daemon launch their runs by codelocd: its run launcher, and how they are
told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from codeloc_envs.files import replace_text

CONFIG = "dagster.yaml"
KEY = "run_launcher"
LAUNCHER: Mapping[str, str] = {
    "module": "codeloc_runner.dagster_launcher",
    "class": "WarmRunLauncher",
}
MADE = '# Made by codelocd of the project\'s dagster.yaml, for [dagster] launcher = "warm".\n'
"""How a file begins that is made anew at each start."""

QUEUE, COORDINATOR = "run_queue", "run_coordinator"
QUEUED = Version("1.10")
"""The first release whose runs wait in a queue where dagster.yaml says nothing of one."""
OFTEN: Mapping[str, int] = {"dequeue_interval_seconds": 1}
"""How often Dagster's daemon looks at that queue; without this, every 5 s. It counts whole seconds,
and with 0 it would never rest (`QueuedRunCoordinatorDaemon`)."""
SHORT = f"{QUEUE}: {{dequeue_interval_seconds: 1}}"
BLOCK = f"# The queue is Dagster's own; its daemon looks there each second.\n{SHORT}\n"
"""How a file that is made ends for a release that has the queue without being told."""


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
    text = MADE + yaml.safe_dump({**often(given), KEY: dict(LAUNCHER)}, allow_unicode=True)
    is_former = path.exists() and not path.is_symlink()
    former = path.read_text("utf-8") if is_former else None
    if former is not None and former.endswith(BLOCK) and is_queue_open(given):
        text += BLOCK
    if text != former:
        replace_text(path, text, mode=0o600)
    return True


def often(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same, but that a queue that it asks for is looked at each second, unless it says how
    often."""
    made = dict(given)
    queue, coordinator = given.get(QUEUE), given.get(COORDINATOR)
    if not queue:
        made.pop(QUEUE, None)  # which means the same to Dagster
    elif isinstance(queue, dict):
        made[QUEUE] = {**OFTEN, **queue}
    if isinstance(coordinator, dict) and coordinator.get("class") == "QueuedRunCoordinator":
        made[COORDINATOR] = {
            **coordinator,
            "config": {**OFTEN, **(coordinator.get("config") or {})},
        }
    return made


def is_queue_open(given: Mapping[str, Any]) -> bool:
    """Whether the release decides if there is a queue."""
    return not given.get(QUEUE) and not given.get(COORDINATOR)


def suit_release(home: Path, release: Version) -> None:
    """A made file looks often at the queue that its release has without being told. Raises
    OSError."""
    config = home / CONFIG
    given = _read(config)
    if given is None or not config.exists() or not is_made(config):
        return
    text = config.read_text("utf-8")
    rest = text.removesuffix(BLOCK)
    is_open = rest != text or is_queue_open(given)
    wanted = rest + BLOCK if is_open and release >= QUEUED else rest
    if wanted != text:
        replace_text(config, wanted, mode=0o600)


def is_made(config: Path) -> bool:
    """Whether the file is one of `write_config`. Raises OSError."""
    with open(config, encoding="utf-8", errors="replace") as file:
        return file.readline() == MADE


def what_to_write(home: Path, release: Version) -> str | None:
    """Why runs of this instance are not launched by codelocd, or start later than they could, and
    what to do; None: neither."""
    config = home / CONFIG
    given = _read(config)
    if given is None or given.get(KEY) != LAUNCHER:
        line = f"{KEY}: {{module: {LAUNCHER['module']}, class: {LAUNCHER['class']}}}"
        return f'[dagster] launcher = "warm" has no effect yet: {config} has to say {line}'
    if often(given) == given and (release < QUEUED or not is_queue_open(given)):
        return None
    line = "dequeue_interval_seconds: 1" if given.get(COORDINATOR) else SHORT
    return (
        "a run that is launched in Dagster waits up to 5 s in Dagster's own queue:"
        f" with {line} in {config}, up to 1 s"
    )


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
