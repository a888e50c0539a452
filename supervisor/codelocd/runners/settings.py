"""What a runner is passed at its start, and what it is told."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.files import make_folder
from codelocd.process import tasks
from codelocd.runners.api import RunnerSpec
from codelocd.runners.stacks import NUMBER


@dataclass(frozen=True, slots=True)
class Passed:
    """What a runner is passed: the `socket` at `path` that it listens on, and the file of the lock
    of its location, None where that could not be opened."""

    path: Path
    socket: int
    lock: int | None

    @property
    def descriptors(self) -> list[int]:
        return [self.socket] if self.lock is None else [self.socket, self.lock]


def opened(lock: Path | None) -> int | None:
    """The file, or None where it cannot be opened for now: the runner tries again itself."""
    if lock is None:
        return None
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        make_folder(lock.parent)
        return os.open(lock, flags, 0o600)
    return None


def settings(spec: RunnerSpec, passed: Passed, life: int | None) -> str:
    """What a runner is told, as JSON. With a `life` it may outlive this process."""
    return json.dumps(
        {
            "target": {"kind": spec.target.kind, "value": spec.target.value},
            "attribute": spec.attribute,
            "working_directory": str(spec.working_directory),
            "socket_fd": passed.socket,
            "socket_path": str(passed.path),
            "lock_fd": passed.lock,
            "lock_path": None if spec.lock is None else str(spec.lock),
            "parent": os.getpid() if life is None else None,
            "life_fd": life,
            "stacks_signal": NUMBER,
            "code": None if spec.code is None else str(spec.code),
            **limits_of(spec),
            **_noting(spec),
        }
    )


def _noting(spec: RunnerSpec) -> dict[str, Any]:
    if spec.written is None or not spec.suspects:
        return {}
    return {"written": str(spec.written), "suspects": spec.suspects}


def living(life: int | None) -> list[int]:
    """The end of a pipe that a process is passed: it ends itself when neither daemon nor holder has
    the other end."""
    return [] if life is None else [life]


def hold_to_limits(spec: RunnerSpec, pid: int) -> None:
    """Do for a process of another user what that user may not: it waits for its control group."""
    if spec.account is None:
        return
    with contextlib.suppress(OSError):
        _join(spec.group, pid)
        if spec.nice is not None:
            os.setpriority(os.PRIO_PROCESS, pid, spec.nice)


def hold_from_outside(spec: RunnerSpec, pid: int) -> None:
    """Hold a process to its limits that does not know of them: at once after its start, when it has
    not begun with any code. On macOS the limit of open files is left as it is."""
    with contextlib.suppress(OSError):
        _join(spec.group, pid)
    if sys.platform == "linux":
        tasks.hold_to(pid, spec.nice, spec.open_files)
    elif spec.nice is not None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, spec.nice)


def _join(group: str | None, pid: int) -> None:
    if group is not None:
        Path(group, "cgroup.procs").write_text(str(pid))


def limits_of(spec: RunnerSpec) -> dict[str, Any]:
    """The limits that a process sets for itself before it runs user code."""
    return {
        "group": spec.group,
        "nice": None if spec.account else spec.nice,
        "open_files": spec.open_files,
    }
