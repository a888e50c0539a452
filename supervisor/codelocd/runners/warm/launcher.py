"""Starts runners from warm interpreters where that is possible, on their own elsewhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

from codelocd.model import StartMethod
from codelocd.process.child import Child, Children
from codelocd.runners.api import Program, RunnerSpec
from codelocd.runners.bundle import RUNNER
from codelocd.runners.local import LocalLauncher, LocalRunner
from codelocd.runners.warm.interpreter import Refused, WarmInterpreter, installed
from codelocd.runners.warm.method import MethodChoice, choose
from codelocd.runners.warm.places import Memory, Place, Places
from codelocd.runners.warm.profile import Beside, Imports, after_load
from codelocd.runners.warm.runner import Divergence, Load, Report, WarmRunner
from codelocd.runners.warm.slot import NOT_READY


class WarmLauncher:
    """Decides for each start; warm interpreters come, are renewed and go in the background."""

    def __init__(
        self,
        cold: LocalLauncher,
        places: Places,
        memory: Memory,
        *,
        platform: str = sys.platform,
    ) -> None:
        self._cold = cold
        self._places = places
        self._memory = memory
        self._platform = platform
        self._specs: dict[str, RunnerSpec] = {}
        self._divergences: dict[str, Divergence] = {}
        places.news = self._prepare_all

    async def start(self, spec: RunnerSpec) -> WarmRunner:
        self._specs[spec.location] = replace(spec, cold=None)
        learned = self._memory.of(spec.environment)
        self._memory.keep(spec.environment, learned.as_of(installed(spec.executable)))
        choice = self.choice(spec)
        if choice.method == "spawn":
            place = self._places.having(spec.location) if spec.cold is not None else None
            if place is None:
                self._places.leave(spec.location)
            return self._runner(await self._cold.start(spec), spec, choice, place, None)
        if not spec.beside:
            await self._places.of(spec, choice.method).slot.hopeful()
        place = self._places.of(spec, choice.method)  # another, by what was learned meanwhile
        interpreter = place.slot.take()
        why = place.slot.why_none
        if interpreter is not None:
            try:
                runner = await self._from(interpreter, spec, choice.method)
                return self._runner(runner, spec, choice, place, interpreter.imports)
            except (Refused, OSError) as failure:
                why = str(failure)
        return self._runner(
            await self._cold.start(spec), spec, MethodChoice("spawn", why), place, None
        )

    def forget(self, location: str) -> None:
        """It is gone, and what it imports no longer counts."""
        self._specs.pop(location, None)
        self._places.leave(location)

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        """A load failed after a warm start, and then went well without one."""
        learned = self._memory.of(spec.environment)
        self._memory.keep(spec.environment, learned.with_suspicion(what))

    async def program(self, program: Program) -> Child:
        """Forked from what the runner beside it is forked from. Raises Refused."""
        place = self._places.fitting(replace(program.beside, variables=program.variables), "fork")
        interpreter = place.slot.at_hand() if place is not None else None
        if interpreter is None:
            raise Refused(place.slot.why_none if place is not None else NOT_READY, stale=False)
        return await interpreter.program(program)

    def warm_interpreter(self, location: str) -> WarmInterpreter | None:
        """What its next runner would start from, if that is ready."""
        place = self._places.having(location)
        return place.slot.at_hand() if place is not None else None

    def keep_for(self, idle: float) -> None:
        """Seconds without a start after which a warm interpreter ends, from now on."""
        self._places.keep_for(idle)

    def forget_unused(self) -> None:
        """Remove what was learned of environments that have not been used for long."""
        self._memory.forget_unused()

    def close(self) -> None:
        """End every warm interpreter; what was learned is kept."""
        self._places.close()
        self._memory.write()

    async def _from(
        self, interpreter: WarmInterpreter, spec: RunnerSpec, method: StartMethod
    ) -> LocalRunner:
        """Raises Refused, and OSError where there is no socket for it."""
        order: Literal["fork", "become"] = "fork" if method == "fork" else "become"
        try:
            runner = await self._cold.through(
                lambda listener, path: interpreter.runner(order, spec, listener, path)
            )
        finally:
            if order == "become":
                interpreter.close()
        runner.hooks = interpreter.hooks
        return runner

    def _runner(
        self,
        runner: LocalRunner,
        spec: RunnerSpec,
        choice: MethodChoice,
        place: Place | None,
        shared: Imports | None,
    ) -> WarmRunner:
        def loaded(load: Load) -> None:
            news = self._learn(spec, load, shared)
            if choice.method == "spawn":
                self._forget_divergence(spec.location, load)
            ended(news=news or choice.method == "spawn")

        def ended(*, news: bool = True) -> None:
            if place is None:
                return
            place.slot.learned()
            if news or spec.location not in place.locations:
                self._prepare(spec.location)
            else:
                place.slot.refresh()

        def diverged(divergence: Divergence) -> None:
            self._divergences[spec.location] = divergence

        return WarmRunner(
            runner,
            spec,
            choice,
            report=Report(loaded, ended, diverged),
            former_seconds=self._memory.of(spec.environment).seconds.get(spec.location, 0.0),
        )

    def choice(self, spec: RunnerSpec) -> MethodChoice:
        """How a runner of `spec` is to be started, and what stands beside it."""
        if spec.cold is not None:
            return MethodChoice("spawn", f"{spec.cold.why}; it was started again on its own")
        learned = self._memory.of(spec.environment)
        choice = choose(spec.start_method, spec.location, learned, spec.variables, self._platform)
        divergence = self._divergences.get(spec.location)
        if divergence is None or choice.method == "spawn":
            return choice
        return MethodChoice("spawn", divergence.why)

    def _prepare(self, location: str) -> None:
        """For its next start, by what is known now; nothing if it is gone."""
        spec = self._specs.get(location)
        if spec is not None and (choice := self.choice(spec)).method != "spawn":
            self._places.of(spec, choice.method).slot.refresh()

    def _prepare_all(self, environment: str) -> None:
        for spec in tuple(self._specs.values()):
            if spec.environment == environment:
                self._prepare(spec.location)

    def _forget_divergence(self, location: str, load: Load) -> None:
        """Its code does that no longer, as far as a load without a warm start shows."""
        divergence = self._divergences.get(location)
        if divergence is not None and divergence.what not in {*load.changed, *load.imports.modules}:
            del self._divergences[location]

    def _learn(self, spec: RunnerSpec, load: Load, shared: Imports | None) -> bool:
        """Whether the load has told anything new."""
        learned = self._memory.of(spec.environment)
        imports = after_load(learned.locations.get(spec.location), load.imports, shared)
        learned = learned.with_location(spec.location, imports).with_variables(load.variables)
        if shared is None:
            learned = learned.with_seconds(spec.location, load.seconds)
        return self._memory.keep(spec.environment, learned)


def make_launcher(
    children: Children, bundle: Path, *, sockets: Path, learned: Path, idle: float, beside: Beside
) -> WarmLauncher:
    """`sockets`: the folder of the runners' sockets; `learned`: that of what was learned of
    environments; `idle`: seconds after which an unused warm interpreter ends; `beside`:
    what is preloaded for the programs beside runners.
    """
    memory = Memory(learned)
    places = Places(children, bundle / RUNNER / "__main__.py", memory, idle=idle, beside=beside)
    return WarmLauncher(LocalLauncher(children, bundle, sockets), places, memory)
