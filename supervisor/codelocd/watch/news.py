"""What looks at files have found is judged for each location, and told where it is news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from codelocd.watch.contents import Contents
from codelocd.watch.tracker import Tracker
from codelocd.watch.values import Change
from codelocd.watch.views import Views

PACE = 0.01
"""Seconds between two changes of one location: during a burst, each would list all the others."""

OTHERS_LATER = 0.005
"""Seconds for which locations that do not read a file wait while those that do begin anew."""

UNJUDGED = "unjudged"
"""Stands for what no file contains."""


class News:
    """`tell(location, change)` is called on the loop, soon after what it tells was judged."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        trackers: Mapping[str, Tracker],
        contents: Contents,
        views: Views,
        tell: Callable[[str, Change], None],
    ) -> None:
        self._loop = loop
        self._trackers = trackers
        self._contents = contents
        self._views = views
        self._tell = tell
        self._telling: dict[str, asyncio.TimerHandle] = {}
        self._not_before: dict[str, float] = {}
        self._judged: dict[str, str | None] = {}
        self._left: set[str] = set()
        self._others: asyncio.TimerHandle | None = None

    def looked(self, paths: Collection[str]) -> None:
        """Everybody judges what nobody has judged yet; a look at what is known costs nothing."""
        found = {path: self._contents.digest(path) for path in paths}
        fresh = {p: seen for p, seen in found.items() if self._judged.get(p, UNJUDGED) != seen}
        if not fresh:
            return
        self._judged |= fresh
        readers = self._views.readers(fresh)
        for location in readers:
            self.judge(location, fresh)
        self._left.update(fresh)
        if self._others is None:
            self._others = self._loop.call_later(OTHERS_LATER if readers else 0, self._judge_left)

    def judge(self, location: str, paths: Collection[str]) -> None:
        """By what is known of them now."""
        news = [path for path in paths if self._trackers[location].settle(path)]
        if news and location not in self._telling:
            when = self._not_before.get(location, 0.0)
            self._telling[location] = self._loop.call_at(when, self._tell_of, location)

    def forget(self, location: str) -> None:
        """Nothing more is told of it."""
        if telling := self._telling.pop(location, None):
            telling.cancel()
        self._not_before.pop(location, None)

    def keep(self, paths: Collection[str]) -> None:
        """Forgets what was judged of all others."""
        self._judged = {path: seen for path, seen in self._judged.items() if path in paths}

    def close(self) -> None:
        if self._others is not None:
            self._others.cancel()

    def _judge_left(self) -> None:
        self._others = None
        left, self._left = self._left, set()
        for location in self._trackers:
            self.judge(location, left)

    def _tell_of(self, location: str) -> None:
        del self._telling[location]
        self._not_before[location] = self._loop.time() + PACE
        change = self._trackers[location].change()
        if change.paths:  # else an attempt began in between
            self._tell(location, change)
