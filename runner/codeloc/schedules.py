"""Schedules."""

from __future__ import annotations

from codeloc import cron as crontab
from codeloc import timezones
from codeloc._typing import TYPE_CHECKING, P, R_co
from codeloc.arguments import named
from codeloc.definition import FunctionDefinition, name_of, opening
from codeloc.jobs import Target

if TYPE_CHECKING:
    from typing import Any, Callable

    from typing_extensions import Unpack

    from codeloc.binding import Bound
    from codeloc.jobs import JobReference
    from codeloc.labels import Labels


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
        self.cron = self._sound("cron", cron, crontab.problem)
        self.target = Target(self._arguments, job)
        self.timezone = self._sound("timezone", timezone, timezones.problem)

    def item(self, bound: Bound) -> dict[str, Any]:
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
