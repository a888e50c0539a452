"""Keeps the last events of an instance of the daemon, for subscribers that were away for a
while."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

HISTORY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `data` is packed already, once for all subscribers.

    Where it is a block of `lines`, these have the numbers up to `seq`. `location`: whom it
    concerns; None: the daemon, or several locations.
    """

    seq: int
    topic: str
    data: bytes
    lines: int = 0
    location: str | None = None


BLOCKS = frozenset({"logs"})
"""Topics with so many events that they must not push those of others out of the history."""

BLOCKS_BYTES = 2 * 1024 * 1024
"""The number of events of these topics that are kept; not more than of the others."""

NEWEST = frozenset({"usage"})
"""Topics whose newest event says everything: no other is kept, and a subscriber misses none."""


class EventHistory:
    """Numbers events from 1 and keeps the last of them, bounded in number and in bytes."""

    def __init__(self, events: int, size: int) -> None:
        self._shelves = {
            False: _Shelf(events, size),
            True: _Shelf(events, min(size, BLOCKS_BYTES)),
        }
        self._newest: dict[str, Event] = {}
        self._forgotten: dict[tuple[str, str | None], int] = {}
        """By topic and location: the number of the newest event that is no longer here."""
        self.last = 0

    def add(self, topic: str, data: bytes, lines: int = 0, location: str | None = None) -> Event:
        """`lines`: how many lines the event has, where it is a block of them."""
        self.last += lines or 1
        event = Event(self.last, topic, data, lines, location)
        if topic in NEWEST:
            self._newest[topic] = event
            return event
        for dropped in self._shelves[topic in BLOCKS].put(event):
            self._forgotten[dropped.topic, dropped.location] = dropped.seq
        return event

    def skip(self, topic: str, events: int, location: str | None = None) -> None:
        """Number events of a topic without keeping them."""
        self.last += events
        self._forgotten[topic, location] = self.last

    def reaches(
        self, seq: int, topics: Collection[str], locations: Collection[str] | None = None
    ) -> bool:
        """Whether everything after `seq` in these topics, of these locations or of all, is here."""
        return 0 <= seq <= self.last and all(
            last <= seq
            for (topic, location), last in self._forgotten.items()
            if topic in topics and (location is None or locations is None or location in locations)
        )

    def after(self, seq: int, topics: Collection[str]) -> Iterator[Event]:
        """The events after `seq` in these topics, oldest first."""
        shelves = (shelf.after(seq) for shelf in self._shelves.values())
        newest = sorted(self._newest.values(), key=lambda event: event.seq)
        events = merge(*shelves, (e for e in newest if e.seq > seq), key=lambda event: event.seq)
        return (event for event in events if event.topic in topics)


class _Shelf:
    """The last events of some topics."""

    def __init__(self, events: int, size: int) -> None:
        self._most = events
        self._largest = size
        self._size = 0
        self._kept: deque[Event] = deque()

    def put(self, event: Event) -> list[Event]:
        """Keep an event; returns those that it has pushed out."""
        self._kept.append(event)
        self._size += len(event.data)
        dropped = []
        while len(self._kept) > self._most or self._size > self._largest:
            dropped.append(self._kept.popleft())
            self._size -= len(dropped[-1].data)
        return dropped

    def after(self, seq: int) -> Iterator[Event]:
        first = bisect_right(self._kept, seq, key=lambda event: event.seq)
        return islice(self._kept, first, None)
