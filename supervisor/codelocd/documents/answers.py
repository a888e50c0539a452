"""The results of the daemon's other methods, and what `codelocd check` finds."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from codeloc_envs.documents import InstalledPackage, StoredEnvironment
from codelocd.documents.definitions import Conflict, Counts, Edge, Listed
from codelocd.documents.events import JournalEntry
from codelocd.documents.locations import (
    EnvironmentInUse,
    LocationState,
    LogLine,
    NodeStatus,
    ProblemDocument,
)


class Nothing(TypedDict):
    """The result of a method that has none."""


class LimitsDocument(TypedDict):
    """The daemon's bounds of one connection."""

    message_bytes: int
    in_flight: int
    depth: int
    elements: int
    heard_elements: int
    heard_text: int


class Hello(TypedDict):
    """The result of `hello`; `right` is what the one who asks may."""

    protocol: int
    version: str
    instance: str
    pid: int
    methods: list[str]
    limits: LimitsDocument
    right: NotRequired[Literal["read", "operate", "own"]]


class ActionOutcome(TypedDict):
    """What became of a location that was started, stopped, restarted or reloaded.

    `superseded`: a later order stopped it. `note`: that its runner had to be killed.
    """

    name: str
    ok: bool
    superseded: Literal["stop"] | None
    state: LocationState
    problem: ProblemDocument | None
    note: str | None


class ActionOutcomes(TypedDict):
    """The result of `start`, `stop`, `restart` and `reload`."""

    locations: list[ActionOutcome]


class CallResult(TypedDict):
    """The result of `call`: what the runner answered, and the generation of the runner."""

    result: Any
    generation: int | None


class CommandDocument(TypedDict):
    """The result of `command`; `specification` as `Specification.from_json` takes it."""

    executable: str
    prefix: str | None
    specification: dict[str, Any] | None
    declared_in: str
    user: str | None
    group: str | None
    environment: dict[str, str]
    working_directory: str
    placed: bool


class CommandOutcome(TypedDict):
    """The result of `exec`. `why`: one line where the command was not run."""

    status: int | None
    signal: int | None
    why: str


class LogsDocument(TypedDict):
    """The result of `logs`; `last` are the numbers of the newest lines, by location."""

    lines: list[LogLine]
    last: dict[str, int]
    more: bool


class EventsDocument(TypedDict):
    """The result of `events`; `last` is the number of the newest entry."""

    events: list[JournalEntry]
    last: int


class ThreadStack(TypedDict):
    """Where one thread is, the outermost frame first."""

    name: str
    stack: list[str]


class ProcessStacks(TypedDict):
    """Where the threads of a process are; `note`: what else is known, or why there are none."""

    pid: int
    threads: list[ThreadStack]
    note: str


class StacksDocument(ProcessStacks):
    """The result of `stacks`: of a location's runner, and of its warm interpreter."""

    location: str
    warm: ProcessStacks | None


class EnvironmentDocument(StoredEnvironment):
    """One environment in the result of `environments`; `used_by` are locations."""

    used_by: list[str]


class ShownEnvironment(TypedDict):
    """The result of `environment`: one of the store, or one of the user's own that a location uses,
    of which sizes and times are not known. `inputs`: the files that describe it."""

    key: str
    path: str | None
    python: str
    packages: list[InstalledPackage]
    size: int | None
    shared: int | None
    created: float | None
    last_used: float | None
    why: list[str]
    used_by: list[str]
    inputs: list[str]


class EnvironmentsDiff(TypedDict):
    """The result of `diff`, and of `env diff`: each of `changed` is a name and both versions."""

    keys: list[str]
    python: list[str]
    removed: list[str]
    added: list[str]
    changed: list[list[str]]


class ConfigChanges(TypedDict):
    """What another config means for locations; `changes` has before and after by key."""

    added: list[str]
    removed: list[str]
    reloaded: list[str]
    adjusted: list[str]
    changes: dict[str, dict[str, tuple[Any, Any]]]


class AppliedConfig(ConfigChanges):
    """The result of `apply`; `pending`: what takes effect only with another start."""

    pending: str | None


class Subscribed(TypedDict):
    """The result of `subscribe`."""

    subscription: int
    instance: str
    seq: int


class CheckedLocation(TypedDict):
    """One location in the document of `check`."""

    name: str
    ok: bool
    problem: ProblemDocument | None
    definitions: Counts
    environment: EnvironmentInUse | None


class CheckDocument(TypedDict):
    """The document of `check`; `definitions` and `edges` where they are asked for."""

    locations: list[CheckedLocation]
    definitions: NotRequired[list[Listed]]
    edges: NotRequired[list[Edge]]
    conflicts: list[Conflict]


class DrainedNode(TypedDict):
    """The result of `drain`; `locations` are moved from now on, where it drains."""

    node: str
    draining: bool
    locations: list[str]


class CheckedEngine(TypedDict):
    """The document of `engine check`. `refused`: nothing will help but a change. `token`, `tls`:
    whether the config has them. `notes`: what else the bridge has to say."""

    reached: bool
    refused: bool
    problems: list[str]
    notes: list[str]
    engine: str | None
    version: str | None
    python: str | None
    token: bool
    tls: bool
    nodes: list[NodeStatus]
