"""What is asked of a schedule or a sensor, and what it has answered. Pure.

The answer comes from a process with user code in it: it is checked before it is believed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from codelocd.core import shapes
from codelocd.core.shapes import WrongShape
from codelocd.runs.encoding import ORDER_FORMAT, utc_offset
from codelocd.runs.model import RunRecord

MOST_RUNS = 1000
"""Of one evaluation, as `codeloc` has it."""
CURSOR_BYTES = 1024 * 1024
"""Of a cursor as JSON."""

AnswerState = Literal["succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Starter:
    """What is asked. `scheduled_for` and `timezone` are a schedule's, `cursor` a sensor's.

    `last_run`: the newest run that it has started.
    """

    location: str
    repository: str
    name: str
    scheduled_for: float | None = None
    timezone: str | None = None
    cursor: Any = None
    last_run: RunRecord | None = None

    def __str__(self) -> str:
        return f"{self.location}/{self.name}"


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A run that shall start; `key` as its function has it."""

    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of asking. `summary`: why it failed, in one line; `skipped`: the reason why nothing
    starts, if there is one. `code`: what names the code that was asked."""

    runs: tuple[RequestedRun, ...] = ()
    skipped: str | None = None
    cursor: Any = None
    summary: str | None = None
    problem: Mapping[str, Any] | None = None
    code: str | None = None

    @property
    def failed(self) -> bool:
        return self.summary is not None


def evaluation_part(starter: Starter) -> dict[str, Any]:
    """What an order says of what is asked; docs/protocol.md has it."""
    return {
        "format": ORDER_FORMAT,
        "evaluate": starter.name,
        "repository": starter.repository,
        "scheduled_for": starter.scheduled_for,
        "utc_offset": utc_offset(starter.scheduled_for, starter.timezone),
        "cursor": starter.cursor,
        "last_run": None if starter.last_run is None else _last_run(starter.last_run),
    }


def _last_run(run: RunRecord) -> dict[str, Any]:
    return {
        "id": run.id,
        "state": run.state.value,
        "key": run.wish.key,
        "queued": run.queued,
        "ended": run.ended,
    }


def checked_evaluation(data: bytes) -> Evaluation:
    """The evaluation in the answer of its process. Raises WrongShape."""
    given = shapes.read(data)
    if given.get("state") == "failed":
        summary = given.get("summary")
        problem = given.get("problem")
        return Evaluation(
            summary=summary if type(summary) is str and summary else "it failed and says not why",
            problem=problem if type(problem) is dict else None,
        )
    if given.get("state") != "succeeded":
        raise WrongShape("state is not one of succeeded, failed")
    runs = given.get("runs")
    if type(runs) is not list or len(runs) > MOST_RUNS:
        raise WrongShape(f"runs is no list of at most {MOST_RUNS}")
    if type(given.get("skipped")) not in (str, type(None)):
        raise WrongShape("skipped is no text")
    size = len(json.dumps(given.get("cursor")))
    if size > CURSOR_BYTES:
        summary = f"its cursor takes {size} bytes as JSON, and {CURSOR_BYTES} is the most"
        return Evaluation(summary=summary)
    return Evaluation(
        tuple(map(_requested, runs)),
        given.get("skipped"),
        given.get("cursor"),
    )


def _requested(told: Any) -> RequestedRun:
    if type(told) is not dict or type(told.get("params")) is not dict:
        raise WrongShape("a run has no params")
    tags = told.get("tags")
    if type(tags) is not dict or not all(type(value) is str for value in tags.values()):
        raise WrongShape("the tags of a run are no object of texts")
    if type(told.get("key")) not in (str, type(None)):
        raise WrongShape("the key of a run is no text")
    return RequestedRun(told["params"], tags, told["key"])
