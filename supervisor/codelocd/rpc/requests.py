"""Requests under way on one connection: those that this end sent, and those that it received."""

from __future__ import annotations

import asyncio
import resource
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from codelocd.core.weight import is_heavy, let_go
from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import (
    DEPTH,
    ELEMENTS,
    IDS,
    MESSAGE_BYTES,
    Decoder,
    excess,
    failure,
    pack,
    parameters,
    response,
)
from codelocd.rpc.packed import Packed

if TYPE_CHECKING:
    from codelocd.rpc.messages import Message


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection, the same for both directions where nothing else is said.

    `message_bytes`: of one encoded message. `in_flight`: requests that wait for an answer.
    `depth`: arrays and maps within each other. `elements`: values in one message; of one that
    this end receives `heard_elements`, because to take a message apart takes time. `heard_text`:
    bytes of one text, or of one run of bytes, in a message that this end receives.
    """

    message_bytes: int = MESSAGE_BYTES
    in_flight: int = 1024
    depth: int = DEPTH
    elements: int = ELEMENTS
    heard_elements: int = ELEMENTS
    heard_text: int = MESSAGE_BYTES

    @property
    def most_heard(self) -> int:
        """Values in one message that this end receives."""
        return min(self.elements, self.heard_elements)

    def decoder(self) -> Decoder:
        """Of what this end receives."""
        return Decoder(self.message_bytes, self.depth, self.most_heard, self.heard_text)

    def encode(self, message: Message) -> bytes:
        """The bytes of a message; RpcError "limit" for one that the other end would refuse."""
        encoded = pack(message)
        if len(encoded) > self.message_bytes:
            raise RpcError("limit", f"a message is larger than {self.message_bytes} bytes")
        if len(encoded) > min(self.depth, self.elements):
            wrong = excess(message, self.depth, self.elements)
            if wrong is not None:
                raise RpcError("limit", f"a message {wrong}")
        return encoded


HEARD = Limits(heard_elements=64 * 1024, heard_text=4 * 1024 * 1024)
"""What clients and runners may say: no method takes as much, and the loop takes it apart. A runner
sends what is longer than `heard_text` in pieces."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Bounds of all connections together.

    `connections`: of one user at a time, and no more than a quarter of the descriptors that the
    process may have. `unsent`: bytes that wait to be read, in all; those who have not read for the
    longest are cut off. `unfinished`: bytes of messages that are not complete. `rate`: messages of
    one connection that are heard in a second.
    """

    connections: int = 256
    unsent: int = 256 * 1024 * 1024
    unfinished: int = 256 * 1024 * 1024
    rate: float = 5000.0

    def connections_of_one(self) -> int:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.connections if soft < 0 else max(1, min(self.connections, soft // 4))


class Calls:
    """Message ids and who waits for each.

    A call whose caller no longer waits keeps its place until its answer comes: the other
    end still works for it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def begin(self) -> tuple[int, asyncio.Future[Any]]:
        """A new id and its answer to come; RpcError "limit" where too many are in flight."""
        if len(self._waiting) >= self._limit:
            raise RpcError("limit", f"{self._limit} requests are already in flight")
        msgid = self._free()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[msgid] = answer
        return msgid, answer

    def give_up(self, msgid: int) -> None:
        """The request was never sent."""
        del self._waiting[msgid]

    def settle(self, msgid: int, error: RpcError | None, result: Any) -> None:
        """The answer came; one to a question that was not asked is ignored."""
        answer = self._waiting.pop(msgid, None)
        if answer is None or answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    def end(self, error: RpcError) -> None:
        """No answer will come any more."""
        for msgid in list(self._waiting):
            self.settle(msgid, RpcError(error.kind, error.message, error.data), None)

    def _free(self) -> int:
        self._last = (self._last + 1) % IDS
        while self._last in self._waiting:
            self._last = (self._last + 1) % IDS
        return self._last


Report: TypeAlias = Callable[[str, Exception], None]
"""Hears of what went wrong at this end: a handler's exception, a connection broken off."""


