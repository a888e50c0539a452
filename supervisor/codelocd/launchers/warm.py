"""Runners from warm interpreters where that is possible, and on their own where it is not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from codelocd.launchers import RunnerSpec
from codelocd.launchers.local import LocalLauncher, LocalRunner
from codelocd.launchers.memory import Memory
from codelocd.launchers.slot import Slot
from codelocd.launchers.warm_interpreter import Readiness, Refused, WarmInterpreter
from codelocd.launchers.warm_runner import Report, WarmRunner
from codelocd.model import StartMethod
from codelocd.process import Children
from codelocd.warm import (
    Choice,
    Imports,
    after_load,
    choose,
    cold_packages,
    common,
    newly_cold,
    shareable,
)

UPKEEP = 60.0
"""Seconds between two looks at what is idle, while anything is warm."""

SHORT_OF_MEMORY = 0.05
"""The part of the machine's memory below which nothing is kept warm."""


@dataclass(slots=True, eq=False)
class Place:
    """A slot and the locations that start from it: of one environment, with the same variables."""

    environment: str
    slot: Slot
    locations: dict[str, None] = field(default_factory=dict)


class WarmLauncher:
    """Decides for each start; warm interpreters come, are renewed and go in the background."""

    def __init__(
        self,
        cold: LocalLauncher,
        children: Children,
        entry: Path,
        memory: Memory,
        *,
        idle: float,
        platform: str = sys.platform,
    ) -> None:
        self._cold = cold
        self._children = children
        self._entry = entry
        self._memory = memory
        self._idle = idle
        self._platform = platform
        self._places: dict[object, Place] = {}
        self._seconds: dict[str, float] = {}
        self._upkeep: asyncio.TimerHandle | None = None

    async def start(self, spec: RunnerSpec) -> WarmRunner:
        learned = self._memory.of(spec.environment)
        choice = choose(spec.start_method, spec.location, learned, spec.variables, self._platform)
        if choice.method == "spawn":
            return self._runner(await self._cold.start(spec), spec, choice, None, None)
        place = self._place(spec, choice.method)
        interpreter = await place.slot.take(hurry=spec.beside)
        if interpreter is None:
            why = "no warm interpreter was ready"
        else:
            try:
                runner = await self._from(interpreter, spec, choice)
                return self._runner(runner, spec, choice, place, interpreter.imports)
            except (Refused, OSError, TimeoutError) as failure:
                why = str(failure) or "the warm interpreter does not answer"
                if not isinstance(failure, Refused) or failure.stale:
                    interpreter.kill()
        return self._runner(await self._cold.start(spec), spec, Choice("spawn", why), place, None)

    def close(self) -> None:
        """End every warm interpreter."""
        if self._upkeep is not None:
            self._upkeep.cancel()
        for place in self._places.values():
            place.slot.close()

    # --- starting ------------------------------------------------------------------------------

    async def _from(
        self, interpreter: WarmInterpreter, spec: RunnerSpec, choice: Choice
    ) -> LocalRunner:
        order: Literal["fork", "become"] = "fork" if choice.method == "fork" else "become"
        runner = await self._cold.through(
            lambda listener, path: interpreter.runner(order, spec, listener, path)
        )
        if order == "become":
            interpreter.close()
        return runner

    def _runner(
        self,
        runner: LocalRunner,
        spec: RunnerSpec,
        choice: Choice,
        place: Place | None,
        shared: Imports | None,
    ) -> WarmRunner:
        report = Report(
            loaded=lambda seen, method, seconds: self._loaded(
                spec, place, seen, None if method == "spawn" else shared, seconds
            ),
            ended=lambda: place.slot.learned() if place is not None else None,
            suspected=lambda what: self._suspect(spec.environment, what),
        )
        return WarmRunner(
            runner,
            spec,
            choice.method,
            choice.why,
            cold=self._cold,
            report=report,
            former_seconds=self._seconds.get(spec.location, 0.0),
        )

    # --- learning ------------------------------------------------------------------------------

    def _loaded(
        self,
        spec: RunnerSpec,
        place: Place | None,
        seen: Imports,
        shared: Imports | None,
        seconds: float,
    ) -> None:
        learned = self._memory.of(spec.environment)
        imports = after_load(learned.locations.get(spec.location), seen, shared)
        self._memory.keep(spec.environment, learned.with_location(spec.location, imports))
        if shared is None:
            self._seconds[spec.location] = seconds
        if place is not None:
            place.slot.learned()
            place.slot.refresh()
            self._keep_up()

    def _suspect(self, environment: str, what: str) -> None:
        self._memory.keep(environment, self._memory.of(environment).with_suspicion(what))

    def _found(self, environment: str, readiness: Readiness) -> bool:
        """Whether an interpreter that has preloaded may be used."""
        learned = self._memory.of(environment)
        self._memory.keep(environment, learned.with_cold(newly_cold(readiness.cold)))
        return not readiness.offences

    # --- places --------------------------------------------------------------------------------

    def _place(self, spec: RunnerSpec, method: StartMethod) -> Place:
        key = (spec.environment, spec.executable, frozenset(spec.variables.items()), method)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._new_place(spec, sharing=method == "fork")
        for other in self._places.values():
            if other is not place:
                other.locations.pop(spec.location, None)
        place.locations[spec.location] = None
        return place

    def _new_place(self, spec: RunnerSpec, *, sharing: bool) -> Place:
        environment = spec.environment

        def make(imports: Imports) -> WarmInterpreter:
            return WarmInterpreter(
                self._children, self._entry, spec.executable, spec.variables, imports
            )

        slot = Slot(
            make,
            wanted=lambda: self._wanted(place, sharing),
            cold=lambda: self._cold_packages(environment),
            found=lambda readiness: self._found(environment, readiness),
            sharing=sharing,
        )
        place = Place(environment, slot)
        return place

    def _wanted(self, place: Place, sharing: bool) -> Imports | None:
        """What all locations of a place import, as far as they are known."""
        learned = self._memory.of(place.environment)
        known = [learned.locations[name] for name in place.locations if name in learned.locations]
        if not known:
            return None
        imports = common(known)
        return shareable(imports, self._cold_packages(place.environment)) if sharing else imports

    def _cold_packages(self, environment: str) -> Mapping[str, str]:
        return cold_packages(self._memory.of(environment))

    # --- upkeep --------------------------------------------------------------------------------

    def _keep_up(self) -> None:
        if self._upkeep is None:
            self._upkeep = asyncio.get_running_loop().call_later(UPKEEP, self._look_after)

    def _look_after(self) -> None:
        self._upkeep = None
        now, short = asyncio.get_running_loop().time(), _is_short_of_memory()
        for place in self._places.values():
            if short or now - place.slot.used > self._idle:
                place.slot.retire()
        if any(place.slot.ready is not None for place in self._places.values()):
            self._keep_up()


def _is_short_of_memory() -> bool:
    memory = psutil.virtual_memory()
    return bool(memory.available < SHORT_OF_MEMORY * memory.total)
