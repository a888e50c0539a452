"""Sends events to subscribers, which may be slow, gone for a while, or new."""

from __future__ import annotations

import asyncio
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from codelocd.daemon.event_history import (
    HISTORY_BYTES,
    Event,
    EventHistory,
    encoded,
    of_locations,
    one_by_one,
    unpack,
)
from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import pack
from codelocd.rpc.packed import Packed

if TYPE_CHECKING:
    from codelocd.documents.answers import Nothing, Subscribed
    from codelocd.documents.events import TopicEvent
    from codelocd.documents.locations import PrintedBlock

State: TypeAlias = "Mapping[str, object] | Packed | Awaitable[object]"
"""The full state of a topic; where it is large and not encoded yet, what waits until it is."""

FullState = Callable[[str], State]

TOPICS = ("status", "definitions", "logs", "builds", "usage", "runs", "run_logs")

BACKLOG = 1024 * 1024
"""Unsent bytes at which a subscriber counts as slow; more than a peer's own high water."""

SUBSCRIPTIONS, ALL_SUBSCRIPTIONS = 100, 1000
"""Subscriptions that one connection may have at a time, and all connections together."""

FRESH = 1.0
"""Seconds for which a full state is given to those who come without an event between them."""


class Subscriber(Protocol):
    """The part of a connection that is used here; `send` takes one message, or several at once."""

    @property
    def backlog(self) -> int: ...
    def send(self, *parts: bytes) -> None: ...
    def when_drained(self, callback: Callable[[], None], /) -> None: ...
    def reject(self, error: RpcError, /) -> None: ...


Whole: TypeAlias = "tuple[bytes, tuple[bytes, ...]]"  # a full state: its head, what all get of it


@dataclass(slots=True, eq=False)
class _Subscription:
    """One subscriber's place: it has everything up to `seq`; None: it has nothing yet.

    `missed`: an event after that was not sent to it. `behind`: it has to be sent more when it is
    its turn. `blocks`: it takes lines of output in blocks, as they are published, not one by one.
    `locations`: it hears of these alone, and of the daemon; None: of all. `owed`: topics of which
    it gets the full state, because an event was too large.
    """

    id: int
    peer: Subscriber | InProcessSubscriber
    topics: frozenset[str]
    full_state: FullState
    seq: int | None
    missed: bool
    blocks: bool = False
    locations: frozenset[str] | None = None
    behind: bool = True
    owed: set[str] = field(default_factory=set)

    def hears(self, topic: str, location: str | None) -> bool:
        """Whether an event of the topic, about a location or (None) the daemon, is sent to it."""
        if topic not in self.topics:
            return False
        return location is None or self.locations is None or location in self.locations


