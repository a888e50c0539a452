"""Locations and their daemon, as `status` and `show` tell of them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict, final

from codeloc_envs.environment import Origin
from codelocd.documents.definitions import Counts, Listed
from codelocd.model import ProblemKind, StartMethod, Stream

LocationState: TypeAlias = Literal[
    "serving", "stopped", "building", "starting", "backoff", "failed", "stopping", "external"
]
CandidateState: TypeAlias = Literal["building", "starting"]
Condition: TypeAlias = Literal["stopped", "silent", "gone"]
"""Of the process of a daemon that does not answer."""


class FrameDocument(TypedDict):
    """What was running when code failed; each of `code` is a number and the line that has it."""

    file: str
    line: int
    column: int | None
    function: str
    own: bool
    code: list[list[int | str]]


class ProblemDocument(TypedDict):
    """Why something is not as it should be."""

    kind: ProblemKind
    summary: str
    detail: str
    at: float
    frames: list[FrameDocument]
    remedy: str | None


class EnvironmentInUse(TypedDict):
    """The environment of a location."""

    key: str
    path: str | None
    python: str
    executable: str
    origin: Origin


class ExitDocument(TypedDict):
    """How the last runner of a location ended."""

    pid: int
    status: int | None
    signal: int | None
    at: float
    asked: bool


class RunCountsDocument(TypedDict):
    """Of a location: how many runs go on, and how many wait."""

    running: int
    queued: int


class LocationFacts(TypedDict):
    """What `status` and `show` both say of a location; `wanted` is None where it is external."""

    name: str
    state: LocationState
    phase_seconds: float | None
    wanted: bool | None
    reloading: CandidateState | None
    stale: bool
    generation: int | None
    restarts: int
    restarts_1h: int
    last_exit: ExitDocument | None
    last_failure: ProblemDocument | None
    last_answer: float | None
    pid: int | None
    node: str | None
    start_method: StartMethod | None
    release: str | None
    uptime: float | None
    memory: int | None
    cpu: float | None
    environment: EnvironmentInUse | None
    loader: str | None
    load_seconds: float | None
    problem: ProblemDocument | None
    changed_by: str | None
    left_out: list[str]
    runs: RunCountsDocument


class LocationStatus(LocationFacts):
    """A location in the result of `status`."""

    definitions: Counts


class ConfigDocument(TypedDict):
    """How the files of the config stand to what runs."""

    file: str | None
    state: Literal["applied", "changed", "invalid"]
    problem: str | None
    at: float


class StartDocument(TypedDict):
    """How a process was started, and why in that way."""

    start_method: StartMethod
    why: str


class DagsterStatus(TypedDict):
    """What of Dagster's own runs."""

    url: str | None
    home: str
    workspace: str
    pids: dict[str, int | None]
    servers: dict[str, int]
    starts: dict[str, StartDocument]


class EngineStatus(TypedDict):
    """The engine that places locations on nodes, as the daemon knows it. `why`: why its cluster is
    out of reach, "" where it is not; `since` Unix seconds. `nodes` as its bridge has them."""

    kind: str
    address: str | None
    up: bool
    why: str
    since: float
    pid: int | None
    version: str | None
    python: str | None
    nodes: list[NodeStatus]


class NodeStatus(TypedDict):
    """One node of the cluster. `resources`: of each `total` and `free`; `clock_skew`: seconds by
    which its clock is ahead, where it was asked."""

    id: str
    name: str
    address: str
    state: str
    labels: dict[str, str]
    resources: dict[str, dict[str, float]]
    runners: int
    pythons: list[str] | None
    clock_skew: float | None


class DroppedOutput(TypedDict):
    """How many bytes of a location's output could not be written, and what was in the way."""

    bytes: int
    why: str | None


class DaemonStatus(TypedDict):
    """The daemon itself in the result of `status`.

    Where it does not answer, `condition` is that of its process, and the rest is as it kept it
    `age` seconds before, at `as_of`. `ending`: what asked it to end, while it ends in order.
    """

    pid: int
    at: float
    answers: bool
    condition: NotRequired[Condition]
    as_of: NotRequired[float]
    age: NotRequired[float]
    version: str
    uptime: float | None
    instance: str
    revision: int
    socket: str
    dagster: DagsterStatus | None
    engine: EngineStatus | None
    config: ConfigDocument
    dropped: dict[str, DroppedOutput]
    warnings: list[str]
    ending: str | None
    events: int


class StatusDocument(TypedDict):
    """The result of `status`; `schema` is the number of its shape."""

    schema: int
    daemon: DaemonStatus
    locations: list[LocationStatus]


TimingDocument = TypedDict(
    "TimingDocument",
    {
        "event": float | None,
        "decision": float | None,
        "start": float | None,
        "import": float | None,
        "snapshot": float | None,
        "publish": float | None,
        "total": float | None,
    },
)
"""Seconds of each part of a load."""


class HooksDocument(TypedDict):
    """How many functions each module had registered that a runner inherited."""

    at_exit: dict[str, int]
    at_fork: dict[str, int]


class Reasons(TypedDict):
    """Which rules gave a location its environment and its start method."""

    environment: str | None
    inputs: list[str]
    start_method: str | None
    placement: str | None
    hooks: HooksDocument | None


@final
class LogLine(TypedDict):
    """One line that a location printed, and its number among those of the location."""

    seq: int
    at: float
    location: str
    stream: Stream
    text: str
    generation: int | None


@final
class LogBlock(TypedDict):
    """Lines that came together; the first of `texts` has the number `seq`."""

    seq: int
    at: float
    location: str
    stream: Stream
    texts: list[str]
    generation: int | None


@final
class RunLine(TypedDict):
    """One line that an attempt of a run printed, and its number among those of the run."""

    seq: int
    at: float
    location: str
    stream: Stream
    text: str
    generation: int | None
    run: int
    attempt: int | None


@final
class RunLogBlock(TypedDict):
    """Lines of a run that came together; the first of `texts` has the number `seq`. `generation`
    is the attempt, too."""

    seq: int
    at: float
    location: str
    stream: Stream
    texts: list[str]
    generation: int | None
    run: int
    attempt: int | None


PrintedBlock: TypeAlias = LogBlock | RunLogBlock


class LocationAccount(TypedDict):
    """What `show` says of a location beside its facts, and what is kept of it on disk."""

    counts: Counts
    why: Reasons | None
    timing: TimingDocument | None
    declared_in: str
    working_directory: str | None
    variables: list[str]
    lock: str | None


class _LocationPage(LocationFacts, LocationAccount):
    """What `show` says of a location, whether a daemon runs or not."""

    definitions: list[Listed]
    sources: list[str]
    output: list[LogLine]


class WatchedApart(TypedDict):
    """What is watched otherwise than the rest: folders that are looked at now and then, files that
    loads write."""

    polled: list[str]
    own_writes: list[str]


@final
class ShownLocation(_LocationPage, WatchedApart):
    """The result of `show` for a location."""

    config: ConfigDocument


@final
class LeftLocation(_LocationPage):
    """What `codelocd show` says of a location where no daemon runs, and when it was written."""

    left_at: float | None


class KeptLocation(LocationStatus, LocationAccount):
    """What a daemon leaves on disk of a location, for `show` where none runs."""
