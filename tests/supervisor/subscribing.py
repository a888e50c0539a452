"""Subscribers that are played, and what they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgpack

from codelocd.daemon.event_history import HISTORY_BYTES
from codelocd.daemon.subscriptions import (
    BACKLOG,
    FullState,
    Hub,
    InProcessSubscriber,
    Subscriber,
)
from codelocd.documents.answers import Subscribed
from codelocd.rpc.errors import RpcError


class StatefulHub(Hub):
    """Gives all of its subscribers the same full state."""

    def __init__(
        self,
        instance: str,
        full_state: FullState,
        history: int = 10_000,
        history_bytes: int = HISTORY_BYTES,
    ) -> None:
        super().__init__(instance, history, history_bytes)
        self._full_state = full_state

    def subscribe(
        self,
        peer: Subscriber | InProcessSubscriber,
        topics: Collection[str],
        since: Mapping[str, Any] | None = None,
        full_state: FullState | None = None,
        *,
        blocks: bool = False,
        locations: Collection[str] | None = None,
    ) -> Subscribed:
        state = full_state or self._full_state
        return super().subscribe(peer, topics, since, state, blocks=blocks, locations=locations)


class Connection:
    """A connection that takes what it is sent when told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.backlog = 0
        self.rejected: list[str] = []
        self._waiting: list[Callable[[], None]] = []

    def send(self, *parts: bytes) -> None:
        messages = msgpack.Unpacker()
        messages.feed(b"".join(parts))
        for kind, method, (event,) in messages:
            assert (kind, method) == (2, "event")
            self.events.append(event)

    def when_drained(self, callback: Callable[[], None]) -> None:
        self._waiting.append(callback)

    def reject(self, error: RpcError) -> None:
        self.rejected.append(error.message)

    def drain(self) -> None:
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def clog(self) -> None:
        self.backlog = BACKLOG + 1

    def clear(self) -> None:
        self.backlog = 0
        self.drain()

    def take(self) -> list[tuple[str, int, Any]]:
        taken = [(event["topic"], event["seq"], event["data"]) for event in self.events]
        self.events.clear()
        return taken


class Recorder:
    """Keeps the events that a real connection brings."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self._more = asyncio.Event()

    def hear(self, _method: str, event: Mapping[str, Any]) -> None:
        self.events.append(event)
        self._more.set()

    async def until(self, seq: int) -> None:
        while not self.events or self.events[-1]["seq"] < seq:
            self._more.clear()
            await self._more.wait()


class State:
    """What the full state of a topic is, and how often it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, topic: str) -> dict[str, Any]:
        self.asked.append(topic)
        return {"state": topic}


def full(topic: str, seq: int, *, missed: bool) -> tuple[str, int, Any]:
    return (topic, seq, {"full": True, "missed": missed, "state": topic})


def listen(hub: StatefulHub, connection: Connection, *topics: str, blocks: bool = False) -> int:
    subscription: int = hub.subscribe(connection, topics, blocks=blocks)["subscription"]
    connection.drain()
    connection.take()
    return subscription