class Hub:
    """The topics of one instance of the daemon."""

    def __init__(
        self,
        instance: str,
        history: int = 10_000,
        history_bytes: int = HISTORY_BYTES,
    ) -> None:
        self._instance = instance
        self._history = EventHistory(history, history_bytes)
        self._ids = itertools.count(1)
        self._subscriptions: dict[int, _Subscription] = {}
        self._states: dict[tuple[FullState, str, bool], Whole] = {}
        self._states_of = 0, 0.0
        self._came = asyncio.Event()
        self._encoding: set[asyncio.Future[object]] = set()

    def publish(self, topic: str, data: Mapping[str, object], location: str | None = None) -> int:
        """Send an event to all subscribers of its topic; returns its number.

        `location`: whom it concerns; None: the daemon, or several locations.
        """
        event = self._history.add(topic, pack(data), location=location)
        now = [each for each in self._listening(topic, location) if not each.behind]
        # Connections first: a client waits at their other end.
        now.sort(key=lambda each: isinstance(each.peer, InProcessSubscriber))
        for subscription in now:
            self._tell(subscription, event, document=data)
        return event.seq

    def publish_in_full(self, topic: str, data: Mapping[str, object], location: str) -> None:
        """An event too large to encode: connections get the full state, this process the event."""
        self._history.skip(topic, 1, location)
        for subscription in self._listening(topic, location):
            peer = subscription.peer
            subscription.owed.add(topic)
            if subscription.behind:
                continue
            if isinstance(peer, InProcessSubscriber):
                subscription.owed.clear()
                subscription.seq = self._history.last
                peer.take(subscription.id, Event(subscription.seq, topic, b""), data)
            else:
                subscription.behind = True
                peer.when_drained(partial(self._catch_up, subscription))

    def publish_block(
        self, topic: str, lines: int, block: Callable[[], PrintedBlock], location: str | None = None
    ) -> None:
        """Publish lines that came together as one event, or as one each, as a subscriber wishes.

        `block()` is the document of them all. Cheap without subscribers: such events have numbers
        then, but are not kept, so a subscriber that comes back later and asks for them gets the
        full state instead.
        """
        listening = self._listening(topic, location)
        if not listening:
            self._history.skip(topic, lines, location)
            return
        event = self._history.add(topic, pack(block()), lines, location)
        now = [each for each in listening if not each.behind]
        singly = [] if all(each.blocks for each in now) else one_by_one(event)
        for subscription in now:
            self._tell(subscription, *([event] if subscription.blocks else singly))

    def subscribe(
        self,
        peer: Subscriber | InProcessSubscriber,
        topics: Collection[str],
        since: Mapping[str, Any] | None,
        full_state: FullState,
        *,
        blocks: bool = False,
        locations: Collection[str] | None = None,
    ) -> Subscribed:
        """The result of the method `subscribe`; the first events follow it soon.

        `full_state(topic)` gives what a newcomer to a topic must know, as a JSON document.
        `blocks`: lines of output come in blocks, not one by one. `locations`: only what concerns
        these is told, or the daemon itself.
        """
        _check(topics, since)
        self._refuse_too_many(peer)
        known = since is not None and since["instance"] == self._instance
        seq = since["seq"] if since is not None and known else None
        subscription = _Subscription(
            next(self._ids),
            peer,
            frozenset(topics),
            full_state,
            seq,
            missed=since is not None,
            blocks=blocks,
            locations=None if locations is None else frozenset(locations),
        )
        self._subscriptions[subscription.id] = subscription
        self._came.set()
        peer.when_drained(partial(self._catch_up, subscription))
        return {
            "subscription": subscription.id,
            "instance": self._instance,
            "seq": self._history.last,
        }

    def _refuse_too_many(self, peer: Subscriber | InProcessSubscriber) -> None:
        if sum(other.peer is peer for other in self._subscriptions.values()) >= SUBSCRIPTIONS:
            raise RpcError("limit", f"{SUBSCRIPTIONS} subscriptions on one connection")
        if len(self._subscriptions) >= ALL_SUBSCRIPTIONS:
            raise RpcError("limit", f"{ALL_SUBSCRIPTIONS} subscriptions in all; end some")

    def unsubscribe(self, peer: Subscriber, subscription: object) -> Nothing:
        """The result of the method `unsubscribe`; no event follows it."""
        known = self._subscriptions.get(subscription) if isinstance(subscription, int) else None
        if known is None or known.peer is not peer:
            raise RpcError("unknown", f"no subscription {subscription!r} on this connection")
        del self._subscriptions[known.id]
        return {}

    def drop(self, peer: Subscriber) -> None:
        """This connection is gone."""
        for subscription in list(self._subscriptions.values()):
            if subscription.peer is peer:
                del self._subscriptions[subscription.id]

    async def heard(self, topic: str) -> None:
        """Returns when there is a subscriber to the topic."""
        while not self._listening(topic):
            self._came.clear()
            await self._came.wait()

    def _listening(self, topic: str, location: str | None = None) -> list[_Subscription]:
        return [one for one in self._subscriptions.values() if one.hears(topic, location)]

    def _catch_up(self, subscription: _Subscription) -> None:
        if subscription.id not in self._subscriptions:
            return
        seq, topics = subscription.seq, subscription.topics - subscription.owed
        if seq is None or not self._history.reaches(seq, topics, subscription.locations):
            self._begin_anew(subscription, subscription.topics)
            return
        subscription.behind = False
        for event in list(self._history.after(seq, topics)):
            if not subscription.hears(event.topic, event.location):
                continue
            singly = event.lines and not subscription.blocks
            events = one_by_one(event) if singly else [event]
            self._tell(subscription, *[each for each in events if each.seq > seq])
            if subscription.behind:
                return
        if subscription.owed:
            self._begin_anew(subscription, subscription.owed)

    def _begin_anew(self, subscription: _Subscription, which: Collection[str]) -> None:
        subscription.behind = True
        states: list[tuple[str, Whole]] = []
        for topic in TOPICS:
            if topic in which:
                whole = self._state(subscription, topic)
                if whole is None:  # it comes back when that is encoded
                    return
                states.append((topic, whole))
        subscription.behind, subscription.missed = False, True
        subscription.owed.clear()
        for topic, (own, shared) in states:
            self._tell(subscription, Event(self._history.last, topic, own), shared=shared)

    def _state(self, subscription: _Subscription, topic: str) -> Whole | None:
        """The full state, encoded once for all who come together."""
        now, full_state, missed = time.monotonic(), subscription.full_state, subscription.missed
        if self._history.last != self._states_of[0] or now - self._states_of[1] > FRESH:
            self._states.clear()
            self._states_of = self._history.last, now
        key = full_state, topic, missed
        if key not in self._states:
            facts, state = {"full": True, "missed": missed}, full_state(topic)
            if isinstance(state, Packed):
                return state.head(facts), state.items
            if isinstance(state, Awaitable):
                self._wait_for(subscription, state)
                return None
            whole: Whole = pack({**facts, **state}), ()
            if len(whole[0]) > BACKLOG:  # not kept: it would stay in memory
                return whole
            self._states[key] = whole
        return self._states[key]

    def _wait_for(self, subscription: _Subscription, state: Awaitable[object]) -> None:
        def come_back(done: asyncio.Future[object]) -> None:
            self._encoding.discard(done)
            error = None if done.cancelled() else done.exception()
            if error is None:
                self._catch_up(subscription)
            elif not isinstance(subscription.peer, InProcessSubscriber):
                subscription.peer.reject(RpcError("limit", str(error)))

        encoding = asyncio.ensure_future(state)
        self._encoding.add(encoding)
        encoding.add_done_callback(come_back)

    def _tell(
        self,
        subscription: _Subscription,
        *events: Event,
        document: Mapping[str, object] | None = None,
        shared: tuple[bytes, ...] = (),
    ) -> None:
        """Send events, all of them at once; at least one. `document`: that of a single one;
        `shared`: what follows its `data`, the same for all who get it."""
        peer = subscription.peer
        subscription.seq = events[-1].seq
        if subscription.locations is not None:
            events = tuple(of_locations(event, subscription.locations) for event in events)
        if isinstance(peer, InProcessSubscriber):
            for event in events:
                whole = document if subscription.locations is None else None
                peer.take(subscription.id, event, whole or unpack(b"".join((event.data, *shared))))
            return
        peer.send(b"".join(encoded(subscription.id, event) for event in events), *shared)
        if not subscription.behind and peer.backlog > BACKLOG:
            subscription.behind = True
            peer.when_drained(partial(self._catch_up, subscription))


