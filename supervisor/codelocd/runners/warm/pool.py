"""A pool: locations that start from one warm interpreter, which is kept up to date in the
background."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from codelocd.model import StartMethod
from codelocd.process.child import Children
from codelocd.runners.api import RunnerSpec
from codelocd.runners.warm.ahead import ForksAhead
from codelocd.runners.warm.interpreter import PreloadResult, WarmInterpreter
from codelocd.runners.warm.method import at_start, cold_packages, newly_cold, visible
from codelocd.runners.warm.profile import (
    Beside,
    ImportProfile,
    Imports,
    common,
    shareable,
    with_beside,
)
from codelocd.runners.warm.profiles import ImportProfiles

GATHERING = 0.05
"""Seconds in which locations that start together may say what they need."""

LEARNING = 3.0
"""Seconds to wait for what another location's first load will tell."""

PATIENCE = 30.0
"""Seconds that a start waits for a preload which takes no longer, as a rule, than a cold start."""

AGAIN = 600.0
"""Seconds until a preload that failed is tried again: the interpreter may have been killed from
outside."""

NOT_READY = "no warm interpreter was ready"
NOT_IMPORTED = "no warm interpreter could import its packages; the next try is in ten minutes"

SHORT_OF_MEMORY = 0.05
"""The part of the machine's memory below which nothing is kept warm."""


@dataclass(frozen=True, slots=True)
class Preloading:
    """What all pools preload with. `entry`: the file of the runner that an interpreter runs.

    `beside` says what else is preloaded for the programs beside runners. `found_cold(environment)`
    is told, soon, when preloading has shown that packages cannot be shared there.
    """

    children: Children
    entry: Path
    profiles: ImportProfiles
    beside: Beside
    found_cold: Callable[[str], None]


