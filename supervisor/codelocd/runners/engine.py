"""What an engine must do: prepare environments and start runners where it places them.

The daemon's own machine is the engine that is always there: `Builder` prepares, a `Launcher`
starts, the holder keeps. Another one does all of it behind this interface; docs/engines.md says
how to write it, and `tests/conformance` tries it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from codeloc_envs import Environment, Specification
from codelocd.model import Output, Problem
from codelocd.placement import Placement
from codelocd.runners.api import Launcher, RunnerHandle, RunnerSpec

if TYPE_CHECKING:
    from codeloc_envs.documents import ProgressDocument

WAITING = "waiting for the engine"
"""How the summary begins of a refusal that may pass by itself."""

Progress: TypeAlias = "Callable[[ProgressDocument], None]"


@dataclass(frozen=True, slots=True)
class EngineOrder:
    """What an engine needs to know beside a `RunnerSpec`, to do it on another machine.

    `epoch` is the fencing number of the start, which a `RunnerSpec` has, too: what is prepared by
    one order is started by it. An engine refuses one that is lower than another that it has seen.
    `specification` was
    chosen on the daemon's machine by its files `inputs`. `directory`: where the code runs, `files`:
    what its newest load read elsewhere, `ignore`: patterns of what need not be sent. `inherited`
    are variables of the daemon that make sense elsewhere, `configured` those of the location.
    `beside`: the epoch of the runner that serves meanwhile: what is beside it may take its place,
    so it must not wait for the resources that this one holds.
    """

    location: str
    epoch: int
    specification: Specification
    inputs: tuple[Path, ...]
    placement: Placement
    directory: Path
    files: tuple[Path, ...] = ()
    ignore: tuple[str, ...] = ()
    inherited: Mapping[str, str] | None = None
    configured: Mapping[str, str] | None = None
    beside: int | None = None

    @property
    def runner(self) -> str:
        """The name of the runner that this order is for."""
        return f"{self.location}:{self.epoch}"


class EngineRefuses(Exception):
    """The engine cannot do it, for a reason that `problem` tells in one line with what to do.

    `passing`: it may be able to later, with nothing changed here: a full cluster, one that is not
    reachable. Then the location waits, with growing pauses. Else a change has to come first.
    """

    def __init__(self, problem: Problem, *, passing: bool) -> None:
        super().__init__(problem.summary)
        self.problem = problem
        self.passing = passing


class EngineHandle(RunnerHandle, Protocol):
    """A runner on a node. `exited` is done when its end is confirmed, or when the fence has passed
    for a node that is lost: never before. So another may be started as soon as it is done."""

    def keep(self, record: Mapping[str, Any]) -> None:
        """It serves: it outlives the daemon from now on, and the next one gets the record."""

    def let_go(self) -> None:
        """It ends with the daemon again."""


@dataclass(frozen=True, slots=True)
class LeftRunner:
    """A runner that an earlier daemon has left on a node, with what that daemon noted of it."""

    location: str
    epoch: int
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something has happened at the engine: its cluster is out of reach ("down") or back ("up"), a
    runner is out of reach ("lost") or back ("found"), or came up on another node than the one
    before ("moved"). `what`: one line."""

    kind: str
    what: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a one-shot command ended. `why`: one line where it was not run, with the status that
    stands for that."""

    status: int | None
    signal: int | None
    why: str = ""


Drained: TypeAlias = "Callable[[Callable[[], None]], None]"
"""Calls back when what has been printed was taken: so a slow reader slows a command down."""


class EngineCommand(Protocol):
    """A one-shot command on a node. `began` is done, with the node's name, when it runs."""

    began: asyncio.Future[str]

    async def give(self, data: bytes, *, last: bool) -> None:
        """What it reads; returns when it was written. Raises RpcError where it reads no more."""

    def signal(self, number: int) -> None:
        """To it and its children."""


class Engine(Launcher, Protocol):
    """Starts runners on machines of its own. Every method may be called again with the same order
    after a failure, and then does what is still to be done."""

    async def prepare(self, order: EngineOrder, progress: Progress) -> Environment:
        """The environment, ready on the node where the next start of the location will be.

        Raises EnvironmentProblem, EngineRefuses.
        """
        ...

    async def start(self, spec: RunnerSpec) -> EngineHandle:
        """A runner by `spec.remote`; the same one where that was started before. It prepares what
        its node lacks. Raises EnvironmentProblem, EngineRefuses."""
        ...

    def epoch(self, location: str) -> int:
        """A new fencing number, higher than all that this engine has seen of the location."""
        ...

    async def left(self, patience: float) -> Sequence[LeftRunner]:
        """What an earlier daemon has left and no location has taken yet; () where the engine cannot
        be reached within so many seconds."""
        ...

    def known_left(self) -> Sequence[LeftRunner]:
        """The same, of what is known by now."""
        ...

    def adopt(self, left: LeftRunner, output: Output) -> EngineHandle | None:
        """Go on with it, and with its output where the earlier daemon stopped. None if it has
        ended."""
        ...

    def end_left(self) -> None:
        """End what an earlier daemon has left and no location has taken."""
        ...

    def command(
        self,
        order: EngineOrder,
        words: Sequence[str],
        output: Output,
        *,
        outside: bool = False,
        progress: Progress = lambda _: None,
        drained: Drained = lambda then: then(),
    ) -> tuple[EngineCommand, asyncio.Future[CommandEnd]]:
        """Run one command as a runner of the location would run, on a node that fits, in a copy of
        the code of its own. `outside`: what is not in the environment, too. The future is done at
        its end, or has EnvironmentProblem or EngineRefuses; when it is cancelled, the command is
        killed."""
        ...

    def listen(self, listener: Callable[[EngineEvent], None]) -> None:
        """Tell of everything that happens from now on."""
        ...

    async def close(self, *, leave: bool) -> None:
        """`leave`: what is kept goes on without a daemon. All else has ended when this returns."""
        ...
