"""The words everything here uses. Frozen values: only the daemon holds the current ones."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NewType

from codeloc_envs import Request
from codelocd.placement import HERE, NO_ENGINE, EngineSettings, Placement
from codelocd.settings import NO_RUNS, RunsSettings

RunnerId = NewType("RunnerId", int)
"""A number that never repeats within one daemon, so late news of an old runner is harmless."""

BuildId = NewType("BuildId", int)
"""The same for the preparation of an environment."""

TargetKind = Literal["python_file", "module", "package", "autoload_defs_module"]
StartMethod = Literal["fork", "spare", "spawn"]
StartWish = Literal["auto", "fork", "spare", "spawn"]
"""What a config may ask for; how it was met is a StartMethod."""
Stream = Literal["stdout", "stderr"]
Output = Callable[[Stream, bytes], None]
"""Gets what a process prints, as it comes; b"" at the end of each stream."""


ProblemKind = Literal["load", "environment", "crash", "unresponsive", "limit", "config"]


@dataclass(frozen=True, slots=True)
class Target:
    """Which Python code a location is: `value` is an absolute path for `python_file`, a dotted name
    for the others."""

    kind: TargetKind
    value: str


@dataclass(frozen=True, slots=True)
class GrpcServer:
    """A code server that another program runs: listed, not supervised."""

    host: str = "localhost"
    port: int | None = None
    socket: str | None = None
    ssl: bool = False


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between restarts: `initial * factor ** n`, at most `maximum`, ± the part `jitter`."""

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 60.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class RestartLimit:
    """More than `count` failures within `period` seconds: give up."""

    count: int = 5
    period: float = 300.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How a location is kept alive. Durations in seconds, sizes in bytes."""

    restart: Literal["on-failure", "never"] = "on-failure"
    reload: Literal["on-change", "manual"] = "on-change"
    start_method: StartWish = "auto"
    start_timeout: float = 180.0
    build_timeout: float = 1800.0
    stop_timeout: float = 10.0
    ping_interval: float = 15.0
    ping_timeout: float = 10.0
    backoff: Backoff = Backoff()
    healthy_after: float = 60.0
    restart_limit: RestartLimit = RestartLimit()
    memory_limit: int | None = None
    cpu_weight: int | None = None
    tasks_limit: int | None = None
    nice: int | None = None
    open_files: int | None = None
    keep_releases: int = field(default=5, repr=False)


@dataclass(frozen=True, slots=True)
class LocationSpec:
    """One location as its config describes it, every path absolute, every variable resolved.

    `environment`: what was asked for; None: `codeloc_envs.selection` decides. `variables` are set
    over those of the daemon. `declared_in`: the file and table (or the command line), for messages,
    `declared_line` the line where it is known. `activated_allowed`: the activated environment of
    the caller's shell may serve it. `credentials`: variables that each start reads. `user` and
    `group`: as whom it runs, or None. `release_root`: what a release takes the place of, None:
    `releases.mapping` decides; `release`: what it is loaded from, None: the files in place. These
    two are not in `repr`, by which adopted runners are known.
    """

    name: str
    target: Target | GrpcServer
    working_directory: Path
    declared_in: str
    attribute: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    env_file: Path | None = None
    environment: Request | None = None
    activated_allowed: bool = False
    declared_line: int | None = field(default=None, compare=False)
    watch: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    policy: Policy = Policy()
    credentials: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    group: str | None = None
    placement: Placement = HERE
    release_root: Path | None = field(default=None, repr=False)
    release: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """The `[daemon]` table; None means the default of `codelocd.storage.paths`.

    `socket_group` may read, `operator_group` may start, stop and call, too; `observe_group` may use
    `observe.sock`, where nobody may do more than read. `warm_idle`: seconds without a start after
    which a warm interpreter ends. `prune`: whether environments that no location uses are removed,
    as by `codelocd env prune`. `orphan_timeout`: seconds for which a service's runners go on
    without a daemon; 0: they end with it. `trusted`: folders as they stand in the file, `~` and `*`
    among them."""

    state_dir: Path | None = None
    store: Path | None = None
    socket: Path | None = None
    socket_group: str | None = None
    log_format: Literal["auto", "console", "json"] = "auto"
    warm_idle: float = 1800.0
    prune: bool = True
    orphan_timeout: float = 600.0
    trusted: tuple[str, ...] = ()
    operator_group: str | None = None
    observe_group: str | None = None


@dataclass(frozen=True, slots=True)
class DagsterSettings:
    """The `[dagster]` table: whether Dagster's own UI and daemon run beside the locations.

    `page` False: code servers only, another program runs page and daemon, and is told of changes at
    `host` and `port`. `port` None: the first free one from 3000 on. `drain_timeout`: seconds for
    the runs of a replaced code server. `environment` None: built, with the newest dagster.
    `launcher`: what carries out the runs that Dagster's UI and daemon launch; warm: codelocd."""

    serve: bool = False
    page: bool = True
    host: str = "127.0.0.1"
    port: int | None = None
    drain_timeout: float = 3600.0
    environment: Request | None = None
    launcher: Literal["dagster", "warm"] = "dagster"


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The `[metrics]` table. `port`: one of 127.0.0.1, or None: the Unix socket alone."""

    port: int | None = None


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """The `[notify]` table: who is told that a location fails, is stale, or recovers."""

    command: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PageSettings:
    """The `[ui]` table: codelocd's own page, and whether the daemon serves it beside itself.

    `port` None: the first that is free from 4300 on. `socket`: a Unix socket for a proxy in the
    place of host and port, for members of `socket_group`. `auth`: "token", the link logs in, or
    "proxy", who reaches the socket is logged in."""

    serve: bool = False
    host: str = "127.0.0.1"
    port: int | None = None
    socket: Path | None = None
    socket_group: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    read_only: bool = False
    editor: str = "vscode"
    auth: Literal["token", "proxy"] = "token"


@dataclass(frozen=True, slots=True)
class Config:
    """What a config file, or the command line, asks for.

    `files`: what was read, `looked_for`: what would have been; a change of one of them counts.
    `notes`: a line for each thing without effect here. `otlp`: the address of the collector."""

    locations: tuple[LocationSpec, ...]
    daemon: DaemonSettings = DaemonSettings()
    dagster: DagsterSettings = DagsterSettings()
    metrics: MetricsSettings = MetricsSettings()
    notify: NotifySettings = NotifySettings()
    otlp: str | None = None
    page: PageSettings = PageSettings()
    runs: RunsSettings = NO_RUNS
    tick: bool = False
    engine: EngineSettings = NO_ENGINE
    files: tuple[Path, ...] = ()
    looked_for: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def own(self) -> tuple[LocationSpec, ...]:
        """All but the servers that run elsewhere."""
        return tuple(s for s in self.locations if isinstance(s.target, Target))


@dataclass(frozen=True, slots=True)
class CodeFrame:
    """What was running when code failed; `code` has lines with their numbers, of own files alone.

    `column`: where in the line a mistake of syntax is, from 0. `own`: no package's."""

    file: str
    line: int
    column: int | None
    function: str
    own: bool
    code: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not as it should be: one line, the whole story, and when (Unix seconds).

    `final`: nothing is tried again by itself, though nothing has to change for another try.
    `frames`: what was running, outermost first, as the protocol has it. `remedy`: what to paste
    or to do; empty where that is not known."""

    kind: ProblemKind
    summary: str
    detail: str = ""
    at: float = 0.0
    final: bool = False
    frames: tuple[CodeFrame, ...] = ()
    remedy: str = ""


class Phase(enum.StrEnum):
    """The phases of the lifecycle; `state` in the contract is derived from them."""

    STOPPED = "stopped"
    BUILDING = "building"
    STARTING = "starting"
    SERVING = "serving"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one runner loaded.

    `definitions` have the shape of the contract, without `location`. `sources` maps the absolute
    path of every imported source outside the environment to the blake2b digest of the bytes that
    were compiled. `core.shapes` makes one of what came from outside.
    """

    loader: str
    python: str
    load_seconds: float
    definitions: tuple[Mapping[str, Any], ...]
    sources: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Cold:
    """Why a runner is to start without a warm interpreter, although there may be one.

    `suspicion`: what to remember of the warm start if the load now goes well; "" where the code
    itself needs a cold start.
    """

    why: str
    suspicion: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: an exit status, or the signal that ended it."""

    status: int | None = None
    signal: int | None = None
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """Which process ended, how, and when (Unix seconds)."""

    pid: int
    exit: Exit
    at: float


@dataclass(frozen=True, slots=True)
class LastExit:
    """How the location's last runner ended; `asked` says that the daemon wanted it to."""

    ended: Ended
    asked: bool
