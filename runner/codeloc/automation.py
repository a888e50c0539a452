"""Schedules and sensors: functions that start jobs."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING, P, R_co
from codeloc.arguments import flag, named, one_of
from codeloc.definition import FunctionDefinition, name_of, opening
from codeloc.jobs import JobTarget
from codeloc.quantities import checked_duration, optional_duration
from codeloc.times import cron_problem, timezone_problem

if TYPE_CHECKING:
    from typing import Callable

    from typing_extensions import Unpack

    from codeloc.definition import Item, Labels
    from codeloc.jobs import JobReference
    from codeloc.namespace import Bound


CATCH_UP = ("latest", "none", "all")
OVERLAP = ("wait", "allow")


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
        catch_up: str = "latest",
        overlap: str = "wait",
        jitter: str | float | None = None,
        enabled: bool = True,
        timeout: str | float | None = None,
        name: str | None = None,
        **labels: Unpack[Labels],
    ) -> None:
        name = name_of(opening(self.maker, function), function, name)
        super().__init__(function, name, **labels)
        self.cron = self._sound("cron", cron, cron_problem)
        self.target = JobTarget(self._arguments, job)
        self.timezone = self._sound("timezone", timezone, timezone_problem)
        self.catch_up = one_of(self._arguments, "catch_up", catch_up, CATCH_UP)
        self.overlap = one_of(self._arguments, "overlap", overlap, OVERLAP)
        self.jitter = optional_duration(self._arguments, "jitter", jitter) or 0.0
        self.enabled = flag(self._arguments, "enabled", enabled)
        self.timeout = optional_duration(self._arguments, "timeout", timeout)

    def item(self, bound: Bound) -> Item:
        times = {"cron": self.cron, "timezone": self.timezone}
        return {**super().item(bound), **times, "job": self.target.name, **self._departures()}

    def _departures(self) -> Item:
        """Of its rules those that are not the usual ones."""
        rules: list[tuple[str, object, object]] = [
            ("catch_up", self.catch_up, CATCH_UP[0]),
            ("overlap", self.overlap, OVERLAP[0]),
            ("jitter", self.jitter, 0.0),
            ("enabled", self.enabled, True),
            ("timeout", self.timeout, None),
        ]
        return {name: value for name, value, usual in rules if value != usual}

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
    catch_up: str = "latest",
    overlap: str = "wait",
    jitter: str | float | None = None,
    enabled: bool = True,
    timeout: str | float | None = None,
    name: str | None = None,
    **labels: Unpack[Labels],
) -> Callable[[Callable[P, R_co]], ScheduleDefinition[P, R_co]]:
    """Makes a schedule of a function.

    `cron`: five fields as crontab(5) has them, or a macro such as `@daily`. `timezone`: an IANA
    name. `job`: one of the same namespace, or its name. `name`: the function's unless given.
    `catch_up`: of the times that were missed `"latest"`, `"none"` or `"all"`. `overlap`: `"wait"`
    for the run before, or `"allow"`. `jitter`: by up to so much it is later. `enabled`: from the
    start on. `timeout`: how long the function may take.
    """

    def make(function: Callable[P, R_co]) -> ScheduleDefinition[P, R_co]:
        return ScheduleDefinition(
            function,
            cron=cron,
            job=job,
            timezone=timezone,
            catch_up=catch_up,
            overlap=overlap,
            jitter=jitter,
            enabled=enabled,
            timeout=timeout,
            name=name,
            **labels,
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
        enabled: bool = True,
        timeout: str | float | None = None,
        name: str | None = None,
        **labels: Unpack[Labels],
    ) -> None:
        name = name_of(opening(self.maker, function), function, name)
        super().__init__(function, name, **labels)
        self.target = JobTarget(self._arguments, job)
        self.minimum_interval = checked_duration(
            self._arguments, "minimum_interval", minimum_interval
        )
        self.enabled = flag(self._arguments, "enabled", enabled)
        self.timeout = optional_duration(self._arguments, "timeout", timeout)

    def item(self, bound: Bound) -> Item:
        stated: Item = {"minimum_interval": self.minimum_interval, "job": self.target.name}
        if not self.enabled:
            stated["enabled"] = False
        if self.timeout is not None:
            stated["timeout"] = self.timeout
        return {**super().item(bound), **stated}


@named
def sensor(
    *,
    job: JobReference,
    minimum_interval: str | float = MINIMUM_INTERVAL,
    enabled: bool = True,
    timeout: str | float | None = None,
    name: str | None = None,
    **labels: Unpack[Labels],
) -> Callable[[Callable[P, R_co]], SensorDefinition[P, R_co]]:
    """Makes a sensor of a function.

    `minimum_interval`: between two askings, in seconds or as text such as "30s". `job`: one of
    the same namespace, or its name. `enabled`: from the start on. `timeout`: how long the function
    may take. `name`: the function's unless given.
    """

    def make(function: Callable[P, R_co]) -> SensorDefinition[P, R_co]:
        return SensorDefinition(
            function,
            job=job,
            minimum_interval=minimum_interval,
            enabled=enabled,
            timeout=timeout,
            name=name,
            **labels,
        )

    return make