class Work:
    """The handlers at work for one connection, each in a task of its own.

    `handle(method, params)` gives the result or raises; `send` takes each answer. Nothing is begun
    before `ready`: the other end has to take the answers that there are.
    """

    def __init__(
        self,
        handle: Callable[[str, Mapping[str, Any]], Awaitable[Any]],
        send: Callable[..., None],
        limits: Limits,
        report: Report,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._handle = handle
        self._ready = ready
        self._send = send
        self._limits = limits
        self._report = report
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = False

    def begin(self, msgid: int | None, method: str, params: list[Any]) -> None:
        """Carry out a request, or without `msgid` a notification; RpcError "limit" if too many."""
        if len(self._tasks) >= self._limits.in_flight:
            raise RpcError("limit", f"more than {self._limits.in_flight} requests in flight")
        self._begun = True
        task = asyncio.get_running_loop().create_task(self._carry_out(msgid, method, params))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def is_due(self) -> bool:
        """Whether an answer is due, or nothing was asked yet, for which the other end connected."""
        return bool(self._tasks) or not self._begun

    def cancel(self) -> None:
        """The connection is gone: no answers are waited for."""
        for task in self._tasks:
            task.cancel()

    async def _carry_out(self, msgid: int | None, method: str, params: list[Any]) -> None:
        try:
            await self._ready()
            result = await self._handle(method, parameters(params))
            if msgid is not None:
                self._send(*await self._answer(msgid, method, result))
        except RpcError as error:
            self._fail(msgid, error)
        except asyncio.CancelledError:
            self._fail(msgid, RpcError("down", f"{method} was cancelled"))
            raise
        except Exception as error:  # noqa: BLE001 a handler's bug ends one call and is reported
            self._report(method, error)
            self._fail(msgid, RpcError("internal", _one_line(error)))

    async def _answer(self, msgid: int, method: str, result: Any) -> Sequence[bytes]:
        try:
            if type(result) is dict and is_heavy(result):
                result = await _packed_apart(result, self._limits)
            if not isinstance(result, Packed):
                return [self._limits.encode(response(msgid, result))]
        except RpcError as error:
            advice = "ask for less, such as one location by its name"
            wrong = f"the answer to {method} is too large ({error.message}): {advice}"
            raise RpcError(error.kind, wrong) from None
        around = pack(response(msgid, None))[: -len(pack(None))]
        return [around + result.head({}), *result.items]

    def _fail(self, msgid: int | None, error: RpcError) -> None:
        if msgid is None:
            return
        error = RpcError(error.kind, cut(error.message), error.data)
        try:
            answer = self._limits.encode(failure(msgid, error))
        except (RpcError, TypeError, ValueError, OverflowError):
            answer = self._limits.encode(failure(msgid, RpcError(error.kind, error.message)))
        self._send(answer)


async def _packed_apart(result: dict[str, Any], limits: Limits) -> Packed:
    """On another thread, where what it was made of goes, too."""
    packed = await asyncio.to_thread(Packed.of, result, limits)
    parts = [each for values in result.values() if type(values) is list for each in values]
    asyncio.get_running_loop().run_in_executor(None, let_go, parts)
    return packed


MESSAGE = 4000
"""Characters of an error's message: it may repeat a name of any length from a request."""


def cut(message: str) -> str:
    return message if len(message) <= MESSAGE else f"{message[:MESSAGE]}…"


def _one_line(error: Exception) -> str:
    first, *_ = str(error).strip().splitlines() or [""]
    name = type(error).__name__
    return f"{name}: {first}" if first else name


# --- whose message is next ---------------------------------------------------------------------

MOST = 64
"""Messages that are taken in one turn of the loop, all connections together."""

LONG, SHORT = 0.010, 0.004
"""Seconds of a turn after which the next has half as many messages, and below which one more."""


class Speaker(Protocol):
    """A connection that has said something."""

    def take_next(self) -> bool:
        """Take one message; whether there is another now."""
        ...


class FairQueue:
    """Connections that have more to say wait in a row, and each is heard for one message.

    One that says a single thing while none waits is heard at once.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Speaker] = deque()
        self._most = self._left = MOST
        self._began: float | None = None

    def add(self, speaker: Speaker) -> None:
        """Hear it, now or in its turn. It is not added again before it has said everything."""
        if self._began is None:
            self._began = self._loop.time()
            self._loop.call_soon(self._hear)
        if self._waiting or not self._left:
            self._waiting.append(speaker)
            return
        self._left -= 1
        if speaker.take_next():
            self._waiting.append(speaker)

    def _hear(self) -> None:
        """What is begun now is carried out in the same turn of the loop, and counts in its time."""
        now = self._loop.time()
        took = 0.0 if self._began is None else now - self._began
        if took > LONG:
            self._most = max(1, self._most // 2)
        elif took < SHORT:
            self._most = min(MOST, self._most + 1)
        self._left = self._most
        while self._waiting and self._left:
            self._left -= 1
            speaker = self._waiting.popleft()
            if speaker.take_next():
                self._waiting.append(speaker)
        self._began = now if self._waiting else None
        if self._waiting:
            self._loop.call_soon(self._hear)


class RateLimit:
    """At most so many a second; after a pause a second's worth at once."""

    def __init__(self, per_second: float) -> None:
        self._each = 1 / per_second
        self._due = 0.0

    def wait(self, now: float) -> float:
        """Seconds until there may be another; 0 lets one pass."""
        if self._due > now:
            return self._due - now
        self._due = max(self._due, now - 1.0) + self._each
        return 0.0
