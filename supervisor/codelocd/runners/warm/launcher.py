"""Starts runners from warm interpreters where that is possible, on their own elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from codelocd.process.child import Child, Children
from codelocd.runners.api import Hooks, Program, RunnerSpec
from codelocd.runners.bundle import RUNNER
from codelocd.runners.local import LocalLauncher, LocalRunner
from codelocd.runners.warm.interpreter import Refused, WarmInterpreter, installed
from codelocd.runners.warm.method import MethodChoice, StartChoices
from codelocd.runners.warm.pool import NOT_READY
from codelocd.runners.warm.pools import NOTHING, WarmPools
from codelocd.runners.warm.profile import Beside
from codelocd.runners.warm.profiles import ImportProfiles
from codelocd.runners.warm.runner import LoadRecorder, WarmRunner, WarmStart

QUIET = 1.0
"""Seconds after the start of a program before the next spare for it is made: not in the way of what
is loading."""


class WarmLauncher:
    """Decides for each start; warm interpreters come, are renewed and go in the background."""

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

    async def start(self, spec: RunnerSpec) -> WarmRunner:
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
        """It is gone, and what it imports no longer counts."""
        self._pools.leave(location)

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        """A load failed after a warm start, and then went well without one."""
        profile = self._profiles.of(spec.environment)
        self._profiles.keep(spec.environment, profile.with_suspicion(what))

    def warm_interpreter(self, location: str) -> WarmInterpreter | None:
        """What its next runner would start from, if that is ready."""
        pool = self._pools.of_runner(location)
        return pool.current() if pool is not None else None

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
            runner = await self._cold.through(
                lambda listener, path: interpreter.runner(spec, listener, path)
            )
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
