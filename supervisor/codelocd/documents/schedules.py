"""Schedules and sensors, as the daemon tells of them. Times in Unix seconds."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class LastTick(TypedDict):
    """What became of the newest. `at`: when; `run`: the first that it started, of a sensor the
    last. `scheduled_for` is None of a sensor."""

    at: float
    scheduled_for: float | None
    state: Literal["run", "skipped", "failed", "missed", "waiting"]
    run: int | None
    why: str | None


class TickDocument(TypedDict):
    """One row. `count`: of one `missed`, how many ticks it stands for."""

    scheduled_for: float
    at: float
    state: Literal["run", "skipped", "failed", "missed", "waiting"]
    why: str | None
    runs: list[int]
    count: int


class ScheduleDocument(TypedDict):
    """`ticks`: whether this daemon does that; `why`: why not, or why it is late. `missed`: what was
    left out with the newest tick. `cursor` and `failures` of native sensors alone; `upcoming` and
    `newest` only where they are asked for."""

    location: str
    repository: str
    name: str
    kind: Literal["schedule", "sensor"]
    cron: str | list[str] | None
    timezone: str | None
    minimum_interval: float | None
    job: str | None
    enabled: bool
    ticks: bool
    why: str | None
    next: float | None
    last: LastTick | None
    missed: int
    cursor: NotRequired[Any]
    failures: NotRequired[int]
    upcoming: NotRequired[list[float]]
    newest: NotRequired[list[TickDocument]]


class SensorPart(TypedDict):
    """What a native sensor has besides, or in place of a schedule's. `failures`: in a row."""

    next: float | None
    last: LastTick | None
    cursor: Any
    failures: int


class SchedulesDocument(TypedDict):
    """The answer of `schedules`."""

    schedules: list[ScheduleDocument]


class ScheduleSwitched(TypedDict):
    """The answer of `schedule_set`."""

    schedule: ScheduleDocument
