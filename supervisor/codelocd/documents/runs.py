"""Runs of what locations define, as the daemon tells of them."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, final

from codelocd.documents.locations import RunLine

RunStateName: TypeAlias = Literal[
    "queued", "starting", "running", "succeeded", "failed", "cancelled", "lost"
]


class RunCode(TypedDict):
    """The code that it executes: its generation, the digest of its manifest, and by path the
    digests of what was imported late."""

    generation: int | None
    manifest: str | None
    late: list[str]


class RunAttemptDocument(TypedDict):
    """One process of a run. Times in Unix seconds; `seconds`: as of a run."""

    number: int
    state: RunStateName
    pid: int | None
    start_method: str | None
    start_why: str | None
    started: float | None
    ended: float | None
    seconds: float | None
    exit: int | None
    signal: int | None
    why: str | None
    summary: str | None
    problem: dict[str, Any] | None
    memory_peak: int | None


class _FactsOfRun(TypedDict):
    """What is told of a run everywhere. Times in Unix seconds; `seconds`: how long it took, or has
    when this is told, by a clock that is never set. None: it was not started. `retry_at`: when its
    next attempt may begin, while it waits for that."""

    id: int
    uuid: str
    location: str
    repository: str
    job: str | None
    select: list[str] | None
    state: RunStateName
    why: str | None
    summary: str | None
    stopping: str | None
    by: dict[str, Any]
    key: str | None
    params: dict[str, Any]
    config: dict[str, Any] | None
    tags: dict[str, str]
    retry_of: int | None
    scheduled_for: float | None
    code: RunCode
    environment: str | None
    queued: float
    started: float | None
    ended: float | None
    seconds: float | None
    retry_at: float | None
    dagster_run: str | None


@final
class RunDocument(_FactsOfRun):
    """One run. `steps`: as attempts tell them. `waits_for`: by `run_show` alone, what holds it back
    while it waits in the queue, each in words."""

    attempts: list[RunAttemptDocument]
    steps: list[dict[str, Any]]
    waits_for: NotRequired[list[str]]


@final
class RunSummary(_FactsOfRun):
    """The same without its steps. `attempt`: the number of the newest; `counts`: of steps, by their
    state."""

    attempt: int | None
    counts: dict[str, int]


@final
class NewRun(TypedDict):
    """The result of `run` and of `run_retry`. `new`: False where its key was known."""

    id: int
    uuid: str
    new: bool
    run: RunDocument


@final
class RunsDocument(TypedDict):
    """The result of `runs`, the newest first. `more`: there are older ones."""

    runs: list[RunDocument]
    more: bool


@final
class ShownRun(TypedDict):
    """The result of `run_show` and of `run_cancel`. `code`: texts by path, where asked for."""

    run: RunDocument
    code: NotRequired[dict[str, str]]


@final
class RunLogsDocument(TypedDict):
    """The result of `run_logs`: `last` is the number of the run's newest line."""

    lines: list[RunLine]
    last: int
    more: bool
