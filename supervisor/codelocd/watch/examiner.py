"""Looks at files in a thread, slice by slice; what is gone or unsettled is given a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from codelocd.watch.contents import Content, Contents, look

GRACE = 0.05
"""Seconds in which a removed file may come back: editors delete and create, or move twice."""

SLICE = 200
"""Files in one look: some 10 ms, so that the first news of a long burst comes early."""


class Examiner:
    """Keeps `contents` true. Everything but the looking happens on the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        contents: Contents,
        on_looked: Callable[[Collection[str]], None],
    ) -> None:
        self._loop = loop
        self._contents = contents
        self._on_looked = on_looked
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watch-look")
        self._due: dict[str, None] = {}
        self._doubts: dict[str, float] = {}
        self._settled: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._closed = False

    def examine(self, paths: Iterable[str]) -> None:
        """Looks at them as soon as possible."""
        for path in paths:
            self._doubts.pop(path, None)
            self._due[path] = None
        self._advance()

    def doubt(self, paths: Iterable[str]) -> None:
        """Looks at them in a moment, unless something else makes that needless."""
        when = self._loop.time() + GRACE
        for path in paths:
            self._doubts.setdefault(path, when)
        self._arm()

    def close(self) -> None:
        self._closed = True
        if self._timer:
            self._timer.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _arm(self) -> None:
        if self._doubts and self._timer is None:
            # The oldest doubt comes first: all of them last equally long.
            self._timer = self._loop.call_at(next(iter(self._doubts.values())), self._ripen)

    def _ripen(self) -> None:
        self._timer = None
        now = self._loop.time()
        ripe = [path for path, when in self._doubts.items() if when <= now]
        self._settled.update(ripe)
        self.examine(ripe)
        self._arm()

    def _advance(self) -> None:
        if self._busy or self._closed or not self._due:
            return
        paths = list(islice(self._due, SLICE))
        for path in paths:
            del self._due[path]
        self._busy = True
        self._pool.submit(_look_at, self._contents.known(paths)).add_done_callback(self._hand_over)

    def _hand_over(self, looked: Future[dict[str, Content]]) -> None:
        if not looked.cancelled() and not self._closed:
            self._loop.call_soon_threadsafe(self._take, looked)

    def _take(self, looked: Future[dict[str, Content]]) -> None:
        if self._closed:
            return
        self._busy = False
        contents = looked.result()
        vanished = [path for path, content in contents.items() if self._vanished(path, content)]
        self._settled.difference_update(contents)
        self.doubt(vanished)
        for path in vanished:
            del contents[path]
        self._contents.store(contents)
        self._advance()
        self._on_looked(contents.keys())

    def _vanished(self, path: str, content: Content) -> bool:
        """Whether a file that was there is missing, for the first time."""
        missing = content.digest is None and self._contents.digest(path) is not None
        return missing and path not in self._settled


def _look_at(paths: Mapping[str, Content | None]) -> dict[str, Content]:
    return {path: look(path, known) for path, known in paths.items()}
