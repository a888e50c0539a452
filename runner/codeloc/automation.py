"""Schedules and sensors: functions that start jobs."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING, P, R_co
from codeloc.arguments import Arguments, named
from codeloc.definition import FunctionDefinition, name_of, opening
from codeloc.jobs import JobTarget
from codeloc.times import cron_problem, timezone_problem

if TYPE_CHECKING:
    from typing import Callable

    from typing_extensions import Unpack

    from codeloc.definition import Item, Labels
    from codeloc.jobs import JobReference
    from codeloc.namespace import Bound


UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
DURATION_FORM = 'seconds, or text such as "500ms", "30s", "5min", "2h", "1d"'


def duration_in_seconds(value: str | float) -> float | None:
    """The duration in seconds; None unless it is a finite number above 0 with a known unit."""
    duration = _parsed(value) if isinstance(value, str) else value
    return duration if duration is not None and 0 < duration < float("inf") else None


def _parsed(text: str) -> float | None:
    number = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text.strip()[len(number) :]
    try:
        return float(number) * UNITS[unit]
    except (KeyError, ValueError):
        return None


class ScheduleDefinition(FunctionDefinition[P, R_co]):
    """Times at which a job is due; see `schedule`."""

    kind = "schedule"
    maker = "@schedule"

    @named
    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        cron: str,
        job: JobReference,
        timezone: str = "UTC",
        name: str | None = None,
        **labels: Unpack[Labels],
    ) -> None:
        name = name_of(opening(self.maker, function), function, name)
        super().__init__(function, name, **labels)
        self.cron = self._sound("cron", cron, cron_problem)
        self.target = JobTarget(self._arguments, job)
        self.timezone = self._sound("timezone", timezone, timezone_problem)

    def item(self, bound: Bound) -> Item:
        times = {"cron": self.cron, "timezone": self.timezone}
        return {**super().item(bound), **times, "job": self.target.name}

    def _sound(self, argument: str, value: object, problem: Callable[[str], str | None]) -> str:
        text = self._arguments.text(argument, value)
        complaint = problem(text)
        if complaint:
            raise self._arguments.invalid(argument, complaint)
        return text


@named
def schedule(
    *,
    cron: str,
    job: JobReference,
    timezone: str = "UTC",
    name: str | None = None,
    **labels: Unpack[Labels],
) -> Callable[[Callable[P, R_co]], ScheduleDefinition[P, R_co]]:
    """Makes a schedule of a function.

    `cron`: five fields as crontab(5) has them, or a macro such as `@daily`. `timezone`: an IANA
    name. `job`: one of the same namespace, or its name. `name`: the function's unless given.
    """

    def make(function: Callable[P, R_co]) -> ScheduleDefinition[P, R_co]:
        return ScheduleDefinition(
            function, cron=cron, job=job, timezone=timezone, name=name, **labels
        )

    return make


MINIMUM_INTERVAL = "30s"
"""As Dagster has it."""


class SensorDefinition(FunctionDefinition[P, R_co]):
    """A function that is asked again and again whether a job is due; see `sensor`."""

    kind = "sensor"
    maker = "@sensor"

    @named
    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        job: JobReference,
        minimum_interval: str | float = MINIMUM_INTERVAL,
        name: str | None = None,
        **labels: Unpack[Labels],
    ) -> None:
        name = name_of(opening(self.maker, function), function, name)
        super().__init__(function, name, **labels)
        self.target = JobTarget(self._arguments, job)
        self.minimum_interval = _interval(self._arguments, minimum_interval)

    def item(self, bound: Bound) -> Item:
        interval = {"minimum_interval": self.minimum_interval}
        return {**super().item(bound), **interval, "job": self.target.name}


@named
def sensor(
    *,
    job: JobReference,
    minimum_interval: str | float = MINIMUM_INTERVAL,
    name: str | None = None,
    **labels: Unpack[Labels],
) -> Callable[[Callable[P, R_co]], SensorDefinition[P, R_co]]:
    """Makes a sensor of a function.

    `minimum_interval`: between two askings, in seconds or as text such as "30s". `job`: one of
    the same namespace, or its name. `name`: the function's unless given.
    """

    def make(function: Callable[P, R_co]) -> SensorDefinition[P, R_co]:
        return SensorDefinition(
            function, job=job, minimum_interval=minimum_interval, name=name, **labels
        )

    return make


def _interval(arguments: Arguments, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise arguments.wrong("minimum_interval", value, DURATION_FORM)
    seconds = duration_in_seconds(value)
    if seconds is None:
        complaint = f"{value!r} is not a duration: {DURATION_FORM}, above 0"
        raise arguments.invalid("minimum_interval", complaint)
    return seconds
