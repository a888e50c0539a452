"""Writes the records of runs into the book, in their order, and keeps what cannot be written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from codelocd.runs.book import BookProblem, Change, RunBook
from codelocd.runs.model import RunId, RunRecord, RunWish

SOON = 0.5
"""Seconds in which a record is written that nothing waits for."""
AGAIN = 1.0
"""Seconds after which a record that could not be written is tried again."""
LOOK = 5.0
"""Seconds between two looks at whether the file of the book was removed."""


class RunRecords:
    """`trouble`: why the book cannot be written; None: it can. `stir` is called when `write` is
    due."""

    def __init__(self, book: RunBook, stir: Callable[[], None]) -> None:
        self._book = book
        self._stir = stir
        self._owed: dict[RunId, RunRecord] = {}
        self._news: dict[RunId, tuple[RunRecord, RunRecord]] = {}
        self._is_due = self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self.trouble: str | None = None
        self._look = asyncio.get_running_loop().call_later(LOOK, self._look_at_book)

    async def add(
        self, wish: RunWish, queued: float, first: Change | None = None
    ) -> tuple[RunRecord, bool]:
        """As `RunBook.add`; as are the next two. Raises BookProblem."""
        return await asyncio.wrap_future(self._book.add(wish, queued, first))

    async def run(self, number: RunId) -> RunRecord | None:
        return self._owed.get(number) or await asyncio.wrap_future(self._book.run(number))

    async def unfinished(self) -> list[RunRecord]:
        return await asyncio.wrap_future(self._book.unfinished())

    async def untold(self) -> list[RunRecord]:
        return await asyncio.wrap_future(self._book.untold())

    def note_told(self, number: RunId, told: Callable[[RunRecord], RunRecord]) -> None:
        """Of a run that has ended. What cannot be written now, the next daemon does again."""
        if not self._is_closed:
            self._book.note(number, told)

    def note(self, before: RunRecord, run: RunRecord, *, soon: bool = False) -> None:
        """It has changed; `soon`: that may be written a little later."""
        self._owed[run.id] = run
        first, _ = self._news.get(run.id, (before, run))
        self._news[run.id] = first, run
        if not soon:
            self._is_due = True
        elif not self._is_due:
            self._call(SOON)

    def is_owed(self, number: RunId) -> bool:
        """Whether its newest record is not in the book."""
        return number in self._owed

    async def write(self) -> list[tuple[RunRecord, RunRecord]]:
        """Write what is due. Those that clients are to be told of: before, and now."""
        if not self._is_due:
            return []
        self._is_due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        written = dict(self._owed)
        try:
            await asyncio.wrap_future(self._book.save(list(written.values())))
        except BookProblem as problem:
            self.trouble = str(problem)
            self._call(AGAIN)
        else:
            self.trouble = None
            for number, run in written.items():
                if self._owed[number] is run:
                    del self._owed[number]
        news, self._news = self._news, {}
        return list(news.values())

    async def close(self) -> None:
        """Try a last time to write what is owed, and close the book; once."""
        if self._is_closed:
            return
        self._is_closed = True
        self._look.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._is_due = bool(self._owed)
        await self.write()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.to_thread(self._book.close)

    def _call(self, seconds: float) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._fall_due)

    def _look_at_book(self) -> None:
        """Have it on the disk again where it was removed: what comes next may be a `kill -9`."""
        self._book.put_back()
        self._look = asyncio.get_running_loop().call_later(LOOK, self._look_at_book)

    def _fall_due(self) -> None:
        self._timer = None
        self._is_due = True
        self._stir()
