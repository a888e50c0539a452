"""Starts runners from warm interpreters where that is possible, on their own elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codelocd.model import Cold, Exit, StartMethod
from codelocd.process.child import Child, Children
from codelocd.runners.api import (
    Hooks,
    LoadedOutcome,
    LoadOutcome,
    MustStartCold,
    Program,
    RunnerSpec,
    hangs_after,
)
from codelocd.runners.attempts import AttemptStart
from codelocd.runners.bundle import RUNNER
from codelocd.runners.epochs import FencedStarts
from codelocd.runners.local import LocalLauncher, LocalRunner
from codelocd.runners.warm.interpreter import WarmInterpreter, installed
from codelocd.runners.warm.method import Divergence, MethodChoice, StartChoices
from codelocd.runners.warm.ordered import Refused
from codelocd.runners.warm.pool import NOT_READY, WarmPool
from codelocd.runners.warm.pools import NOTHING, WarmPools
from codelocd.runners.warm.profile import Beside, Imports, after_load
from codelocd.runners.warm.profiles import ImportProfiles
from codelocd.runners.wrapped import WrappedRunner

QUIET = 1.0
"""Seconds after the start of a program before the next spare for it is made: not in the way of what
is loading."""
OTHER = "what is warm for its location has another environment, or other variables"


@dataclass(frozen=True, slots=True)
class WarmStart:
    """How a runner was started: from `pool`, if its location has one; `shared` is what was
    imported before, None after a cold start.
    """

    spec: RunnerSpec
    choice: MethodChoice
    pool: WarmPool | None
    shared: Imports | None


class LoadRecorder:
    """Notes what loads show, for the starts to come, and has warm interpreters prepared by it."""

    def __init__(self, profiles: ImportProfiles, choices: StartChoices, pools: WarmPools) -> None:
        self._profiles = profiles
        self._choices = choices
        self._pools = pools

    def seconds(self, spec: RunnerSpec) -> float:
        """What the location's newest cold load took; 0.0 where that is not known."""
        return self._profiles.of(spec.environment).seconds.get(spec.location, 0.0)

    def loaded(self, start: WarmStart, seen: Mapping[str, Any]) -> None:
        """At the end of a good load, with what the runner says of it (`Answer.seen`)."""
        is_new = self._learn(start, seen)
        if start.choice.method == "spawn":
            did = {*seen["changed"], *seen["modules"]}
            self._choices.loaded_cold(start.spec.location, did)
        self.ended(start, is_new=is_new or start.choice.method == "spawn")

    def ended(self, start: WarmStart, *, is_new: bool = True) -> None:
        """There is no good load, or, unless `is_new`, one that showed what was known."""
        pool, location = start.pool, start.spec.location
        if pool is None:
            return
        pool.learned()
        if is_new or location not in pool.locations:
            self._pools.prepare(location)
        else:
            pool.refresh()

    def diverged(self, start: WarmStart, divergence: Divergence) -> None:
        """The load after a warm start was not as a cold one might be: note why."""
        self._choices.diverged(start.spec.location, divergence)

    def _learn(self, start: WarmStart, seen: Mapping[str, Any]) -> bool:
        """Whether the load has told anything new."""
        environment, location = start.spec.environment, start.spec.location
        profile = self._profiles.of(environment)
        imports = Imports(tuple(seen["modules"]), tuple(seen["named"]))
        imports = after_load(profile.locations.get(location), imports, start.shared)
        profile = profile.with_location(location, imports).with_variables(seen["variables"])
        if start.shared is None:
            profile = profile.with_seconds(location, seen["seconds"])
        return self._profiles.keep(environment, profile)


