"""Keeps the last events of an instance of the daemon, for subscribers that were away for a
while."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain, dropwhile
from typing import Any

import msgpack

from codelocd.rpc.messages import EVENT, NOTIFICATION, pack

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


_NOTHING = pack(None)


def encoded(subscription: int, event: Event) -> bytes:
    """The notification of an event: `data` is the last value of its map, as it was packed."""
    around = {"subscription": subscription, "topic": event.topic, "seq": event.seq, "data": None}
    return pack([NOTIFICATION, EVENT, [around]])[: -len(_NOTHING)] + event.data


def of_locations(event: Event, locations: Collection[str]) -> Event:
    """The same of these locations alone, where the event is of several."""
    if event.topic != "usage":
        return event
    data = unpack(event.data)
    data["locations"] = {n: each for n, each in data["locations"].items() if n in locations}
    return replace(event, data=pack(data))


def one_by_one(event: Event) -> list[Event]:
    """An event for each line of a block, numbered as the lines are."""
    block = unpack(event.data)
    texts, first = block.pop("texts"), block.pop("seq")
    return [
        Event(
            event.seq - event.lines + 1 + n,
            event.topic,
            pack({"seq": first + n, **block, "text": text}),
        )
        for n, text in enumerate(texts)
    ]


def unpack(packed: bytes) -> Any:
    """What `pack` packed, as it was."""
    return msgpack.unpackb(packed, unicode_errors="surrogateescape")


BLOCKS = frozenset({"logs", "run_logs"})
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
            True: _Shelf(events, min(size, BLOCKS_BYTES), packs=False),
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


PACK_EVENTS = 64
PACK_BYTES = 128 * 1024
"""So many events, or as many as have so many bytes, are packed together: they are much alike, and
take a tenth of their room then. It takes the loop a millisecond or two."""


class _Shelf:
    """The last events of some topics. If it `packs`, all are packed but the newest and those that
    are next to go; a flood of output is not worth the time.

    `largest`: bytes that the events' data may have before they are packed.
    """

    def __init__(self, events: int, largest: int, *, packs: bool = True) -> None:
        self._packs = packs
        self._most = events
        self._largest = largest
        self._size = 0
        self._count = 0
        self._oldest: deque[Event] = deque()
        self._packed: deque[tuple[int, bytes]] = deque()
        self._newest: deque[Event] = deque()
        self._loose = 0
        """Bytes of the newest."""

    def put(self, event: Event) -> list[Event]:
        """Keep an event; returns those that it has pushed out."""
        self._newest.append(event)
        self._count += 1
        self._size += len(event.data)
        self._loose += len(event.data)
        if self._packs and (len(self._newest) == PACK_EVENTS or self._loose > PACK_BYTES):
            self._packed.append((event.seq, _packed(self._newest)))
            self._newest.clear()
            self._loose = 0
        dropped = []
        while self._count > self._most or self._size > self._largest:
            dropped.append(self._drop())
        return dropped

    def _drop(self) -> Event:
        if not self._oldest and self._packed:
            self._oldest.extend(_unpacked(self._packed.popleft()[1]))
        if self._oldest:
            event = self._oldest.popleft()
        else:
            event = self._newest.popleft()
            self._loose -= len(event.data)
        self._count -= 1
        self._size -= len(event.data)
        return event

    def after(self, seq: int) -> Iterator[Event]:
        packed = (data for last, data in list(self._packed) if last > seq)
        events = chain(self._oldest, chain.from_iterable(map(_unpacked, packed)), self._newest)
        return dropwhile(lambda event: event.seq <= seq, events)


def _packed(events: Iterable[Event]) -> bytes:
    told = [(each.seq, each.topic, each.data, each.lines, each.location) for each in events]
    encoded: bytes = msgpack.Packer().pack(told)
    return zlib.compress(encoded, 1)


def _unpacked(data: bytes) -> list[Event]:
    return [Event(*told) for told in msgpack.unpackb(zlib.decompress(data))]
