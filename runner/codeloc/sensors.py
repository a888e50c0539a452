"""Sensors."""

from __future__ import annotations

from codeloc import durations
from codeloc._typing import TYPE_CHECKING, P, R_co
from codeloc.arguments import Arguments, named
from codeloc.definition import FunctionDefinition, name_of, opening
from codeloc.jobs import Target

if TYPE_CHECKING:
    from typing import Any, Callable

    from typing_extensions import Unpack

    from codeloc.binding import Bound
    from codeloc.jobs import JobReference
    from codeloc.labels import Labels

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
        self.target = Target(self._arguments, job)
        self.minimum_interval = _seconds(self._arguments, minimum_interval)

    def item(self, bound: Bound) -> dict[str, Any]:
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


def _seconds(arguments: Arguments, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise arguments.wrong("minimum_interval", value, durations.FORM)
    seconds = durations.seconds(value)
    if seconds is None:
        complaint = f"{value!r} is not a duration: {durations.FORM}, above 0"
        raise arguments.invalid("minimum_interval", complaint)
    return seconds
