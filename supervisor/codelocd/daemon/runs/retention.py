"""Removes what is kept of runs when its time is over: their records, output, folders and code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunId
from codelocd.runs.texts import remove_texts

if TYPE_CHECKING:
    from codelocd.runs.book import RunBook
    from codelocd.settings import RunsSettings

FIRST, DAY = 10.0, 86400.0
"""Seconds after the start, which has other things to do; and until the next time."""
PAUSE = 0.05
"""Seconds between two pieces of the work."""


class RunRetention:
    """Of one book, of the `logs` of its runs by their numbers, and of the texts in `code`.

    `settings` are those that hold now. `served`: the manifests of what is served; None while a
    location loads, and then texts are left alone.
    """

    def __init__(
        self,
        book: RunBook,
        folders: RunFolders,
        logs: Path,
        code: Path,
        settings: Callable[[], RunsSettings],
        served: Callable[[], Collection[str] | None],
    ) -> None:
        self._book = book
        self._folders = folders
        self._logs = logs
        self._code = code
        self._settings = settings
        self._served = served

    async def run(self, report: Callable[[str], None]) -> None:
        """Soon, and each day."""
        await asyncio.sleep(FIRST)
        while True:
            try:
                await self.once()
            except Exception as error:  # noqa: BLE001  another day, another try
                report(f"what is old of runs was not removed: {error}")
            await asyncio.sleep(DAY)

    async def once(self) -> None:
        """Raises BookProblem."""
        while True:
            settings = self._settings()
            pruned = self._book.prune(time.time(), settings.keep, settings.keep_runs)
            if not await asyncio.wrap_future(pruned):
                break
            await asyncio.sleep(PAUSE)
        kept = await self._kept()
        await asyncio.to_thread(self._sweep, kept)
        served = self._served()
        if served is not None:
            executed = {each for each in kept.values() if each is not None}
            await asyncio.to_thread(self._remove_texts, {*executed, *served})

    async def _kept(self) -> dict[RunId, str | None]:
        """All runs, and the manifest of the code of each; one that is added meanwhile may lack."""
        found: dict[RunId, str | None] = {}
        while piece := await asyncio.wrap_future(self._book.kept(max(found, default=RunId(0)))):
            found.update(piece)
            await asyncio.sleep(PAUSE)
        return found

    def _sweep(self, kept: Collection[RunId]) -> None:
        """Remove what is of no run any more. One that is newer than all that were kept is new."""
        newest = max(kept, default=0)
        gone = {number for number in self._folders.numbers() if number < newest} - {*kept}
        for number in gone:
            self._folders.remove(number)
        for name in _names(self._logs):
            text = name.partition(".")[0]
            if text.isdigit() and int(text) < newest and int(text) not in kept:
                with contextlib.suppress(OSError):
                    (self._logs / name).unlink()

    def _remove_texts(self, manifests: Collection[str]) -> None:
        kept = {*manifests, *_texts_of(self._code, manifests)}
        for folder in (self._code, *self._code.parent.glob(f"{self._code.name}-*")):
            remove_texts(folder, kept)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _texts_of(code: Path, manifests: Collection[str]) -> Iterator[str]:
    for digest in manifests:
        with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):
            yield from json.loads((code / digest).read_bytes())["sources"].values()
