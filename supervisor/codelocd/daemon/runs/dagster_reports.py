"""Tells Dagster of the attempts of its runs that ended without a word."""

from __future__ import annotations

import asyncio
import contextlib

from codelocd.daemon.runs.attempts import reported, start_report
from codelocd.daemon.runs.folders import AttemptFolders
from codelocd.daemon.runs.local_attempts import AttemptParts
from codelocd.daemon.runs.served import LocationCode, ServedCodes
from codelocd.runs.dagster import DAGSTER
from codelocd.runs.events import TellDagster
from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunId

BESIDE = {
    DAGSTER: (
        "dagster._core.instance.factory",
        "dagster._core.execution.api",
        "dagster._core.storage.local_compute_log_manager",
        "dagster._core.storage.migration.utils",
        "dagster._core.storage.root",
        "dagster._core.storage.sqlite_storage",
        "dagster._utils.test.definitions",
        "dagster_mysql",
        "dagster_postgres",
        "upath.implementations.local",
    )
}
"""What opens an instance and executes a run, and no location imports by itself: most of the time
that a run takes to begin. Those that a release or an environment does not have are passed over."""
FOLDER = "reports"
"""In the folder of runs: what the processes are told."""
MOST = 4
"""Processes at a time, after the end of a daemon that had many runs."""


class DagsterReports:
    """Of the loop's thread."""

    def __init__(self, parts: AttemptParts, folders: AttemptFolders, codes: ServedCodes) -> None:
        self._parts = parts
        self._made_for = folders
        self._codes = codes
        self._folders = RunFolders(folders.root / FOLDER)
        self._slots = asyncio.Semaphore(MOST)

    async def tell(self, run: RunId, effect: TellDagster) -> None:
        """Returns when Dagster knows. Raises OSError, which says why it may not."""
        location = self._parts.locations.get(effect.location)
        if location is not None:
            await location.settled()
        await self._codes.ready(effect.location)
        served = self._codes.of_generation(effect.location, None)
        if served is None:
            raise OSError(self._codes.why_none(effect.location))
        async with self._slots:
            try:
                why = await self._told(run, effect, served)
            finally:
                await asyncio.to_thread(self._folders.remove, run)
        if why is not None:
            raise OSError(why)

    async def _told(self, run: RunId, effect: TellDagster, served: LocationCode) -> str | None:
        parts = self._parts
        output = parts.processes.specs.logs.output(effect.location, served.generation)
        spec, leases = await asyncio.to_thread(parts.processes.prepared, served, output)
        with contextlib.closing(leases):
            folder = self._folders.of(run)
            await asyncio.to_thread(self._made_for.make_run, folder, spec.account)
            child = await start_report(parts.warm, self._folders, run, effect, spec)
            return await reported(child)
