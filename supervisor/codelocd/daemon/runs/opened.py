"""The runs of a daemon that has some."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codelocd.daemon.runs.unfinished import LAST_REPORTS
from codelocd.daemon.runs.wishes import with_policy
from codelocd.runs.model import RunRecord, RunState, RunWish
from codelocd.runs.queue import RunLimits

if TYPE_CHECKING:
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.runs.base import RunBase
    from codelocd.daemon.runs.unfinished import RunKeeper
    from codelocd.documents.definitions import LastMadeDocument, MadeCheckDocument
    from codelocd.runs.book import RunBook
    from codelocd.settings import RunsSettings

FINAL = tuple(state for state in RunState if state.is_final)


class OpenRuns:
    """The runs of a daemon that has some."""

    def __init__(
        self, book: RunBook, keeper: RunKeeper, base: RunBase, locations: Locations
    ) -> None:
        self.book = book
        self.keeper = keeper
        self.base = base
        self._locations = locations

    async def submit(
        self, wish: RunWish, *, timeout: float | None = None
    ) -> tuple[RunRecord, bool]:
        """As `RunKeeper.submit`, with the policy that job and assets state. `timeout`: seconds for
        an attempt, before what they say. Raises BookProblem."""
        return await self.keeper.submit(self.with_policy(wish, timeout))

    def with_policy(self, wish: RunWish, timeout: float | None = None) -> RunWish:
        """The wish with what its job and its assets state."""
        return with_policy(wish, self._locations, self.base.codes, timeout)

    async def retry(self, origin: RunRecord, by: Mapping[str, Any]) -> RunRecord:
        """A new run that is as this one was to be. Raises BookProblem."""
        new, _ = await self.keeper.submit(origin.again(by))
        return new

    async def last_made(self, name: str, repository: str, asset: str) -> LastMadeDocument | None:
        """Raises BookProblem."""
        found = await asyncio.wrap_future(self.book.last_made(name, repository, asset))
        if found is None:
            return None
        await self.base.codes.ready(name)
        served = self.base.codes.of(name)
        known = served is not None and found.manifest is not None and served.manifest is not None
        current = found.manifest == served.manifest if known and served is not None else None
        run = await asyncio.wrap_future(self.book.run(found.run))
        checks = [] if run is None else checks_of(run, asset)
        return {"run": found.run, "at": found.at, "code_current": current, "checks": checks}

    def follow(self, settings: RunsSettings) -> None:
        """These limits hold from now on."""
        self.keeper.look_again(limits_of(settings))

    def longest_end(self) -> float | None:
        """Seconds that what goes on may take to stop; None where nothing does."""
        unfinished = self.keeper.unfinished().values()
        going_on = [run for run in unfinished if run.state is not RunState.QUEUED]
        if not going_on:
            return None
        last = LAST_REPORTS if any(run.dagster_run for run in going_on) else 0.0
        return max(run.wish.policy.stop_timeout for run in going_on) + last


def checks_of(run: RunRecord, asset: str) -> list[MadeCheckDocument]:
    """What the checks of an asset found in a run, without their metadata."""
    return [
        {
            "name": check["name"],
            "state": check["state"],
            "severity": check.get("severity"),
            "summary": check.get("summary"),
        }
        for step in run.steps
        if step["kind"] == "asset" and step["name"] == asset
        for check in step.get("checks") or ()
    ]


def limits_of(settings: RunsSettings) -> RunLimits:
    """How many runs may go on at a time."""
    most = settings.max_concurrent or os.cpu_count() or 1
    return RunLimits(most, settings.locations, settings.jobs, settings.tags)
