"""Plays the processes of attempts, and the code that is served, for a keeper of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codelocd.daemon.runs.unfinished import RunKeeper
from codelocd.runs.book import RunBook
from codelocd.runs.events import (
    AttemptEnded,
    AttemptStarted,
    StartAttempt,
    TellDagster,
    UserCodeBegun,
)
from codelocd.runs.folder import AttemptFiles, RunFolders
from codelocd.runs.model import RunId, RunRecord, RunState
from codelocd.runs.queue import RunLimits

GOOD: Mapping[str, Any] = {"state": "succeeded", "steps": []}
BAD: Mapping[str, Any] = {"state": "failed", "why": "exception", "summary": "No", "steps": []}


@dataclass
class PlayedCode:
    generation: int | None = 3
    manifest: str | None = "m"
    environment: str | None = "env"
    loader: str = "native"


class PlayedCodes:
    """All locations are served but those that are `missing`. `loader`: of all of them."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.loader = "native"

    def of(self, name: str) -> PlayedCode | None:
        return None if name in self.missing else PlayedCode(loader=self.loader)


class PlayedProcesses:
    """Each attempt starts at once, and goes on until `end`. `refused`: what a start raises;
    `deaf`: Dagster is being told for ever. `prepared`, `called_off`: what was asked for besides."""

    def __init__(self, book: Path) -> None:
        self.keeper: RunKeeper | None = None
        self.refused: OSError | None = None
        self.files = AttemptFiles()
        self.started: list[tuple[RunId, int]] = []
        self.prepared: list[tuple[RunId, int]] = []
        self.called_off: list[RunId] = []
        self.signals: list[tuple[RunId, str]] = []
        self.adopted: list[RunId] = []
        self.deaf = False
        self.dagster_told: list[TellDagster] = []
        self.in_book_at_start: list[RunState | None] = []
        self._book = book

    def prepare(self, run: RunRecord, effect: StartAttempt) -> None:
        self.prepared.append((run.id, effect.number))

    def call_off(self, run: RunId) -> None:
        self.called_off.append(run)

    async def start(self, run: RunRecord, effect: StartAttempt) -> None:
        assert self.keeper is not None
        if self.refused is not None:
            raise self.refused
        self.in_book_at_start.append(await asyncio.to_thread(state_in_book, self._book, run.id))
        self.started.append((run.id, effect.number))
        self.keeper.tell(run.id, AttemptStarted(100 + run.id, "fork"))
        self.keeper.tell(run.id, UserCodeBegun())

    async def tell_dagster(self, run: RunId, effect: TellDagster) -> None:
        self.dagster_told.append(effect)
        if self.deaf:
            await asyncio.Event().wait()

    def signal(self, run: RunRecord, how: str) -> None:
        self.signals.append((run.id, how))

    async def adopt(self, run: RunRecord) -> None:
        self.adopted.append(run.id)

    def look(self, run: RunRecord) -> AttemptFiles:
        return self.files

    def end(self, run: RunId, result: Mapping[str, Any] | None = GOOD, **how: Any) -> None:
        assert self.keeper is not None
        self.keeper.tell(run, AttemptEnded(result=result, **how))


def state_in_book(path: Path, run: RunId) -> RunState | None:
    """As another process would read it."""
    book = RunBook(path)
    found = book.run(run).result()
    book.close()
    return found.state if found is not None else None


class Heard:
    """What clients would hear."""

    def __init__(self) -> None:
        self.states: list[tuple[int, str]] = []
        self.documents: list[tuple[int, Mapping[str, Any]]] = []

    def changed(self, before: RunRecord | None, run: RunRecord) -> None:
        self.states.append((run.id, run.state.value))

    def told(self, run: RunRecord, attempt: int, document: Mapping[str, Any]) -> None:
        self.documents.append((run.id, document))


class Played:
    """A keeper with a book of its own in `folder`, and all that it needs, played."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.path = folder / "runs" / "book.sqlite"
        self.hands = PlayedProcesses(self.path)
        self.codes = PlayedCodes()
        self.heard = Heard()
        self.reported: list[str] = []
        self.book = RunBook(self.path)
        self.keeper = self.hands.keeper = RunKeeper(
            self.book,
            RunFolders(folder / "runs"),
            self.hands,
            self.codes,
            self.heard,
            RunLimits(**{"max_concurrent": 4, **limits}),
            report=self.reported.append,
        )

    async def state(self, run: RunId, wanted: RunState) -> RunRecord:
        """The run once it is in that state."""
        found: RunRecord | None = None

        async def is_there() -> bool:
            nonlocal found
            found = await self.keeper.run(run)
            return found is not None and found.state is wanted

        async with asyncio.timeout(10):
            while not await is_there():  # noqa: ASYNC110  the same
                await asyncio.sleep(0.002)
        assert found is not None
        return found

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110  what is played sets no events
                await asyncio.sleep(0.002)


def play(folder: Path, story: Callable[[Played], Awaitable[None]], **limits: object) -> Played:
    """A daemon in `folder` from its beginning to its end."""

    async def scene() -> Played:
        played = Played(folder, **limits)
        try:
            async with asyncio.timeout(20):
                await story(played)
        finally:
            await played.keeper.close()
        return played

    return asyncio.run(scene())