class WarmRunner(WrappedRunner):
    """A runner, how it was started, and what records its load."""

    def __init__(
        self, runner: LocalRunner, start: WarmStart, recorder: LoadRecorder, *, told: bool = False
    ) -> None:
        """`told`: its load was recorded before."""
        super().__init__(runner)
        self.start_method: StartMethod = start.choice.method
        self.why = start.choice.why
        self._answer = runner.answer
        self._start = start
        self._recorder = recorder
        self._hangs_after = hangs_after(recorder.seconds(start.spec), start.spec.start_timeout)
        self._told = told
        runner.exited.add_done_callback(lambda _: self._ends())

    @property
    def record(self) -> Mapping[str, Any] | None:
        own, hooks = self._runner.record, self.hooks
        if own is None:
            return None
        kinds = None if hooks is None else [dict(hooks.at_exit), dict(hooks.at_fork)]
        return {**own, "start_method": self.start_method, "why": self.why, "hooks": kinds}

    async def load(self) -> LoadOutcome:
        limit = self._hangs_after if self.start_method == "fork" else None
        try:
            async with asyncio.timeout(limit):
                answer = await self._answer()
        except TimeoutError:
            return MustStartCold(self._suspicion("did not finish loading after a fork"))
        if answer.seen["divergence"] is not None:
            divergence = Divergence(**answer.seen["divergence"])
            self._recorder.diverged(self._start, divergence)
            return MustStartCold(Cold(divergence.why))
        if not self._told:
            self._told = True
            if isinstance(answer.outcome, LoadedOutcome):
                self._recorder.loaded(self._start, answer.seen)
            else:
                self._recorder.ended(self._start)
        return answer.outcome

    def blamed(self, end: Exit) -> Cold | None:
        if self._told or self.start_method != "fork":
            return None
        return self._suspicion(f"{_told(end)} while loading after a fork")

    def _suspicion(self, what: str) -> Cold:
        what = f"{self._start.spec.location} {what}"
        return Cold(what, suspicion=what)

    def _ends(self) -> None:
        if not self._told:
            self._recorder.ended(self._start)


