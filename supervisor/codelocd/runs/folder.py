"""The folders of runs on disk: an attempt's order, whether it lives, has begun, and its result.

docs/protocol.md says what each file is. All but the order are the attempt's: a process with user
code in it, so nothing of them is believed before it is checked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.files import make_folder
from codelocd.core import shapes
from codelocd.core.shapes import WrongShape
from codelocd.runs.model import RunId

STATES = ("succeeded", "failed", "cancelled")
STEPS = 100_000
"""Of one result."""


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """What the files of an attempt show. `lives`: a process holds its lock. `damage`: why there is
    a result that says nothing."""

    lives: bool = False
    begun: bool = False
    result: Mapping[str, Any] | None = None
    damage: str | None = None


class RunFolders:
    """Those below one folder, by the numbers of the runs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, run: RunId) -> Path:
        return self._root / str(run)

    def write_order(self, run: RunId, attempt: int, order: Mapping[str, Any]) -> Path:
        """The file, on the disk. Raises OSError."""
        folder = self.of(run)
        make_folder(folder)
        path, new = folder / f"order.{attempt}", folder / f"order.{attempt}.new"
        with open(new, "wb") as file:
            file.write(json.dumps({**order, "folder": str(folder)}).encode())
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        return path

    def look(self, run: RunId, attempt: int) -> AttemptFiles:
        """The lock first: what ends while this looks has left its result by then."""
        folder = self.of(run)
        lives = _is_held(folder / f"lock.{attempt}")
        begun = (folder / f"begun.{attempt}").exists()
        try:
            data = (folder / f"result.{attempt}").read_bytes()
        except OSError:
            return AttemptFiles(lives, begun)
        try:
            return AttemptFiles(lives, True, checked_result(data))
        except WrongShape as wrong:
            return AttemptFiles(lives, True, None, f"its result cannot be read: {wrong}")

    def remove(self, run: RunId) -> None:
        """All of a run; what cannot be removed is left for the next time."""
        shutil.rmtree(self.of(run), ignore_errors=True)

    def numbers(self) -> list[RunId]:
        """Of the runs that have a folder."""
        with contextlib.suppress(OSError):
            return [RunId(int(name)) for name in os.listdir(self._root) if name.isdigit()]
        return []


def _is_held(lock: Path) -> bool:
    """Held for a moment by this process itself, which an attempt that starts takes for another: it
    ends before it has begun, and is started again."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def checked_result(data: bytes) -> dict[str, Any]:
    """The result in the bytes of an attempt. Raises WrongShape."""
    given = shapes.read(data)
    if given.get("state") not in STATES:
        raise WrongShape(f"state is not one of {', '.join(STATES)}")
    steps = given.get("steps")
    if type(steps) is not list or len(steps) > STEPS:
        raise WrongShape(f"steps is no list of at most {STEPS}")
    given["steps"] = [checked_step(one) for one in steps]
    late = given.get("late", {})
    if type(late) is not dict or not all(type(one) is str for one in late.values()):
        raise WrongShape("late has a value that is no digest")
    for name in ("why", "summary"):
        if type(given.get(name)) not in (str, type(None)):
            raise WrongShape(f"{name} is no text")
    for name in ("memory_peak",):
        if type(given.get(name)) not in (int, type(None)):
            raise WrongShape(f"{name} is no number of bytes")
    return given


def checked_step(told: Any) -> dict[str, Any]:
    """A step as an event or a result has it. Raises WrongShape."""
    if type(told) is not dict:
        raise WrongShape("a step is no object")
    for name in ("kind", "name", "state"):
        shapes.text(told, name)
    checks = told.get("checks", [])
    if type(checks) is not list:
        raise WrongShape("checks is no list")
    return {**told, "checks": [checked_check(one) for one in checks]}


def checked_check(told: Any) -> dict[str, Any]:
    """A check as an event or a result has it. Raises WrongShape."""
    if type(told) is not dict:
        raise WrongShape("a check is no object")
    for name in ("name", "state"):
        shapes.text(told, name)
    return dict(told)
