"""What happens, as the journal keeps it and as subscribers hear of it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, final

from codeloc_envs.documents import ProgressDocument
from codelocd.documents.definitions import DefinitionsDocument, Listed
from codelocd.documents.locations import (
    ConfigDocument,
    LocationState,
    LocationStatus,
    LogBlock,
    LogLine,
    RunLine,
    RunLogBlock,
    StatusDocument,
    TimingDocument,
)
from codelocd.documents.runs import RunDocument, RunSummary
from codelocd.model import StartMethod


class LostLines(TypedDict):
    """Stands for lines or entries that are lost: `gap` of them, the first with the number `seq`."""

    seq: int
    location: str | None
    gap: int


class JournalEntry(TypedDict):
    """One thing that happened; `location` is None where it happened to the daemon itself.

    `attempt`: the number of the location's newest attempt. `by`: what or who asked for it. `timing`
    and the numbers of definitions `added`, `changed`, `removed`: of a load that took over.
    """

    seq: int
    at: float
    location: str | None
    event: str
    before: LocationState | None
    after: LocationState | None
    generation: int | None
    detail: str | None
    attempt: int | None
    by: str | None
    timing: TimingDocument | None
    added: int | None
    changed: int | None
    removed: int | None


class _FullState(TypedDict):
    """`missed`: events were lost before this."""

    full: Literal[True]
    missed: bool


@final
class StatusNews(TypedDict):
    """`location` is None where the event is of the daemon itself; `config`: where it is of that."""

    event: JournalEntry
    location: LocationStatus | None
    config: NotRequired[ConfigDocument]


@final
class FullStatus(_FullState, StatusDocument):
    """What a subscriber to `status` starts from."""


@final
class DefinitionsNews(TypedDict):
    """What became another in the definitions of a location."""

    location: str
    generation: int
    revision: int
    seconds: float | None
    added: list[Listed]
    changed: list[Listed]
    removed: list[Listed]
    fields: list[dict[str, list[Any]]]
    timing: TimingDocument | None
    start_method: StartMethod | None


@final
class FullDefinitions(_FullState, DefinitionsDocument):
    """What a subscriber to `definitions` starts from."""


@final
class BuildStep(ProgressDocument):
    """How far the building of a location's environment is."""

    location: str


class _UsageFields(TypedDict):
    """What runners use, by location: bytes of memory, and the share of a core since the sample
    before. None where there is no runner, or no sample of it."""

    at: float
    locations: dict[str, list[float | None] | None]


@final
class UsageDocument(_UsageFields):
    """A sample of all."""


@final
class FullUsage(_FullState, _UsageFields):
    """What a subscriber to `usage` starts from: the newest sample, if there is one."""


@final
class FullOfNothing(_FullState):
    """What a subscriber to `logs`, `run_logs` or `builds` starts from: they have no state."""


@final
class RunNewsDocument(TypedDict):
    """A run is new, or has changed."""

    event: Literal["run"]
    run: RunSummary


@final
class ToldByRun(TypedDict):
    """An attempt of the run tells something: an event of docs/protocol.md, or `retry`."""

    event: Literal["told"]
    id: int
    attempt: int
    told: dict[str, Any]


@final
class FullRuns(_FullState):
    """What a subscriber to `runs` starts from: those that have not ended, and the last that have,
    the newest first, without metadata."""

    runs: list[RunDocument]


class _EventEnvelope(TypedDict):
    """What surrounds the data of an event."""

    subscription: int
    seq: int


class StatusEvent(_EventEnvelope):
    topic: Literal["status"]
    data: StatusNews | FullStatus


class DefinitionsEvent(_EventEnvelope):
    topic: Literal["definitions"]
    data: DefinitionsNews | FullDefinitions


class LogsEvent(_EventEnvelope):
    topic: Literal["logs"]
    data: LogLine | LogBlock | FullOfNothing


class RunLogsEvent(_EventEnvelope):
    topic: Literal["run_logs"]
    data: RunLine | RunLogBlock | FullOfNothing


class RunsEvent(_EventEnvelope):
    topic: Literal["runs"]
    data: RunNewsDocument | ToldByRun | FullRuns


class BuildsEvent(_EventEnvelope):
    topic: Literal["builds"]
    data: BuildStep | FullOfNothing


class UsageEvent(_EventEnvelope):
    topic: Literal["usage"]
    data: UsageDocument | FullUsage


TopicEvent: TypeAlias = (
    StatusEvent | DefinitionsEvent | LogsEvent | BuildsEvent | UsageEvent | RunsEvent | RunLogsEvent
)
"""The parameters of the notification `event`."""
