"""Where a runner runs, and how it starts: `warm` decides, `local` starts one on its own. An engine
would be another file here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from codelocd.launchers.outcome import LoadOutcome
from codelocd.model import Cold, Exit, Output, StartMethod, StartWish, Target

CALL_TIMEOUT = 60.0
"""Seconds for a call that names no timeout of its own."""


@dataclass(frozen=True, slots=True)
class RunnerSpec:
    """What it takes to start one runner.

    `environment` is the key of its environment, `variables` all that it gets to see of ours.
    `output(stream, data)` gets what it prints. `beside`: another runner serves meanwhile.
    `held` are descriptors that its processes keep open: the lease of their environment. `cold`:
    why it must have no warm start, whatever `start_method` says.
    """

    location: str
    environment: str
    executable: Path
    variables: Mapping[str, str]
    working_directory: Path
    target: Target
    attribute: str | None
    output: Output
    start_method: StartWish = "auto"
    start_timeout: float = 180.0
    beside: bool = False
    held: tuple[int, ...] = ()
    cold: Cold | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    """How many functions preloaded modules have registered, by module, that a runner inherits:
    for the end of its process, and for its forks.
    """

    at_exit: Mapping[str, int]
    at_fork: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Program:
    """`python -m MODULE ARGUMENTS` in the environment of a runner, beside it.

    `output(stream, data)` gets what it prints, `variables` are all that it gets to see of ours.
    """

    beside: RunnerSpec
    module: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    output: Output


class RunnerHandle(Protocol):
    """One runner, wherever it runs: one process, started in one way, for as long as it lives."""

    @property
    def pid(self) -> int: ...

    @property
    def start_method(self) -> StartMethod: ...

    @property
    def why(self) -> str:
        """Why it was started that way, in one line."""
        ...

    @property
    def hooks(self) -> Hooks | None:
        """What it inherited from a warm interpreter; None if it was started on its own."""
        ...

    @property
    def exited(self) -> asyncio.Future[Exit]: ...

    async def load(self) -> LoadOutcome:
        """What came of its load, when it has ended.

        Raises RpcError; of kind "down" when the runner ended over it.
        """
        ...

    def blamed(self, end: Exit) -> Cold | None:
        """Why a load that ended so is to be made again without a warm start; None if it is not."""
        ...

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        """Raises RpcError; of kind "down" when it went away during the call: outcome unknown."""

    def take_over(self) -> None:
        """It has loaded, and from now on callers get this one."""

    async def retire(self, patience: float, grace: float) -> None:
        """Answer what was accepted, for up to `patience` seconds; then leave.

        After another `grace` seconds it is made to. Returns when it is gone.
        """

    def kill(self) -> None:
        """End it and its whole group at once."""


class Launcher(Protocol):
    """Starts runners."""

    async def start(self, spec: RunnerSpec) -> RunnerHandle:
        """Raises OSError when the process cannot be started."""
        ...

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        """A load failed after a warm start, and then went well without one."""
