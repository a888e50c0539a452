"""Which locations start from which warm interpreter: those that may share their imports do."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from codelocd.launchers import RunnerSpec
from codelocd.launchers.memory import Memory
from codelocd.launchers.slot import Slot
from codelocd.launchers.warm_interpreter import Readiness, WarmInterpreter
from codelocd.model import StartMethod
from codelocd.process import Children
from codelocd.warm import (
    Beside,
    Imports,
    cold_packages,
    common,
    newly_cold,
    shareable,
    visible,
    with_beside,
)

LOOK_AGAIN = 60.0
"""Seconds between two looks at what is idle, while anything may be warm."""

SHORT_OF_MEMORY = 0.05
"""The part of the machine's memory below which nothing is kept warm."""

NOTHING: Beside = {}


@dataclass(slots=True, eq=False)
class Place:
    """A slot, the locations that start from it, and the first start that it was made for."""

    slot: Slot
    spec: RunnerSpec
    method: StartMethod
    locations: dict[str, None] = field(default_factory=dict)

    def fits(self, spec: RunnerSpec, method: StartMethod, read: frozenset[str]) -> bool:
        """Whether imports cannot tell the two apart, by the variables that they read."""
        return (
            (self.spec.environment, self.spec.executable) == (spec.environment, spec.executable)
            and self.method == method
            and visible(self.spec.variables, read) == visible(spec.variables, read)
        )


class Places:
    """Comes and goes with the locations; looks after what is warm while anything is.

    `beside` says what else is preloaded for the programs beside runners.
    `news(environment)` is called, soon, when preloading has shown that packages are cold there.
    """

    def __init__(
        self,
        children: Children,
        entry: Path,
        memory: Memory,
        *,
        idle: float,
        beside: Beside = NOTHING,
    ) -> None:
        self._children = children
        self._entry = entry
        self._memory = memory
        self._idle = idle
        self._beside = beside
        self.news: Callable[[str], None] = _nobody
        self._places: list[Place] = []
        self._next_look: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def of(self, spec: RunnerSpec, method: StartMethod) -> Place:
        """Where this location starts from now; it leaves every other place."""
        place = self.fitting(spec, method) or self._new(spec, method)
        place.locations[spec.location] = None
        self.leave(spec.location, but=place)
        self._keep_looking()
        return place

    def leave(self, location: str, *, but: Place | None = None) -> None:
        """It starts from no place, or from one alone: what it imports counts nowhere else."""
        for place in tuple(self._places):
            if place is not but and location in place.locations:
                self._leave(place, location)

    def fitting(self, spec: RunnerSpec, method: StartMethod) -> Place | None:
        """The place that there is for what would be started so."""
        read = self._memory.of(spec.environment).variables
        return next((each for each in self._places if each.fits(spec, method, read)), None)

    def having(self, location: str) -> Place | None:
        """The place that the location starts from now."""
        return next((each for each in self._places if location in each.locations), None)

    def look_after(self) -> None:
        """Retire what is idle, and everything when the machine is short of memory."""
        now, short = asyncio.get_running_loop().time(), _is_short_of_memory()
        for place in self._places:
            if short or now - place.slot.used > self._idle:
                place.slot.retire()

    def close(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        for place in self._places:
            place.slot.close()

    def _leave(self, place: Place, location: str) -> None:
        del place.locations[location]
        if place.locations:
            place.slot.refresh()
        else:
            self._places.remove(place)
            place.slot.close()

    def _new(self, spec: RunnerSpec, method: StartMethod) -> Place:
        environment, sharing = spec.environment, method == "fork"

        def make(imports: Imports) -> WarmInterpreter:
            if _is_short_of_memory():
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            return WarmInterpreter(
                self._children, self._entry, spec.executable, spec.variables, imports
            )

        slot = Slot(
            make,
            wanted=lambda: self._wanted(place),
            cold=lambda: self._cold(environment),
            found=lambda readiness: self._found(environment, readiness),
            sharing=sharing,
        )
        place = Place(slot, spec, method)
        self._places.append(place)
        return place

    def _wanted(self, place: Place) -> Imports | None:
        """What all locations of a place import, as far as they are known."""
        environment = place.spec.environment
        learned = self._memory.of(environment).locations
        known = [learned[name] for name in place.locations if name in learned]
        if not known:
            return None
        imports = common(known)
        if place.method != "fork":
            return imports
        return shareable(with_beside(imports, self._beside), self._cold(environment))

    def _cold(self, environment: str) -> Mapping[str, str]:
        return cold_packages(self._memory.of(environment))

    def _found(self, environment: str, readiness: Readiness) -> bool:
        """Whether an interpreter that has preloaded may be used."""
        former = self._memory.of(environment)
        learned = former.with_cold(newly_cold(readiness.cold))
        self._memory.keep(environment, learned.with_variables(readiness.variables))
        if learned.cold != former.cold:
            asyncio.get_running_loop().call_soon(self.news, environment)
        return not readiness.offences

    def _keep_looking(self) -> None:
        if self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._next_look = None
        self.look_after()
        if self._places:
            self._keep_looking()


def _nobody(_environment: str) -> None:
    """Whom the news go to until somebody asks for them."""


def _is_short_of_memory() -> bool:
    memory = psutil.virtual_memory()
    return bool(memory.available < SHORT_OF_MEMORY * memory.total)
