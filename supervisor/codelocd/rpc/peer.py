"""One connection: both ends may ask, and both answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from codelocd.rpc.errors import RpcError, received
from codelocd.rpc.messages import (
    FAREWELL,
    NOTIFICATION,
    REQUEST,
    RESPONSE,
    Malformed,
    failure,
    notification,
    parameters,
    request,
)
from codelocd.rpc.outbox import Outbox, Unsent
from codelocd.rpc.requests import Calls, FairQueue, Limits, RateLimit, Report, Work
from codelocd.rpc.unix import Credentials, of_peer

if TYPE_CHECKING:
    from codelocd.rpc.messages import Message

Handler: TypeAlias = "Callable[[Peer, str, Mapping[str, Any]], Awaitable[Any]]"
"""Answers a request, and obeys a notification; raises RpcError for what may fail."""

Listener: TypeAlias = Callable[[str, Mapping[str, Any]], None]
"""Takes notifications in the order in which they came."""

UNREAD, SMALL = 1024 * 1024, 4096
"""Bytes unsent after which nothing more is asked that is larger than SMALL: a ping still is."""

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
    end, None where the system does not tell. A `patient` end reads and begins no more requests
    while the other one does not read its answers. `queue`: of all connections that are heard
    together; `rate`: messages that are heard in a second; `unsent`: what all are still to be sent.
    `turn` is held while a large answer is made. `slow`: the other end takes nothing.
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
        queue: FairQueue | None = None,
        rate: float | None = None,
        unsent: Unsent | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._report = report
        self._patient = patient
        self._decoder = self._limits.decoder()
        self._queue = queue or FairQueue()
        self._rate = None if rate is None else RateLimit(rate)
        self._heard: Iterator[Message] = iter(())
        self._next: Message | None = None
        self._calls = Calls(self._limits.in_flight)
        self._work = Work(partial(handler, self), self.send, self._limits, report, self.ready)
        self.is_due = self._work.is_due
        self._outbox = Outbox(unsent or Unsent(), self.reads_slowly)
        self.slow = False
        self.turn = asyncio.Lock()
        self._wanted = self._reading = True
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

    def send(self, *parts: bytes) -> None:
        """An encoded message, kept within the limits by its maker. Parts that several connections
        are sent are the same object for each."""
        if self._end is None:
            self._outbox.send(*parts)

    @property
    def backlog(self) -> int:
        """Bytes that the other end has yet to take."""
        return self._outbox.backlog

    @property
    def buffered(self) -> int:
        """Those of them that this connection alone has in memory."""
        return self._transport.get_write_buffer_size()

    @property
    def unfinished(self) -> int:
        """Bytes of a message that is not complete yet."""
        return 0 if self._end is not None else self._decoder.unfinished

    def cut_off(self, why: RpcError) -> None:
        """End the connection at once: what was still to be sent is not."""
        self._report("connection", why)
        self._end = self._end or why
        self._outbox.clear()
        self._transport.abort()

    @cached_property
    def credentials(self) -> Credentials | None:
        return of_peer(self._transport.get_extra_info("socket"))

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back soon, but not before the other end has taken most of the backlog."""
        self._outbox.when_drained(callback)

    def read(self, on: bool) -> None:
        """Whether to take more of what the other end says; it may say a little more anyway."""
        self._wanted = on
        self._read_or_not()

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
        self._transport = self._outbox.transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)

    def data_received(self, data: bytes) -> None:
        if self._next is not None:  # the transport had it already when reading was paused
            self._heard = chain(self._heard, self._decoder.feed(data))
            return
        self._heard = self._decoder.feed(data)
        if self._look_ahead():
            self._queue.add(self)
        if self._next is not None:
            self._read_or_not()

    def take_next(self) -> bool:
        """Take one message; whether there is another now. Nothing is read until all are taken."""
        if self._rate is not None and (wait := self._rate.wait(self._loop.time())):
            self._loop.call_later(wait, self._queue.add, self)
            return False
        message, self._next = self._next, None
        if message is None or self._end is not None:
            return False
        self._take(message)
        if self._look_ahead():
            return True
        if not self._reading:
            self._read_or_not()
        return False

    def _look_ahead(self) -> bool:
        """Whether a message waits to be taken."""
        if self._end is not None:
            return False
        try:
            self._next = next(self._heard, None)
        except Malformed as malformed:
            self.reject(malformed.error, malformed.msgid)
        return self._next is not None

    def _read_or_not(self) -> None:
        self._reading = self._next is None and self._wanted and not (self._patient and self.slow)
        if not self._reading:
            self._transport.pause_reading()
        elif self._end is None:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        self._outbox.fill(True)

    def resume_writing(self) -> None:
        self._outbox.fill(False)

    def reads_slowly(self, slow: bool) -> None:
        """Whether the other end does not take what it was sent; again when there is more of it."""
        self.slow = slow
        self._read_or_not()

    def connection_lost(self, exc: Exception | None) -> None:
        while self._next is not None:  # answers that were here in time
            if self._next[0] == RESPONSE:
                self._take(self._next)
            self._next = None
            self._look_ahead()
        gone = RpcError("down", "the other end closed the connection")
        self._end = self._end or self._farewell or gone
        self._outbox.clear()
        self._work.cancel()
        self._calls.end(self._end)
        if (
            not self.closed.done()
        ):  # the task that waited for it may have been cancelled, and it too
            self.closed.set_result(None)

    def _ask(self, method: str, params: Mapping[str, Any] | None) -> asyncio.Future[Any]:
        if self._end is not None:
            raise RpcError(self._end.kind, self._end.message, self._end.data)
        msgid, answer = self._calls.begin()
        try:
            message = self._limits.encode(request(msgid, method, params))
            if len(message) > SMALL and self.backlog > UNREAD:
                raise RpcError("busy", f"the other end does not read what it is asked: {method}")
            self.send(message)
        except BaseException:
            self._calls.give_up(msgid)
            raise
        return answer

    async def ready(self) -> None:
        """Returns when the other end, if this one is patient, has taken most of its answers."""
        while self._patient and self.slow:
            drained = self._loop.create_future()
            self.when_drained(partial(_done, drained))
            await drained

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
        self._outbox.close()
        if self.backlog:
            abort = self._loop.call_later(LAST_WORDS, self._transport.abort)
            self.closed.add_done_callback(lambda _: abort.cancel())


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
