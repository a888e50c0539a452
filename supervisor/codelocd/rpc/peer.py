"""One connection: both ends may ask, and both answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from codelocd.rpc.errors import RpcError, received
from codelocd.rpc.messages import (
    FAREWELL,
    NOTIFICATION,
    REQUEST,
    Decoder,
    Malformed,
    failure,
    notification,
    parameters,
    request,
)
from codelocd.rpc.requests import Calls, Limits, Report, Work
from codelocd.rpc.unix import Credentials, of_peer

if TYPE_CHECKING:
    from codelocd.rpc.messages import Message

Handler: TypeAlias = "Callable[[Peer, str, Mapping[str, Any]], Awaitable[Any]]"
"""Answers a request, and obeys a notification; raises RpcError for what may fail."""

Listener: TypeAlias = Callable[[str, Mapping[str, Any]], None]
"""Takes notifications in the order in which they came."""

HIGH_WATER, LOW_WATER = 256 * 1024, 64 * 1024
"""Unsent bytes at which an end counts as slow, and at which no longer."""

LAST_WORDS = 5.0
"""Seconds for the other end to take what was still to be sent when this one closed."""


async def no_methods(_peer: Peer, method: str, _params: Mapping[str, Any]) -> Any:
    """The handler of an end that only asks."""
    raise RpcError("unknown", f"no method {method!r}: this end only asks")


def keep_quiet(_where: str, _error: Exception) -> None:
    """The report of an end whose calls tell everything anyway."""


class Peer(asyncio.Protocol):
    """One end of a connection.

    `closed` is done when the connection is gone; handlers that still work for it are cancelled
    then, and calls that still wait get RpcError "down". `credentials` are those of the other
    end, None where the system does not tell. A `patient` end reads no more requests while the
    other one does not read its answers.
    """

    closed: asyncio.Future[None]

    def __init__(
        self,
        handler: Handler = no_methods,
        *,
        listener: Listener | None = None,
        limits: Limits | None = None,
        report: Report = keep_quiet,
        patient: bool = False,
    ) -> None:
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._report = report
        self._patient = patient
        self._decoder = Decoder(
            self._limits.message_bytes, self._limits.depth, self._limits.elements
        )
        self._calls = Calls(self._limits.in_flight)
        self._work = Work(partial(handler, self), self.send, self._limits, report)
        self._drained: list[Callable[[], None]] = []
        self._slow = False
        self._end: RpcError | None = None
        self._farewell: RpcError | None = None
        self.closed = self._loop.create_future()

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        """The result; RpcError of the other end, or "timeout", "down", "limit" of this one.

        `timeout` is in seconds, None for as long as it takes. What was asked is not undone by
        a timeout, and counts as in flight until its answer comes.
        """
        answer = self._ask(method, params)
        if timeout is None:
            return await answer
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            if answer.done() and not answer.cancelled():
                return answer.result()  # it was here in time, and was read together with the end
            raise RpcError("timeout", f"no answer to {method} within {timeout:g} s") from None

    def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Tell without an answer; nothing happens on a closed connection."""
        self.send(self._limits.encode(notification(method, params)))

    def send(self, message: bytes) -> None:
        """An encoded message, kept within the limits by its maker."""
        if self._end is None:
            self._transport.write(message)

    @property
    def backlog(self) -> int:
        """Bytes that the other end has yet to take."""
        return self._transport.get_write_buffer_size()

    @cached_property
    def credentials(self) -> Credentials | None:
        return of_peer(self._transport.get_extra_info("socket"))

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back soon, but not before the other end has taken most of the backlog."""
        if self._slow:
            self._drained.append(callback)
        else:
            self._loop.call_soon(callback)

    def read(self, on: bool) -> None:
        """Whether to take more of what the other end says; it may say a little more anyway."""
        if on and self._end is None:
            self._transport.resume_reading()
        elif not on:
            self._transport.pause_reading()

    def close(self) -> None:
        """End the connection after what is still to be sent, which may take some seconds."""
        self._finish(RpcError("down", "the connection was closed at this end"))

    def reject(self, error: RpcError, msgid: int | None = None) -> None:
        """End the connection, and tell why: in answer to request `msgid`, where there is one."""
        self._report("connection", error)
        farewell = notification(FAREWELL, error.document())
        self.send(self._limits.encode(farewell if msgid is None else failure(msgid, error)))
        self._finish(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                self._take(message)
                if self._end is not None:
                    return
        except Malformed as malformed:
            self.reject(malformed.error, malformed.msgid)

    def pause_writing(self) -> None:
        self._slow = True
        if self._patient:
            self.read(False)

    def resume_writing(self) -> None:
        self._slow = False
        if self._patient:
            self.read(True)
        drained, self._drained = self._drained, []
        for callback in drained:
            self._loop.call_soon(callback)

    def connection_lost(self, exc: Exception | None) -> None:
        gone = RpcError("down", "the other end closed the connection")
        self._end = self._end or self._farewell or gone
        self._work.cancel()
        self._calls.end(self._end)
        self._drained.clear()
        if (
            not self.closed.done()
        ):  # the task that waited for it may have been cancelled, and it too
            self.closed.set_result(None)

    def _ask(self, method: str, params: Mapping[str, Any] | None) -> asyncio.Future[Any]:
        if self._end is not None:
            raise RpcError(self._end.kind, self._end.message, self._end.data)
        msgid, answer = self._calls.begin()
        try:
            self.send(self._limits.encode(request(msgid, method, params)))
        except BaseException:
            self._calls.give_up(msgid)
            raise
        return answer

    def _take(self, message: Message) -> None:
        match message:
            case [kind, msgid, method, params] if kind == REQUEST:
                self._begin(msgid, method, params)
            case [kind, method, params] if kind == NOTIFICATION:
                self._hear(method, params)
            case [_, msgid, error, result]:
                self._calls.settle(msgid, None if error is None else received(error), result)

    def _hear(self, method: str, params: list[Any]) -> None:
        if method == FAREWELL:
            self._farewell = received(params[0] if params else None)
        elif self._listener is None:
            self._begin(None, method, params)
        else:
            self._listener(method, parameters(params))

    def _begin(self, msgid: int | None, method: str, params: list[Any]) -> None:
        try:
            self._work.begin(msgid, method, params)
        except RpcError as error:
            self.reject(error, msgid)

    def _finish(self, why: RpcError) -> None:
        """Nothing more is said; what was said before is still sent."""
        if self._end is not None:
            return
        self._end = why
        self._transport.close()
        if self.backlog:
            abort = self._loop.call_later(LAST_WORDS, self._transport.abort)
            self.closed.add_done_callback(lambda _: abort.cancel())