class WarmPool:
    """One warm interpreter, the `locations` that start from it, and the first start that it was
    made for. Kept up to date in the background, taken without waiting.

    `module`: the program beside their runners that starts from here; None: the runners do. A fork
    server serves both.
    """

    def __init__(
        self, preloading: Preloading, spec: RunnerSpec, method: StartMethod, module: str | None
    ) -> None:
        self.spec = spec
        self.method = method
        self.module = module
        self.locations: dict[str, None] = {}
        self.ready: WarmInterpreter | None = None
        self.why_none = NOT_READY
        """Why there is nothing to take, as far as the last try shows."""
        self._preloading = preloading
        self._sharing = method == "fork"
        self._preparing: asyncio.Task[None] | None = None
        self._in_work: WarmInterpreter | None = None
        self._last_wanted: tuple[ImportProfile | None, tuple[str, ...], Imports | None]
        self._last_wanted = None, (), None
        self._failed: Imports | None = None
        self._failed_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._learned = asyncio.Event()
        self._learning = False
        self.used = self._loop.time()
        self.ahead = ForksAhead(self._to_fork)

    def fits(self, spec: RunnerSpec, read: frozenset[str]) -> bool:
        """Whether they are the same user's, and imports cannot tell them apart by the variables
        that they read."""
        return (self.spec.environment, self.spec.executable, self.spec.account) == (
            spec.environment,
            spec.executable,
            spec.account,
        ) and visible(self.spec.variables, read) == visible(spec.variables, read)

    def take(self) -> WarmInterpreter | None:
        """The one that is ready now, until its `release`. None: start without."""
        found = self.current()
        if found is not None:
            found.hold()
            if not self._sharing:
                self.ready = None
        return found

    def current(self) -> WarmInterpreter | None:
        """The one that is ready now; it stays here."""
        self.used = self._loop.time()
        return self.ready if self.ready is not None and self.ready.lives else None

    def _to_fork(self) -> WarmInterpreter | None:
        return self.current() if self._sharing and not is_short_of_memory() else None

    async def wait_ready(self) -> None:
        """Returns when one is ready, or none will be soon."""
        if self._wanted() is None and self._learning:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEARNING):
                    await self._learned.wait()
        if self._lacking() is None:
            return
        preparing = self.refresh()
        if self.ready is None or not self.ready.lives:
            await asyncio.wait([preparing], timeout=PATIENCE)

    def learn_from_load(self) -> None:
        """A load begins without a warm interpreter, and will tell what it imports."""
        self._learning = True

    def learned(self) -> None:
        """A load has told what it imports, or will not tell any more."""
        self._learning = False
        self._learned.set()
        self._learned = asyncio.Event()

    def refresh(self, after: float = GATHERING) -> asyncio.Task[None]:
        """Have what is wanted in a while: whether that is anything new is then asked, too."""
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.get_running_loop().create_task(self._prepare(after))
            self._preparing.add_done_callback(self._prepared)
        return self._preparing

    def want_again(self) -> None:
        """What is preloaded beside has changed."""
        self._last_wanted = None, (), None
        if self.ready is not None:
            self.refresh()

    def retire(self) -> None:
        """It is not needed for now, or no longer true."""
        self.ahead.close()
        if self.ready is not None:
            self.ready.retire()
            self.ready = None

    def close(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        self.ahead.close()
        for one in (self._in_work, self.ready):
            if one is not None:
                one.kill()
        self.ready = None

    def _wanted(self) -> Imports | None:
        """What all locations here import, as far as they are known; None: nothing to preload."""
        profile, names = self._preloading.profiles.of(self.spec.environment), tuple(self.locations)
        last, of_whom, wanted = self._last_wanted
        if last is not profile or of_whom != names:  # many imports of many locations
            wanted = self._wanted_by(names, profile)
            self._last_wanted = profile, names, wanted
        return wanted

    def _wanted_by(self, names: Iterable[str], profile: ImportProfile) -> Imports | None:
        learned = profile.locations
        known = [learned[name] for name in names if name in learned]
        if not known:
            return None
        imports = common(known)
        if self._sharing or self.module is not None:
            imports = with_beside(imports, self._preloading.beside)
        if self.module is not None and not imports.beside:
            return None
        return shareable(imports, cold_packages(profile)) if self._sharing else imports

    def _cold(self) -> Mapping[str, str]:
        return cold_packages(self._preloading.profiles.of(self.spec.environment))

    def _lacking(self) -> Imports | None:
        """What is wanted, where that is not ready and has not failed before."""
        wanted = self._wanted()
        if wanted is None or self._has_failed(wanted):
            return None
        if self.ready is None or not self.ready.lives:
            return wanted
        return wanted if set(wanted.preloaded) != set(self.ready.imports.preloaded) else None

    def _has_failed(self, wanted: Imports) -> bool:
        return wanted == self._failed and self._loop.time() - self._failed_at < AGAIN

    async def _prepare(self, after: float) -> None:
        await asyncio.sleep(after)
        while (wanted := self._lacking()) is not None:  # more may be learned meanwhile
            try:
                if not await self._preload(wanted, carefully=False) and self._sharing:
                    await self._preload(wanted, carefully=True)
            except TimeoutError:
                pass  # it hangs
            except OSError as failure:  # short of memory or processes: the next load asks again
                why = failure.strerror or str(failure)
                self.why_none = f"no warm interpreter could be started: {why}"
                return
            if wanted == self._lacking():
                self._failed, self._failed_at = wanted, self._loop.time()
                self.why_none = NOT_IMPORTED
                return
            self.why_none = NOT_READY

    async def _preload(self, wanted: Imports, *, carefully: bool) -> bool:
        """Whether it may be used. Raises OSError when it cannot be started, TimeoutError when it
        hangs."""
        new, given = self._start(wanted), self._given()
        self._in_work = new
        try:
            result = await new.preload(self._cold(), carefully=carefully, variables=given)
            usable = self._found(result)
        except ConnectionError:
            usable = False  # it died over it
        except BaseException:
            new.kill()
            raise
        finally:
            self._in_work = None
        if not usable:
            new.kill()
            return False
        if self._given() != given:  # imports have read more, and found it missing
            new.kill()
            return await self._preload(wanted, carefully=carefully)
        self.retire()
        if self._sharing:
            new.imports = shareable(wanted, self._cold())  # as it turned out
        self.ready = new
        return True

    def _start(self, wanted: Imports) -> WarmInterpreter:
        if is_short_of_memory():
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return WarmInterpreter(
            self._preloading.children,
            self._preloading.entry,
            self.spec.executable,
            at_start(self.spec.variables, self.spec.own),
            wanted,
            sharing=self._sharing,
            account=self.spec.account,
        )

    def _given(self) -> dict[str, str]:
        """What imports read of the location's own: the same for all that start from here."""
        read = self._preloading.profiles.of(self.spec.environment).variables
        own = self.spec.own & read & self.spec.variables.keys()
        return {name: self.spec.variables[name] for name in own}

    def _found(self, result: PreloadResult) -> bool:
        """Whether an interpreter that has preloaded may be used."""
        profiles, environment = self._preloading.profiles, self.spec.environment
        former = profiles.of(environment)
        profile = former.with_cold(newly_cold(result.cold))
        profiles.keep(environment, profile.with_variables(result.variables))
        if profile.cold != former.cold:
            asyncio.get_running_loop().call_soon(self._preloading.found_cold, environment)
        return not result.blockers

    def _prepared(self, done: asyncio.Task[None]) -> None:
        if self._preparing is done:
            self._preparing = None
        if not done.cancelled() and (bug := done.exception()) is not None:
            raise bug


def is_short_of_memory() -> bool:
    memory = psutil.virtual_memory()
    return bool(memory.available < SHORT_OF_MEMORY * memory.total)
