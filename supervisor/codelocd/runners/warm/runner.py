"""A runner that may have had a warm start, and what is learned from its load."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codelocd.model import Cold, Exit, StartMethod
from codelocd.runners.api import (
    Good,
    LoadOutcome,
    MustStartCold,
    RunnerSpec,
    WrappedRunner,
    hangs_after,
)
from codelocd.runners.local import LocalRunner
from codelocd.runners.warm.method import Divergence, MethodChoice, StartChoices
from codelocd.runners.warm.pool import WarmPool
from codelocd.runners.warm.pools import WarmPools
from codelocd.runners.warm.profile import Imports, after_load
from codelocd.runners.warm.profiles import ImportProfiles


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
        """A cold start may end otherwise."""
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
        self._answer = runner.answer
        self._start = start
        self._recorder = recorder
        self._hangs_after = hangs_after(recorder.seconds(start.spec), start.spec.start_timeout)
        self._told = told
        runner.exited.add_done_callback(lambda _: self._ends())

    @property
    def start_method(self) -> StartMethod:
        return self._start.choice.method

    @property
    def why(self) -> str:
        return self._start.choice.why

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
            if isinstance(answer.outcome, Good):
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


def _told(end: Exit) -> str:
    return f"was ended by signal {end.signal}" if end.signal else f"exited with {end.status}"
