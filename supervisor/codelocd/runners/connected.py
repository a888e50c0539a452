"""A runner that is reached through a connection: what it is asked, and how it takes over and
leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from codelocd.core import shapes
from codelocd.model import Cold, Exit, Problem, StartMethod
from codelocd.process.garbage import much_is_made
from codelocd.rpc.errors import RpcError
from codelocd.runners.api import Answer, Hooks, LoadOutcome, is_large

PAUSE = 0.05
"""Seconds between two tries to reach a runner whose connection user code has closed."""

HAND_OVER = 10.0
"""Seconds for a runner that was replaced to let go of its location's lock, which takes less than a
millisecond. One that needs more hangs, and is ended."""


class RunnerProcess(Protocol):
    """The process of a runner, on this machine or on another."""

    @property
    def pid(self) -> int: ...

    @property
    def exited(self) -> asyncio.Future[Exit]: ...

    def look_at_family(self) -> None:
        """To be called before it ends: nothing tells afterwards whose children they were."""

    def resume(self) -> None:
        """Have it go on where it was stopped by a signal."""

    def kill(self) -> None:
        """End it and its group at once."""

    async def gone(self, seconds: float) -> bool:
        """Whether the process ends within `seconds`."""
        ...

    async def end(self, grace: float) -> None:
        """Ask it by a signal, wait up to `grace` seconds, then kill it; returns when it is gone."""
        ...


class RunnerConnection(Protocol):
    """What carries calls to a runner, and its answers back."""

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        """The result. Raises RpcError."""
        ...


class ConnectedRunner:
    """What every runner does in the same way, wherever its process is. A subclass says how it is
    reached (`_connected`)."""

    start_method: StartMethod = "spawn"
    why = "every runner is started on its own"
    hooks: Hooks | None = None
    node: str | None = None
    placed_why = ""
    lost: Problem | None = None
    gone: Problem | None = None
    usage: tuple[int, float | None] | None = None

    def __init__(self, child: RunnerProcess) -> None:
        self.pid = child.pid
        self.exited = child.exited
        self._child = child
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.has_let_go: asyncio.Future[None] = child.exited.get_loop().create_future()
        child.exited.add_done_callback(lambda _: self._let_go())
        self._working: set[asyncio.Task[None]] = set()

    async def load(self) -> LoadOutcome:
        return (await self.answer()).outcome

    def blamed(self, end: Exit) -> Cold | None:
        return None  # it had no warm start

    async def answer(self) -> Answer:
        """What it says of its load; user code that closes the connection delays it."""
        while not self.exited.done():
            try:
                return await _checked(await self.call("snapshot", {"lists": True}))
            except shapes.WrongShape as wrong:
                raise RpcError("protocol", str(wrong)) from None
            except RpcError as failure:
                if failure.kind != "down":
                    raise
            await asyncio.wait([self.exited], timeout=PAUSE)
        raise RpcError("down", f"runner {self.pid} is gone")

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        self._in_flight += 1
        self._idle.clear()
        try:
            connection = await self._connected()
            return await connection.call(method, params, timeout=timeout)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def serve(self) -> bool:
        try:
            said = await self._tell("serve")
        except RpcError as failure:
            if failure.kind == "down":  # its code may have closed the connection
                return self.exited.done()
            return failure.kind not in ("busy", "timeout")  # an older release knows no `serve`
        return not isinstance(said, dict) or said.get("serves") is not False

    def take_over(self) -> None:
        """Callers reach the runner through the daemon. It holds the lock as soon as the runner
        before, which is told so at the same time, has let go."""
        self._begin(self._take_lock())

    async def _take_lock(self) -> None:
        while not await self.serve():
            await asyncio.wait([self.exited], timeout=PAUSE)

    async def _let_go_of_lock(self) -> None:
        try:
            await self._tell("hand_over", HAND_OVER)
        except RpcError as failure:
            if failure.kind == "timeout":
                self.kill()
        else:
            self._let_go()

    def _let_go(self) -> None:
        if not self.has_let_go.done():
            self.has_let_go.set_result(None)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """In place of what was begun before."""
        for task in self._working:
            task.cancel()
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _tell(self, method: str, timeout: float | None = None) -> Any:
        """A call of the daemon's own, which does not count as a request that was accepted."""
        return await (await self._connected()).call(method, timeout=timeout)

    async def retire(self, patience: float, grace: float) -> None:
        self._child.look_at_family()
        self._child.resume()
        self._begin(self._let_go_of_lock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._answered()
        if not self.exited.done():
            await self._leave(asyncio.get_running_loop().time() + grace, grace / 2)

    def kill(self) -> None:
        self._child.kill()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def _answered(self) -> None:
        """Nothing that was accepted is still to be answered, or no runner is there to."""
        idle: asyncio.Future[Any] = asyncio.ensure_future(self._idle.wait())
        ended: asyncio.Future[Any] = self.exited
        await asyncio.wait([idle, ended], return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()

    async def _leave(self, deadline: float, patience: float) -> None:
        """Gone by the deadline; asked by a signal, too, if it says nothing for that long."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(RpcError, TimeoutError):
            async with asyncio.timeout(patience):
                await self.call("stop")
            await self._child.gone(deadline - loop.time())
        if not self.exited.done():
            await self._child.end(max(0.0, deadline - loop.time()))

    async def _connected(self) -> RunnerConnection:
        """Raises RpcError where it cannot be reached."""
        raise NotImplementedError


async def _checked(said: Any) -> Answer:
    return await asyncio.to_thread(_large, said) if is_large(said) else Answer.of(said)


def _large(said: Any) -> Answer:
    with much_is_made(stays=True):
        return Answer.of(said)
