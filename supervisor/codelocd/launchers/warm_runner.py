"""A runner with a second chance: where a fork may be to blame, it starts again on its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codelocd.launchers import Hooks, RunnerSpec
from codelocd.launchers.local import LocalLauncher, LocalRunner
from codelocd.model import Exit, StartMethod
from codelocd.rpc import RpcError
from codelocd.warm import Choice, Imports

HANG_FACTOR, HANG_SECONDS = 10.0, 10.0
"""A load after a fork hangs when it takes so many times as long as the whole load before, and at
least so many seconds. Half the location's own limit at most, so that there is time to try again."""


def hangs_after(former: float, start_timeout: float) -> float:
    """Seconds, by those of the load before and those that the location allows."""
    return min(max(HANG_SECONDS, HANG_FACTOR * former), start_timeout / 2)


@dataclass(frozen=True, slots=True)
class Load:
    """A good load: what it imported, the variables that its imports read, how long it took.

    `changed`: the variables and `sys.path`, if its code did so; `sys.modules`, if it may have.
    """

    imports: Imports
    variables: frozenset[str]
    changed: frozenset[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Departure:
    """Something that a location's code does, which packages that are there already missed."""

    what: str
    why: str


class Departed(RpcError):
    """The call went to a process that another one replaces, for the reason of a departure."""

    def __init__(self, why: str) -> None:
        super().__init__("down", why)


@dataclass(frozen=True, slots=True)
class Report:
    """Where a runner's news goes: `loaded` at the end of a good load, with what it imported;
    `ended` when there is none; `suspected` when a load failed that then went well without a fork;
    `departed` when a cold start may end otherwise, and so is made.
    """

    loaded: Callable[[Load, StartMethod], None]
    ended: Callable[[], None]
    suspected: Callable[[str], None]
    departed: Callable[[Departure], None]


class WarmRunner:
    """Looks like one process, whichever it is."""

    def __init__(
        self,
        runner: LocalRunner,
        spec: RunnerSpec,
        choice: Choice,
        *,
        cold: LocalLauncher,
        report: Report,
        former_seconds: float,
    ) -> None:
        self.start_method: StartMethod = choice.method
        self.why = choice.why
        self._spec = spec
        self._cold = cold
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[Exit] = self._loop.create_future()
        self._suspicion: str | None = None
        self._departure: Departure | None = None
        self._leaving = self._told = False
        self._again: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        if choice.method == "fork":
            limit = hangs_after(former_seconds, spec.start_timeout)
            self._alarm = self._loop.call_later(limit, self._hangs)
        self._follow(runner)

    @property
    def pid(self) -> int:
        return self._runner.pid

    @property
    def hooks(self) -> Hooks | None:
        return self._runner.hooks

    @property
    def exited(self) -> asyncio.Future[Exit]:
        return self._exited

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        answer = await self._runner.call(method, params, timeout)
        if method == "snapshot" and not self._told:
            seen = json.loads(answer["imports"])
            if seen["departure"] is not None:
                departure = Departure(**seen["departure"])
                self._departs(departure)
                raise Departed(departure.why)
            self._load_ended(answer["ok"], seen)
        return answer

    def take_over(self) -> None:
        self._runner.take_over()

    async def retire(self, patience: float, grace: float) -> None:
        self._leave()
        if self._again is not None:
            await asyncio.wait([self._again])
        await self._runner.retire(patience, grace)

    def kill(self) -> None:
        self._leave()
        self._runner.kill()

    def _leave(self) -> None:
        self._leaving = True
        self._settle()

    def _follow(self, runner: LocalRunner) -> None:
        self._runner = runner
        runner.exited.add_done_callback(lambda done: self._ended(done.result()))

    def _departs(self, departure: Departure) -> None:
        self._settle()
        if self._departure is None:
            self._departure = departure
            self._report.departed(departure)
            self._runner.kill()

    def _load_ended(self, good: bool, seen: Mapping[str, Any]) -> None:
        self._told = True
        self._settle()
        if not good:
            self._report.ended()
            return
        if self._suspicion is not None:
            self._report.suspected(self._suspicion)
        imports = Imports(tuple(seen["modules"]), tuple(seen["named"]))
        variables, changed = frozenset(seen["variables"]), frozenset(seen["changed"])
        load = Load(imports, variables, changed, seen["seconds"])
        self._report.loaded(load, self.start_method)

    def _settle(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _hangs(self) -> None:
        self._suspicion = f"{self._spec.location} did not finish loading after a fork"
        self._runner.kill()

    def _ended(self, end: Exit) -> None:
        self._settle()
        if self._told or self._leaving or not self._is_to_start_again():
            self._ends(end)
            return
        if self._suspicion is None and self._departure is None:
            self._suspicion = f"{self._spec.location} {_told(end)} while loading after a fork"
        self._again = self._loop.create_task(self._start_again(end))

    def _is_to_start_again(self) -> bool:
        if self.start_method == "spawn":
            return False
        return self.start_method == "fork" or self._departure is not None

    async def _start_again(self, end: Exit) -> None:
        try:
            runner = await self._cold.start(self._spec)
        except OSError:
            self._ends(end)
            return
        self.start_method = "spawn"
        reason = self._departure.why if self._departure is not None else self._suspicion
        self.why = f"{reason}; it was started again on its own"
        self._follow(runner)
        if self._leaving:
            runner.kill()

    def _ends(self, end: Exit) -> None:
        if not self._told:
            self._report.ended()
        self._exited.set_result(end)


def _told(end: Exit) -> str:
    return f"was ended by signal {end.signal}" if end.signal else f"exited with {end.status}"
