"""The runs of a daemon as a whole: nothing of them is there before the first is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from codelocd.daemon.runs.starters import CONFIGURED, DEVELOPMENT, RunStarters
from codelocd.daemon.subscriptions import LocalSubscriber
from codelocd.rpc.errors import RpcError
from codelocd.settings import DRAIN_TIMEOUT, NO_RUNS, RunsSettings
from codelocd.storage.remains import BOOK, LOGS

if TYPE_CHECKING:
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.publisher import Publisher
    from codelocd.daemon.runs.base import RunBase
    from codelocd.daemon.runs.news import RunNews
    from codelocd.daemon.runs.opened import OpenRuns
    from codelocd.daemon.runs.unfinished import RunKeeper
    from codelocd.daemon.status import Warnings
    from codelocd.daemon.subscriptions import Hub
    from codelocd.runs.book import RunBook

T = TypeVar("T")
AGAIN = 10.0
"""Seconds after which a book that could not be opened at the start is tried again."""


class Runs:
    """What an application has of runs. `development`: under `codelocd dev`."""

    def __init__(
        self,
        base: RunBase,
        hub: Hub,
        publisher: Publisher,
        locations: Locations,
        report: Callable[[str], None],
        warnings: Warnings,
        *,
        development: bool,
    ) -> None:
        self.base = base
        warnings.of_runs = self.warnings
        self._hub = hub
        self._locations = locations
        self.report = report
        self._development = development
        self._settings = NO_RUNS
        self._path = base.root / BOOK
        self._publisher = publisher
        self._news: RunNews | None = None
        self._opened: OpenRuns | None = None
        self._opening = asyncio.Lock()
        self._retention: asyncio.Task[None] | None = None
        self._trying: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._ends, self._draining = False, ""
        self.starters = RunStarters(self, hub, publisher, locations)

    # --- use -----------------------------------------------------------------------------------

    def configure(self, settings: RunsSettings, *, tick: bool = False) -> None:
        """These hold from now on. `tick`: schedules tick under `dev`, too."""
        self._settings = settings
        ticks = tick or (settings.tick and not self._development)
        self.starters.follow(ticks=ticks, why_not=DEVELOPMENT if self._development else CONFIGURED)
        if self._opened is not None:
            self._opened.follow(settings)

    def begin_nothing(self) -> None:
        """No run starts from now on; those that an earlier daemon left are still taken over."""
        self.starters.begin_nothing()
        if self._opened is not None:
            self._opened.keeper.starts_more = False

    async def begin(self) -> None:
        """Called once the locations are known: take over what an earlier daemon left, if it had
        runs. Where they cannot be read, their attempts go on until they can be."""
        if self._path.exists():
            await self._try_to_open()
            if self._opened is None:
                self._trying = asyncio.get_running_loop().create_task(self._try_again())
            return
        self.base.end_rest()
        if self._settings != NO_RUNS:
            self.base.codes.begin()

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    async def _try_to_open(self) -> None:
        try:
            await self.open()
        except RpcError as problem:
            if str(problem) != self._trouble and not self._ends:
                self.report(f"runs cannot be used: {problem}")
            self._trouble = str(problem)

    async def _try_again(self) -> None:
        while self._opened is None and not self._ends:
            await asyncio.sleep(AGAIN)
            await self._try_to_open()

    async def open(self) -> OpenRuns:
        """Raises RpcError."""
        async with self._opening:
            if self._opened is None:
                if self._ends:
                    raise RpcError("down", "the daemon ends")
                self._opened = await self._made()
                self._trouble = None
                self.base.end_rest()  # attempts that no run of the book knows
                await self.begin_starters(self._opened)
        return self._opened

    async def if_any(self) -> OpenRuns | None:
        """None where there has been no run. Raises RpcError."""
        if self._opened is None and not self._path.exists():
            return None
        return await self.open()

    async def with_last_made(self, finding: Awaitable[T]) -> T:
        """What `show` says of a definition; of an asset also by which run it was made last, as far
        as that is known. Raises RpcError."""
        found, opened = await finding, await self.if_any()
        if opened is not None and isinstance(found, dict) and "last_made" in found:
            place = (found["location"], found["repository"], found["name"])
            found["last_made"] = await opened.last_made(*place)
        return found

    def full_state(self, names: Collection[str] | None = None) -> Mapping[str, Any]:
        """What a subscriber of the topic starts from."""
        return {"runs": []} if self._news is None else self._news.full_state(names)

    def warnings(self) -> list[str]:
        """For `status`."""
        trouble = self._opened.keeper.records.trouble if self._opened is not None else None
        told = [f"{trouble}: no run starts until it can be written again"] if trouble else []
        told += [f"runs cannot be used: {self._trouble}"] if self._trouble else []
        told += [self._draining] if self._draining else []
        for run, lost in self.base.outputs.dropped.items():
            told.append(
                f"output of run {run} not written to disk: {lost['bytes']} B: {lost['why']}"
            )
        return told

    async def _made(self) -> OpenRuns:
        from codelocd.daemon.runs.news import LAST, RunNews  # few daemons run anything
        from codelocd.daemon.runs.opened import FINAL, OpenRuns, limits_of
        from codelocd.daemon.runs.unfinished import RunKeeper
        from codelocd.runs.book import BookProblem, RunBook

        base = self.base
        try:
            base.codes.begin()
            book = await asyncio.to_thread(RunBook, self._path)
            listed = await asyncio.wrap_future(book.listed(states=FINAL, limit=LAST))
        except (BookProblem, OSError) as problem:
            raise RpcError("down", str(problem)) from problem
        if book.set_aside is not None:
            self.report(f"the book of runs was damaged: a new one was begun, see {book.set_aside}")
        folders, hands, codes = base.folders.of_runs, base.attempts, base.codes
        news = self._news = RunNews(self._hub, self._publisher, self._locations)
        limits = limits_of(self._settings)
        keeper = RunKeeper(book, folders, hands, codes, news, limits, report=self.report)
        hands.keeper = keeper
        keeper.starts_more = not self.starters.are_closed
        codes.known = lambda _name: self._known(keeper)
        try:
            await keeper.begin()
        except BookProblem as problem:
            await keeper.close()
            raise RpcError("down", str(problem)) from problem
        news.begin(keeper.unfinished().values(), listed)
        self._follow(keeper, news)
        self._begin_retention(book)
        return OpenRuns(book, keeper, base, self._locations)

    def _known(self, keeper: RunKeeper) -> None:
        """What is served of a location has become known."""
        keeper.look_again()
        self.starters.wake()

    async def begin_starters(self, opened: OpenRuns) -> None:
        """What cannot be read of schedules must not keep the daemon from serving."""
        try:
            await self.starters.begin(opened)
        except Exception as problem:  # noqa: BLE001
            self.report(f"no schedule ticks: {problem}")

    def _begin_retention(self, book: RunBook) -> None:
        from codelocd.daemon.runs.retention import RunRetention

        base = self.base
        retention = RunRetention(
            book,
            base.folders.of_runs,
            base.root / LOGS,
            base.codes.folder,
            lambda: self._settings,
            base.codes.manifests,
        )
        self._retention = asyncio.get_running_loop().create_task(retention.run(self.report))

    # --- locations come and go -----------------------------------------------------------------

    def _follow(self, keeper: RunKeeper, news: RunNews) -> None:
        """Have what waits for a location that is gone cancelled."""
        for name in {run.wish.location for run in keeper.unfinished().values()}:
            self._look_at(keeper, news, name)
        watcher = LocalSubscriber(lambda event: self._heard(keeper, news, event["data"]))
        self._hub.subscribe(watcher, ("status",), None, lambda _topic: {})

    def _heard(self, keeper: RunKeeper, news: RunNews, data: Any) -> None:
        entry = data.get("event")
        if not self._ends and entry is not None and entry["location"] is not None:
            self._look_at(keeper, news, entry["location"])

    def _look_at(self, keeper: RunKeeper, news: RunNews, name: str) -> None:
        location = self._locations.get(name)
        if location is None or location.removed:
            keeper.location_gone(name, f"there is no location {name} any more")
        elif not location.state.wanted:
            keeper.location_gone(name, f"{name} was stopped")
        else:
            news.count_again(name)
            if location.runs.queued:  # it may have failed to load: its last good code runs
                keeper.look_again()

    # --- the end -------------------------------------------------------------------------------

    @property
    def drain_timeout(self) -> float:
        """Seconds for runs at the daemon's end."""
        if self._settings.drain_timeout is not None:
            return self._settings.drain_timeout
        return 0.0 if self._development else DRAIN_TIMEOUT

    def longest_end(self) -> float:
        """Seconds that a drain may take from now on."""
        stop = self.base.longest_end()
        if self._opened is not None:
            stop = self._opened.longest_end()
        return 0.0 if stop is None else self.drain_timeout + stop

    async def drain(self) -> None:
        """End all runs in order: see `RunKeeper.drain`. Nothing starts any more."""
        if (opened := await self._last()) is not None:
            left = f"those that go on are cancelled unless they end within {self.drain_timeout:g} s"
            self._draining = f"the daemon ends: no run starts any more, and {left}"
            await opened.keeper.drain(self.drain_timeout)
            self._opened = None  # what is asked from now on hears that the daemon ends
            await opened.keeper.close()
        else:
            await self.base.drain_rest(self.drain_timeout)

    async def hand_over(self) -> None:
        """Leave what goes on to the next daemon."""
        if (opened := await self._last()) is not None:
            await opened.keeper.hand_over()
            self._opened = None

    def kill(self) -> None:
        """End every attempt at once."""
        if self._opened is not None:
            self._opened.keeper.kill()

    async def _last(self) -> OpenRuns | None:
        self._ends = True
        if self._trying is not None and not self._opening.locked():
            self._trying.cancel()
        await self.starters.close()
        async with self._opening:  # one that is being opened is ended, too
            if self._retention is not None:
                self._retention.cancel()
            return self._opened
