"""Assigns locations to warm interpreters, and ends those that are idle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from codelocd.model import StartMethod
from codelocd.process.child import Children
from codelocd.runners.api import RunnerSpec
from codelocd.runners.warm.method import StartChoices
from codelocd.runners.warm.pool import Preloading, WarmPool, is_short_of_memory
from codelocd.runners.warm.profile import Beside
from codelocd.runners.warm.profiles import ImportProfiles

LOOK_AGAIN = 60.0
"""Seconds between two looks at the machine's memory, while anything may be warm; the longest time,
too, that something which became warm late stays idle for too long."""

NOTHING: Beside = {}


class WarmPools:
    """Come and go with the locations; what is warm is looked after while anything is.

    `idle`: seconds without a start after which a warm interpreter ends; `beside` says what else is
    preloaded for the programs beside runners.
    """

    def __init__(
        self,
        children: Children,
        entry: Path,
        profiles: ImportProfiles,
        choices: StartChoices,
        *,
        idle: float,
        beside: Beside = NOTHING,
    ) -> None:
        self.beside = dict(beside)
        self._preloading = Preloading(children, entry, profiles, self.beside, self._prepare_all)
        self._profiles = profiles
        self._choices = choices
        self._idle = idle
        self._specs: dict[str, RunnerSpec] = {}
        self._pools: list[WarmPool] = []
        self._next_look: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[WarmPool]:
        return iter(self._pools)

    def of(self, spec: RunnerSpec, method: StartMethod, module: str | None = None) -> WarmPool:
        """Where this location's runners start from now, or its program that is the module; they
        start from no other pool any more, nor does anything from one of another method.
        """
        if module is None:
            self._specs[spec.location] = spec
        pool = self._fitting(spec, method, module)
        if pool is None:
            pool = WarmPool(self._preloading, spec, method, module)
            self._pools.append(pool)
        pool.locations[spec.location] = None
        for other in self._having(spec.location):
            if other is not pool and (other.module == module or other.method != method):
                self._leave(other, spec.location)
        self._keep_looking()
        return pool

    def of_program(self, spec: RunnerSpec, method: StartMethod, module: str) -> WarmPool | None:
        """Where this program beside its runner starts from: a fork where runners are forked."""
        if method == "fork":
            return self._fitting(spec, method, None)
        return self.of(spec, method, module)

    def leave(self, location: str) -> None:
        """Nothing of it starts from here any more, and what it imports no longer counts."""
        self._specs.pop(location, None)
        for pool in self._having(location):
            self._leave(pool, location)

    def of_runner(self, location: str) -> WarmPool | None:
        """The pool that the location's runners start from now."""
        return next((each for each in self._having(location) if each.module is None), None)

    def of_attempt(self, spec: RunnerSpec) -> WarmPool | None:
        """That one, if attempts of code with this order can start from it: a location whose files
        do not load any more may have another environment by now."""
        pool, read = self.of_runner(spec.location), self._profiles.of(spec.environment).variables
        return pool if pool is not None and pool.fits(spec, read) else None

    def prepare(self, location: str) -> None:
        """For its next start, by what is known now; nothing if it is gone."""
        spec = self._specs.get(location)
        if spec is not None and (choice := self._choices.of(spec)).method != "spawn":
            self.of(spec, choice.method)
            for pool in self._having(location):
                pool.refresh()

    def preload_beside(self, beside: Beside) -> None:
        """Have this preloaded, too, from now on."""
        if all(set(names) <= set(self.beside.get(of, ())) for of, names in beside.items()):
            return
        for of, names in beside.items():
            self.beside[of] = tuple(dict.fromkeys([*self.beside.get(of, ()), *names]))
        for pool in self._pools:
            pool.want_again()

    def look_after(self) -> None:
        """Retire what is idle, and everything when the machine is short of memory."""
        now, short = asyncio.get_running_loop().time(), is_short_of_memory()
        for pool in self._pools:
            if short or now - pool.used >= self._idle:
                pool.retire()

    def keep_for(self, idle: float) -> None:
        """Seconds without a start after which what is warm ends, from now on."""
        self._idle = idle
        self.look_after()
        if self._pools:
            self._keep_looking()

    def close(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        for pool in self._pools:
            pool.close()

    def _prepare_all(self, environment: str) -> None:
        for spec in tuple(self._specs.values()):
            if spec.environment == environment:
                self.prepare(spec.location)

    def _fitting(
        self, spec: RunnerSpec, method: StartMethod, module: str | None
    ) -> WarmPool | None:
        """The pool that there is for what would be started so."""
        read = self._profiles.of(spec.environment).variables
        for each in self._pools:
            if (each.method, each.module) == (method, module) and each.fits(spec, read):
                return each
        return None

    def _having(self, location: str) -> list[WarmPool]:
        return [each for each in self._pools if location in each.locations]

    def _leave(self, pool: WarmPool, location: str) -> None:
        del pool.locations[location]
        if pool.locations:
            pool.refresh()
        else:
            self._pools.remove(pool)
            pool.close()

    def _keep_looking(self) -> None:
        """No later than when something will have been idle for too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        ends = (pool.used + self._idle for pool in self._pools)
        due = min([now + LOOK_AGAIN, *(end for end in ends if end > now)])
        if self._next_look is not None:
            if self._next_look.when() <= due:
                return
            self._next_look.cancel()
        self._next_look = loop.call_at(due, self._look_again)

    def _look_again(self) -> None:
        self._next_look = None
        self.look_after()
        if self._pools:
            self._keep_looking()
