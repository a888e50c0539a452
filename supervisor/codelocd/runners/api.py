"""The interface of launchers and of the runners that they start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from codelocd.core import shapes
from codelocd.model import Cold, Exit, Output, Problem, Snapshot, StartMethod, StartWish, Target
from codelocd.process.accounts import Account
from codelocd.runners.variables import with_codeloc

if TYPE_CHECKING:
    from codelocd.runners.engine import EngineOrder

HANG_FACTOR, HANG_SECONDS = 10.0, 10.0
"""A load after a fork hangs when it takes so many times as long as the whole load before, and at
least so many seconds. Half the location's own limit at most, so that there is time to try again."""


@dataclass(frozen=True, slots=True)
class LoadedOutcome:
    """The code has loaded; `importing` of the seconds were the user's imports.

    `read`: patterns of what it read that is no Python. `body`: the snapshot as the runner encoded
    it, where it is so large that it should not be encoded again.
    """

    snapshot: Snapshot
    importing: float
    read: tuple[str, ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class FailedOutcome:
    """The code has not loaded: `problem` has `summary`, `detail`, and `missing` where a package is
    missing.

    `sources` maps what was read to its digest, as in a snapshot; `read` as for a good load.
    `limit`: the problem of a limit that was exceeded, where that is why.
    """

    problem: Mapping[str, Any]
    sources: Mapping[str, str]
    read: tuple[str, ...] = ()
    limit: Problem | None = None


@dataclass(frozen=True, slots=True)
class MustStartCold:
    """A cold start may end otherwise: nothing of this load counts."""

    cold: Cold


LoadOutcome = LoadedOutcome | FailedOutcome | MustStartCold


@dataclass(frozen=True, slots=True)
class Answer:
    """A runner's answer to `load`. `seen` is for the import profile."""

    outcome: LoadedOutcome | FailedOutcome
    seen: Mapping[str, Any]

    @classmethod
    def of(cls, said: Any) -> Answer:
        """Raises shapes.WrongShape: a runner may be anything."""
        if not isinstance(said, dict):
            raise shapes.WrongShape("its answer is no object")
        body, seen = shapes.read(said.get("body")), shapes.read(said.get("imports"))
        if "definitions" in said:
            body["definitions"] = shapes.read_lists(said["definitions"])
        seen, read = shapes.load_facts(seen), tuple(shapes.texts(body, "watch"))
        if said.get("ok"):
            kept = shapes.joined(said["body"], said.get("definitions")) if is_large(said) else None
            return cls(
                LoadedOutcome(shapes.snapshot(body), seen["import_seconds"], read, kept), seen
            )
        return cls(
            FailedOutcome(shapes.problem(body.get("problem")), shapes.sources(body), read), seen
        )


LARGE = 256 * 1024
"""Bytes of a snapshot from which on it takes more than a few milliseconds to read."""


def is_large(said: Any) -> bool:
    """Whether another thread has to read this answer: the loop must not wait for it."""
    if not isinstance(said, dict):
        return False
    parts = [said.get("body"), said.get("imports")]
    size = sum(len(part) for part in parts if isinstance(part, bytes))
    return "definitions" in said or size > LARGE


def hangs_after(former: float, start_timeout: float) -> float:
    """Seconds, by those of the load before and those that the location allows."""
    return min(max(HANG_SECONDS, HANG_FACTOR * former), start_timeout / 2)


PROTOCOL = 1
"""The version of the protocol between daemon and runner (`codeloc_runner.wire.methods`)."""

CALL_TIMEOUT = 60.0
"""Seconds for a call that names no timeout of its own."""

UNFENCED = 0
"""The epoch of a start that is compared with no other one."""


@dataclass(frozen=True, slots=True)
class RunnerSpec:
    """What it takes to start one runner.

    `environment` is the key of its environment, `variables` all that it gets to see of ours.
    `output(stream, data)` gets what it prints. `beside`: another runner serves meanwhile. `held`
    are descriptors that its processes keep open: the lease of their environment. `cold`: why it
    must have no warm start, whatever `start_method` says. `nice` and `open_files` hold from before
    its code on; None: as for the daemon. So does that it is in the control group with the folder
    `group`; None: in the daemon's. `own`: the names of the variables that the location alone has
    been given. `account`: the user as whom it runs; None: the daemon's. `suspects`: files of which
    its process notes in the file `written` when it writes them. `lock`: the file that it holds a
    lock on while it serves; None for one that does not serve. `remote`: what an engine needs
    besides. `release`: of its code; None: the files in place. `code`: where its texts are kept.
    `epoch`: the fencing number of its start, which rises with each start of the location, across
    daemons; UNFENCED where it is known that there is no other one.
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
    written: Path | None = None
    lock: Path | None = None
    suspects: tuple[str, ...] = ()
    nice: int | None = None
    open_files: int | None = None
    group: str | None = None
    own: frozenset[str] = frozenset()
    account: Account | None = None
    remote: EngineOrder | None = None
    release: str | None = None
    code: Path | None = None
    epoch: int = UNFENCED


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
    `codeloc`: the bundle's folder that makes `codeloc` importable for it; None to do without.
    """

    beside: RunnerSpec
    module: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    output: Output
    codeloc: Path | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables it starts with. A warm interpreter is chosen without `codeloc`, which is
        the last thing that a runner adds, too: no package that is imported depends on it.
        """
        return (
            self.variables if self.codeloc is None else with_codeloc(self.variables, self.codeloc)
        )


class RunnerHandle(Protocol):
    """One runner, wherever it runs: one process, started in one way, for as long as it lives."""

    @property
    def pid(self) -> int: ...

    @property
    def node(self) -> str | None:
        """The machine that it is on, where `pid` means it; None for this one."""
        ...

    @property
    def lost(self) -> Problem | None:
        """Why it is out of reach for now, although it may live; None while it is reached."""
        ...

    @property
    def gone(self) -> Problem | None:
        """Why it has ended, where its exit does not say: its machine is gone, for example."""
        ...

    @property
    def usage(self) -> tuple[int, float | None] | None:
        """Bytes of memory and fraction of a core, where its node tells of them itself."""
        ...

    @property
    def placed_why(self) -> str:
        """Why it is on its node; "" for this machine."""
        ...

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

    @property
    def record(self) -> Mapping[str, Any] | None:
        """What another daemon needs to go on with it, of types that JSON has; None where it cannot
        go on."""
        ...

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

    async def serve(self) -> bool:
        """Have it take the lock of its location. False if another process holds that; a runner
        that has ended counts as serving: its end is handled where processes are reaped."""
        ...

    @property
    def has_let_go(self) -> asyncio.Future[None]:
        """Done once it does not hold the lock of its location any more, having held it."""
        ...

    def take_over(self) -> None:
        """The runner takes over: from now on callers get this one."""

    async def retire(self, patience: float, grace: float) -> None:
        """Answer what was accepted, for up to `patience` seconds; then leave.

        After another `grace` seconds it is made to. Returns when it is gone.
        """

    def kill(self) -> None:
        """End it and its whole group at once."""

    def signal(self, number: int) -> None:
        """Send its process a signal. Raises OSError."""


class Launcher(Protocol):
    """Starts runners.

    A start is known by `location` and `epoch`. Asked for again it is answered with the runner that
    was started, while that lives; one that is older than the newest of its location is refused. (A
    generation is counted at a takeover only, so several starts may have the same one.)
    """

    async def start(self, spec: RunnerSpec) -> RunnerHandle:
        """Raises OSError when the process cannot be started, or where the start is out of date
        (`epochs.StaleStart`; an engine raises EngineRefuses for it)."""
        ...

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        """A load failed after a warm start, and then went well without one."""
