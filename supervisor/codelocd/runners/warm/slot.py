"""The place of one warm interpreter: kept up to date in the background, taken without waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from codelocd.runners.warm.interpreter import Readiness, WarmInterpreter
from codelocd.runners.warm.profile import Imports, shareable

GATHERING = 0.05
"""Seconds in which locations that start together may say what they need."""

LEARNING = 3.0
"""Seconds to wait for what another location's first load will tell."""

PATIENCE = 30.0
"""Seconds that a start waits for a preload which takes no longer, as a rule, than a cold start."""

AGAIN = 600.0
"""Seconds until what could not be preloaded is tried again: somebody may have killed it."""


NOT_READY = "no warm interpreter was ready"
NOT_IMPORTED = "no warm interpreter could import its packages; the next try is in ten minutes"


class Slot:
    """`make` starts a process, `wanted` says what it shall preload, None while that is not known.

    `found(readiness)` is told what preloading showed, and says whether it may be used.
    """

    def __init__(
        self,
        make: Callable[[Imports], WarmInterpreter],
        wanted: Callable[[], Imports | None],
        cold: Callable[[], Mapping[str, str]],
        found: Callable[[Readiness], bool],
        *,
        sharing: bool,
    ) -> None:
        self._make = make
        self._wanted = wanted
        self._cold = cold
        self._found = found
        self._sharing = sharing
        self._preparing: asyncio.Task[None] | None = None
        self._in_work: WarmInterpreter | None = None
        self._failed: Imports | None = None
        self._failed_at = 0.0
        self._now = asyncio.get_running_loop().time
        self._learned = asyncio.Event()
        self._learning = False
        self.ready: WarmInterpreter | None = None
        self.why_none = NOT_READY
        """Why there is nothing to take, as far as the last try shows."""
        self.used = self._now()

    def take(self) -> WarmInterpreter | None:
        """The one that is ready now. None: start without."""
        found = self.at_hand()
        if found is None:
            self._learning = True
        elif not self._sharing:
            self.ready = None
        return found

    def at_hand(self) -> WarmInterpreter | None:
        """The one that is ready now; it stays here."""
        self.used = self._now()
        return self.ready if self.ready is not None and self.ready.lives else None

    async def hopeful(self) -> None:
        """Returns when one is ready, or none will be soon."""
        if self._wanted() is None and self._learning:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._learned.wait(), LEARNING)
        if self._lacking() is None:
            return
        preparing = self.refresh()
        if self.ready is None or not self.ready.lives:
            await asyncio.wait([preparing], timeout=PATIENCE)

    def learned(self) -> None:
        """A load has told what it imports, or will not tell any more."""
        self._learning = False
        self._learned.set()
        self._learned = asyncio.Event()

    def refresh(self) -> asyncio.Task[None]:
        """Have what is wanted in a moment: whether that is anything new is then asked, too."""
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())
            self._preparing.add_done_callback(self._prepared)
        return self._preparing

    def retire(self) -> None:
        """It is not needed for now, or no longer true."""
        if self.ready is not None:
            self.ready.kill()
            self.ready = None

    def close(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        if self._in_work is not None:
            self._in_work.kill()
        self.retire()

    def _lacking(self) -> Imports | None:
        """What is wanted, where that is not ready and has not failed before."""
        wanted = self._wanted()
        if wanted is None or self._has_failed(wanted):
            return None
        if self.ready is None or not self.ready.lives:
            return wanted
        return wanted if set(wanted.preloaded) != set(self.ready.imports.preloaded) else None

    def _has_failed(self, wanted: Imports) -> bool:
        return wanted == self._failed and self._now() - self._failed_at < AGAIN

    async def _prepare(self) -> None:
        await asyncio.sleep(GATHERING)
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
                self._failed, self._failed_at = wanted, self._now()
                self.why_none = NOT_IMPORTED
                return
            self.why_none = NOT_READY

    async def _preload(self, wanted: Imports, *, carefully: bool) -> bool:
        """Whether it may be used. Raises OSError when it cannot be started, TimeoutError when it
        hangs."""
        new = self._in_work = self._make(wanted)
        try:
            readiness = await new.preload(self._cold(), sharing=self._sharing, carefully=carefully)
            usable = self._found(readiness)
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
        self.retire()
        if self._sharing:
            new.imports = shareable(wanted, self._cold())  # as it turned out
        self.ready = new
        return True

    def _prepared(self, done: asyncio.Task[None]) -> None:
        if self._preparing is done:
            self._preparing = None
        if not done.cancelled() and (bug := done.exception()) is not None:
            raise bug
