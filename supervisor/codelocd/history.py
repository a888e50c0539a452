"""The last events of this instance of the daemon, by number."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `data` is packed already, once for everybody who hears of it."""

    seq: int
    topic: str
    data: bytes


class History:
    """Numbers events from 1 and keeps the last of them, bounded in number and in bytes."""

    def __init__(self, events: int, size: int) -> None:
        self._most = events
        self._largest = size
        self._size = 0
        self._kept: deque[Event] = deque()
        self._forgotten: dict[str, int] = {}
        self.last = 0

    def add(self, topic: str, data: bytes) -> Event:
        self.last += 1
        event = Event(self.last, topic, data)
        self._kept.append(event)
        self._size += len(data)
        while len(self._kept) > self._most or self._size > self._largest:
            self._drop_oldest()
        return event

    def skip(self, topic: str, events: int) -> None:
        """Number events of a topic without keeping them."""
        self.last += events
        self._forgotten[topic] = self.last

    def reaches(self, seq: int, topics: Collection[str]) -> bool:
        """Whether everything after `seq` in these topics is still here."""
        return 0 <= seq <= self.last and all(
            self._forgotten.get(topic, 0) <= seq for topic in topics
        )

    def after(self, seq: int, topics: Collection[str]) -> Iterator[Event]:
        """The events after `seq` in these topics, oldest first."""
        first = bisect_right(self._kept, seq, key=lambda event: event.seq)
        return (event for event in islice(self._kept, first, None) if event.topic in topics)

    def _drop_oldest(self) -> None:
        oldest = self._kept.popleft()
        self._size -= len(oldest.data)
        self._forgotten[oldest.topic] = oldest.seq