class WarmLauncher:
    """Chooses the method of each start. Warm interpreters are made, renewed and ended in the
    background."""

    def __init__(
        self,
        cold: LocalLauncher,
        pools: WarmPools,
        profiles: ImportProfiles,
        choices: StartChoices,
    ) -> None:
        self._cold = cold
        self._pools = pools
        self._profiles = profiles
        self._choices = choices
        self._recorder = LoadRecorder(profiles, choices, pools)
        self._starts: FencedStarts[WarmRunner] = FencedStarts()

    async def start(self, spec: RunnerSpec) -> WarmRunner:
        return await self._starts.make(spec, self._start)

    async def _start(self, spec: RunnerSpec) -> WarmRunner:
        profile = self._profiles.of(spec.environment)
        self._profiles.keep(spec.environment, profile.as_of(installed(spec.executable)))
        choice = self._choices.of(spec)
        if choice.method == "spawn":
            pool = self._pools.of_runner(spec.location) if spec.cold is not None else None
            if pool is None:
                self._pools.leave(spec.location)
            return await self._start_cold(WarmStart(spec, choice, pool, None))
        if not spec.beside:
            await self._pools.of(spec, choice.method).wait_ready()
        pool = self._pools.of(spec, choice.method)  # another, by what was learned meanwhile
        pool.ahead.close()
        interpreter, why = pool.take(), pool.why_none
        if interpreter is None:
            pool.learn_from_load()
        else:
            try:
                runner = await self._from(interpreter, spec)
                start = WarmStart(spec, choice, pool, interpreter.imports)
                return WarmRunner(runner, start, self._recorder)
            except (Refused, OSError) as failure:
                why = str(failure)
        return await self._start_cold(WarmStart(spec, MethodChoice("spawn", why), pool, None))

    async def program(self, program: Program) -> tuple[Child, MethodChoice]:
        """Started in the way that the runner beside it would be; how that was, and why.

        Raises OSError when the process cannot be started.
        """
        spec = replace(program.beside, variables=program.variables)
        choice = self._choices.of(spec)
        if choice.method == "spawn":
            return self._cold.program(program), choice
        pool = self._pools.of_program(spec, choice.method, program.module)
        interpreter, why = (pool.take(), pool.why_none) if pool is not None else (None, NOT_READY)
        if pool is not None and pool.module is not None:
            pool.refresh(QUIET)
        if interpreter is not None:
            try:
                return await interpreter.program(program), choice
            except Refused as refusal:
                why = str(refusal)
            finally:
                interpreter.release()
        return self._cold.program(program), MethodChoice("spawn", why)

    async def attempt(self, start: AttemptStart) -> tuple[Child, MethodChoice]:
        """The process of an attempt, from what the location's next runner would start from.

        Raises OSError when it cannot be started.
        """
        choice = self._choices.of(start.spec)
        if choice.method == "spawn":
            return self._cold.attempt(start), choice
        pool, why = self._pools.of_attempt(start.spec), OTHER
        if pool is not None and (child := await pool.ahead.attempt(start)) is not None:
            return child, choice
        if pool is not None:
            interpreter, why = pool.take(), pool.why_none
            try:
                if interpreter is not None:
                    return await interpreter.attempt(start), choice
            except Refused as refusal:
                why = str(refusal)
            finally:
                if interpreter is not None:
                    interpreter.release()
                pool.refresh(QUIET)
        return self._cold.attempt(start), MethodChoice("spawn", why)

    def expect_run(self, location: str, *, at_once: bool) -> None:
        """An attempt is about to be started, or else may be soon: begin with its process."""
        if (pool := self._pools.of_runner(location)) is not None:
            pool.ahead.expect(at_once=at_once)

    def expect_no_runs(self) -> None:
        """End what waits for attempts."""
        for pool in self._pools:
            pool.ahead.close()

    def command(self, start: AttemptStart) -> list[str]:
        """That of the process of an attempt, started on its own."""
        return self._cold.command(start)

    def adopt(self, spec: RunnerSpec, child: Child, record: Mapping[str, Any]) -> WarmRunner:
        """Go on with a runner that another daemon has started; its next start is prepared."""
        runner = self._cold.adopt(child, Path(record["socket"]))
        if record["hooks"] is not None:
            runner.hooks = Hooks(*record["hooks"])
        if (choice := self._choices.of(spec)).method != "spawn":
            self._pools.of(spec, choice.method)
            self._pools.prepare(spec.location)
        start = WarmStart(spec, MethodChoice(record["start_method"], record["why"]), None, None)
        return WarmRunner(runner, start, self._recorder, told=True)

    def forget(self, location: str) -> None:
        """The location is gone: forget what it imports."""
        self._pools.leave(location)

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        """A load failed after a warm start, and then went well without one."""
        profile = self._profiles.of(spec.environment)
        self._profiles.keep(spec.environment, profile.with_suspicion(what))

    def warm_interpreter(self, location: str) -> WarmInterpreter | None:
        """What its next runner would start from, if that is ready."""
        pool = self._pools.of_runner(location)
        return pool.current() if pool is not None else None

    def preload_beside(self, beside: Beside) -> None:
        """Have warm interpreters import this, too, from now on, beside what their locations do."""
        self._pools.preload_beside(beside)

    def keep_for(self, idle: float) -> None:
        """Seconds without a start after which a warm interpreter ends, from now on."""
        self._pools.keep_for(idle)

    def forget_unused(self) -> None:
        """Remove what was learned of environments that have not been used for long."""
        self._profiles.forget_unused()

    def close(self) -> None:
        """End every warm interpreter; what was learned is kept."""
        self._pools.close()
        self._profiles.write()

    async def _start_cold(self, start: WarmStart) -> WarmRunner:
        return WarmRunner(await self._cold.start(start.spec), start, self._recorder)

    async def _from(self, interpreter: WarmInterpreter, spec: RunnerSpec) -> LocalRunner:
        """Raises Refused, and OSError where there is no socket for it."""
        try:
            runner = await self._cold.through(spec, lambda to: interpreter.runner(spec, to))
        finally:
            interpreter.release()
        runner.hooks = interpreter.hooks
        return runner


def make_launcher(
    children: Children,
    bundle: Path,
    *,
    sockets: Path,
    profiles: Path,
    in_use: Collection[str] = (),
    idle: float,
    beside: Beside = NOTHING,
    platform: str = sys.platform,
    restore: Callable[[], None] = lambda: None,
) -> WarmLauncher:
    """`sockets`: the folder of the runners' sockets, of which some are `in_use` already;
    `profiles`: that of what was learned of environments; `idle`: seconds after which an unused
    warm interpreter ends; `beside`: what is preloaded for the programs beside runners;
    `restore` makes the bundle whole again.
    """
    kept = ImportProfiles(profiles)
    choices = StartChoices(kept.of, platform)
    entry = bundle / RUNNER / "__main__.py"
    pools = WarmPools(children, entry, kept, choices, idle=idle, beside=beside)
    cold = LocalLauncher(children, bundle, sockets, restore, in_use)
    return WarmLauncher(cold, pools, kept, choices)


def _told(end: Exit) -> str:
    return f"was ended by signal {end.signal}" if end.signal else f"exited with {end.status}"