def _check(topics: object, since: object) -> None:
    if not isinstance(topics, Collection) or not topics or not all(t in TOPICS for t in topics):
        raise RpcError("usage", f"topics must be some of {', '.join(TOPICS)}; got {topics!r}")
    if since is not None and not _is_place(since):
        raise RpcError("usage", 'since must be {"instance": text, "seq": number}')


def _is_place(since: object) -> bool:
    keys = set(since) if isinstance(since, Mapping) else None
    return keys == {"instance", "seq"} and type(since["seq"]) is int  # type: ignore[index]


Observer: TypeAlias = "Callable[[TopicEvent], None]"
"""Takes the parameters of the notification `event`."""


class InProcessSubscriber(ABC):
    """A subscriber without a connection: never slow, never gone."""

    @abstractmethod
    def take(self, subscription: int, event: Event, document: Mapping[str, Any]) -> None:
        """An event of the subscription with that number; its document, which others have, too."""

    def when_drained(self, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(callback)


class LocalSubscriber(InProcessSubscriber):
    """Hands events to an observer."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def take(self, subscription: int, event: Event, document: Mapping[str, Any]) -> None:
        around = {"subscription": subscription, "topic": event.topic, "seq": event.seq}
        whole: Any = {**around, "data": document}
        self._observer(whole)
