"""What assets and jobs say of their runs: how often they are tried, and what they may take."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import NAME, Arguments, is_name, named
from codeloc.definition import Definition
from codeloc.quantities import BITS, checked_size, optional_duration

if TYPE_CHECKING:
    from typing import Any, Mapping, Optional, Union

    from typing_extensions import Unpack

    from codeloc.definition import Item, Labels
    from codeloc.functions import Source
    from codeloc.namespace import Bound

    class RunOptions(Labels, total=False):
        """The keyword arguments that assets and jobs take besides.

        `retries`: further attempts of a run that failed; `retry_delay`: before the first of
        them. `timeout`: of one attempt of a job, or of the making of one asset.
        `memory_limit`: of an attempt with all its children. `limits`: by name, how many runs
        with that name in their limits may go on at a time.
        """

        retries: Optional[int]
        retry_delay: Optional[Union[str, float]]
        timeout: Optional[Union[str, float]]
        memory_limit: Optional[Union[str, int]]
        limits: Optional[Mapping[str, int]]


MOST_RETRIES = 100


class RunnableDefinition(Definition):
    """An asset or a job. What its author did not state is None: then others decide."""

    @named
    def __init__(
        self,
        name: str,
        source: Source,
        *,
        retries: int | None = None,
        retry_delay: str | float | None = None,
        timeout: str | float | None = None,
        memory_limit: str | int | None = None,
        limits: Mapping[str, int] | None = None,
        **labels: Unpack[Labels],
    ) -> None:
        super().__init__(name, source, **labels)
        arguments = self._arguments
        self.retries = None if retries is None else _retries(arguments, retries)
        self.retry_delay = optional_duration(arguments, "retry_delay", retry_delay)
        self.timeout = optional_duration(arguments, "timeout", timeout)
        self.memory_limit = (
            None if memory_limit is None else checked_size(arguments, "memory_limit", memory_limit)
        )
        self.limits = _limits(arguments, limits)

    def item(self, bound: Bound) -> Item:
        return {**super().item(bound), **self._stated()}

    def _stated(self) -> Item:
        stated: dict[str, Any] = {
            "retries": self.retries,
            "retry_delay": self.retry_delay,
            "timeout": self.timeout,
            "memory_limit": self.memory_limit,
            "limits": self.limits or None,
        }
        return {name: value for name, value in stated.items() if value is not None}


def _retries(arguments: Arguments, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise arguments.wrong("retries", value, "int")
    if not 0 <= value <= MOST_RETRIES:
        raise arguments.invalid("retries", f"{value} is not from 0 to {MOST_RETRIES}")
    return value


def _limits(arguments: Arguments, value: object) -> dict[str, int]:
    found = arguments.mapping("limits", value)
    for name, count in found.items():
        place = f"limits[{name!r}]"
        if not is_name(name):
            raise arguments.invalid("limits", f"{name!r} is not a name: use only {NAME}")
        if isinstance(count, bool) or not isinstance(count, int):
            raise arguments.wrong(place, count, "int")
        if count < 1:
            raise arguments.invalid(place, f"{count} would let no run begin: at least 1")
        if count.bit_length() > BITS:
            raise arguments.invalid(place, f"an integer of more than {BITS} bits: leave it out")
    return found
