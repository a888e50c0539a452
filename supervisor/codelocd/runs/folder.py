"""The folders of runs on disk: an attempt's order, whether it lives, has begun, and its result.

docs/protocol.md says what each file is. All but the order are the attempt's: a process with user
code in it, so nothing of them is believed before it is checked.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from codeloc_envs.files import make_folder
from codeloc_envs.problem import shortage
from codelocd.core import shapes
from codelocd.core.shapes import WrongShape
from codelocd.runs.model import RunId

STATES = ("succeeded", "failed", "cancelled")
STEPS = 100_000
"""Of one result."""
AGAIN = 0.5
"""Seconds until what the machine lacked is tried again."""
FOREVER = 1e15
"""Seconds, of what may be a moment."""
LARGEST = 256 * 1024 * 1024
"""Bytes of one result."""


class Owner(Protocol):
    """The user as whom attempts run, and its group."""

    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """What the files of an attempt show. `lives`: a process holds its lock. `damage`: why there is
    no result, or one that says nothing."""

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

    def write_order(
        self, run: RunId, attempt: int, order: Mapping[str, Any], owner: Owner | None = None
    ) -> Path:
        """The file; a machine that fails loses it, and the next daemon writes another. Raises
        OSError.

        `owner`: the user as whom the attempt runs; None: this process's. Where the folder is
        another user's, that one decides what else is in it: no link is followed.
        """
        folder = self.of(run)
        make_folder(folder)
        path, new = folder / f"order.{attempt}", folder / f"order.{attempt}.new"
        new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(new, flags, 0o600), "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), owner.uid, owner.gid)
            file.write(json.dumps({**order, "folder": str(folder)}).encode())
        new.rename(path)
        return path

    def events(self, run: RunId, attempt: int) -> Path:
        """The FIFO on which the attempt tells what happens, under a daemon."""
        return self.of(run) / f"events.{attempt}"

    def look(self, run: RunId, attempt: int) -> AttemptFiles:
        """What the files show. Waits for as long as the machine lacks what a look takes."""
        while True:
            try:
                return self._look(self.of(run), attempt)
            except OSError as error:
                if shortage(error) is None:
                    raise
            time.sleep(AGAIN)

    @staticmethod
    def _look(folder: Path, attempt: int) -> AttemptFiles:
        """The lock first: what ends while this looks has left its result by then. Raises OSError
        for want of the machine's alone."""
        lives = is_held(folder / f"lock.{attempt}")
        begun = os.path.lexists(folder / f"begun.{attempt}")
        try:
            data = read_left(folder / f"result.{attempt}")
        except FileNotFoundError:
            gone = None if folder.is_dir() else f"its folder {folder} was removed while it ran"
            return AttemptFiles(lives, begun, damage=gone)
        except OSError as error:
            if shortage(error):
                raise
            return AttemptFiles(lives, True, None, f"its result cannot be read: {error.strerror}")
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


def read_left(path: Path) -> bytes:
    """What a process left: a regular file of a bounded size, and no link. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            raise OSError(errno.EINVAL, "it is no regular file, or too large", str(path))
        return file.read(LARGEST)


def is_held(lock: Path) -> bool:
    """Held for a moment by this process itself, which an attempt that starts takes for another: it
    ends before it has begun, and is started again. Raises OSError for want of the machine's."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if shortage(error):
            raise
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
    for name in ("why", "summary", "dagster_run"):
        if type(given.get(name)) not in (str, type(None)):
            raise WrongShape(f"{name} is no text")
    for name in ("memory_peak",):
        if type(given.get(name)) not in (int, type(None)):
            raise WrongShape(f"{name} is no number of bytes")
    for name in ("ended", "clock"):
        said = given.get(name)
        if said is not None and not (type(said) in (int, float) and abs(said) < FOREVER):
            raise WrongShape(f"{name} is no number of seconds")
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
