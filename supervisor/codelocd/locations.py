"""What the daemon holds of one location: its description, its state, its runners."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeloc_envs import Choice, Environment, Lease
from codelocd.launchers import RunnerHandle
from codelocd.lifecycle import State
from codelocd.model import Exit, LocationSpec, RunnerId, Snapshot
from codelocd.timing import Timing


@dataclass(slots=True)
class Running:
    """One runner's process and what belongs to it. `began` is monotonic: clocks are set."""

    handle: RunnerHandle
    environment: Environment
    lease: Lease
    began: float
    timing: Timing
    generation: int | None = None
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class LastExit:
    """How the location's last runner ended. `at` is Unix time, `asked` says we wanted it."""

    pid: int
    exit: Exit
    at: float
    asked: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "status": self.exit.status,
            "signal": self.exit.signal,
            "at": self.at,
            "asked": self.asked,
        }


@dataclass(slots=True)
class Location:
    """A location as the daemon knows it now; only the daemon changes it.

    `environment_is_fresh`: no runner has been started in it since it was prepared.
    """

    spec: LocationSpec
    state: State = field(default_factory=State)
    choice: Choice | None = None
    inputs: tuple[Path, ...] = ()
    environment: Environment | None = None
    environment_is_fresh: bool = False
    runners: dict[RunnerId, Running] = field(default_factory=dict)
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    last_exit: LastExit | None = None
    changed_paths: tuple[str, ...] = ()
    changed_at: float | None = None
    saved_at: float | None = None
    removed: bool = False
    alarm: asyncio.TimerHandle | None = None
    waiters: set[asyncio.Future[None]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def serving(self) -> Running | None:
        """The runner that callers get."""
        number = self.state.serving
        return self.runners.get(number) if number is not None else None

    @property
    def sources(self) -> Mapping[str, str]:
        return self.snapshot.sources if self.snapshot is not None else {}
