"""The client for programs that run under asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from codelocd.client.connection import DaemonUnreachable, explain, lost, refuse_foreign, silent
from codelocd.client.sync import TIMEOUT, running, subscribing
from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import EVENT
from codelocd.rpc.peer import Listener, Peer
from codelocd.rpc.server import open_peer

if TYPE_CHECKING:
    from codelocd.documents.events import TopicEvent

READ_AHEAD = 10_000
"""Events that wait here to be taken; more wait in the daemon, which then knows we are slow."""


class AsyncClient:
    """A connection to a daemon, made by `connect`.

    Everything raises DaemonUnreachable where no answer comes, and RpcError where the answer is
    an error.
    """

    def __init__(self, path: str | os.PathLike[str], heard: Listener | None = None) -> None:
        self._path = Path(path)
        self._heard = heard
        self._queues: dict[int, asyncio.Queue[TopicEvent | None]] = {}
        self._calls = 0
        self._peer: Peer

    @classmethod
    async def connect(
        cls,
        path: str | os.PathLike[str],
        *,
        timeout: float = TIMEOUT,
        foreign: bool = False,
        heard: Listener | None = None,
    ) -> Self:
        """A connection to the daemon whose control socket is at `path`, within `timeout` s.

        `foreign`: as for `Client`. `heard` takes what is told that is no event.
        """
        client = cls(path, heard)
        try:
            client._peer = await open_peer(client._path, listener=client._hear, timeout=timeout)
        except OSError as error:
            raise explain(error, str(path)) from None
        client._peer.closed.add_done_callback(client._end)
        try:
            if not foreign:
                refuse_foreign(str(path), client.uid)
        except DaemonUnreachable:
            client.close()
            await client._peer.closed
            raise
        return client

    @property
    def uid(self) -> int | None:
        """The user whose process listens on the socket; None where the system does not tell."""
        who = self._peer.credentials
        return None if who is None else who.uid

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = TIMEOUT,
    ) -> Any:
        """The result of a method; `timeout` in seconds, None for as long as it takes."""
        self._calls += 1
        self._balance()
        try:
            async with asyncio.timeout(timeout):
                return await self._peer.call(method, params)
        except TimeoutError:
            raise silent(str(self._path), timeout or 0) from None
        except RpcError as error:
            if self._peer.closed.done():
                raise lost(str(self._path), error) from None
            raise
        finally:
            self._calls -= 1
            self._balance()

    async def subscribe(
        self,
        topics: Sequence[str],
        since: Mapping[str, Any] | None = None,
        *,
        blocks: bool = False,
        locations: Sequence[str] | None = None,
    ) -> AsyncGenerator[TopicEvent, None]:
        """Events `{"subscription", "topic", "seq", "data"}` of these topics, for ever.

        `since` `{"instance", "seq"}` goes on where an earlier subscription ended. `blocks`: lines
        of output that came together are one event. `locations`: only what concerns these, or the
        daemon itself. Closing the generator (`aclose`) ends the subscription.
        """
        params = subscribing(topics, since, blocks=blocks, locations=locations)
        answer = await self.call("subscribe", params)
        subscription: int = answer["subscription"]
        queue = self._queue(subscription)
        try:
            while (event := await queue.get()) is not None:
                self._balance()
                yield event
            raise lost(str(self._path), "no more events")
        finally:
            await self._leave(subscription)

    async def run(
        self, location: str, *names: str, wait: bool = False, **wished: Any
    ) -> dict[str, Any]:
        """As `Client.run`."""
        parameters = running(location, names, wait=wait, wished=wished)
        answer = await self.call("run", parameters, timeout=None if wait else TIMEOUT)
        document: dict[str, Any] = answer["run"]
        return document

    async def runs(self, **narrowed: Any) -> list[dict[str, Any]]:
        """As `Client.runs`."""
        found: list[dict[str, Any]] = (await self.call("runs", narrowed))["runs"]
        return found

    def close(self) -> None:
        self._peer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
        await self._peer.closed

    async def _leave(self, subscription: int) -> None:
        with contextlib.suppress(DaemonUnreachable, RpcError):
            await self.call("unsubscribe", {"subscription": subscription})
        del self._queues[subscription]
        self._balance()

    def _queue(self, subscription: int) -> asyncio.Queue[TopicEvent | None]:
        return self._queues.setdefault(subscription, asyncio.Queue())

    def _hear(self, method: str, params: Mapping[str, Any]) -> None:
        if method == EVENT:
            self._queue(params["subscription"]).put_nowait(cast("TopicEvent", dict(params)))
            self._balance()
        elif self._heard is not None:
            self._heard(method, params)

    def _balance(self) -> None:
        """Read while a caller waits for an answer, or while few events wait to be taken."""
        waiting = sum(queue.qsize() for queue in self._queues.values())
        self._peer.read(self._calls > 0 or waiting < READ_AHEAD)

    def _end(self, _closed: asyncio.Future[None]) -> None:
        for queue in self._queues.values():
            queue.put_nowait(None)
