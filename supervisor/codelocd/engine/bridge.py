"""The bridge: the one process that speaks to the engine's cluster, supervised as any child is."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from codeloc_envs import EnvironmentProblem
from codelocd.core.restarts import Pauses
from codelocd.engine.wire import PROTOCOL
from codelocd.model import Output
from codelocd.process.child import Child, Children
from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import MESSAGE_BYTES
from codelocd.rpc.peer import Listener, Peer
from codelocd.rpc.requests import Limits
from codelocd.rpc.server import talk_on

LIMITS = Limits(message_bytes=MESSAGE_BYTES + 64 * 1024, in_flight=4096)
"""A frame may be as large as a runner's own message; something is around it."""

HELLO = 60.0
"""Seconds for the bridge to reach its cluster: it imports what takes seconds to import."""

STOP = 5.0
"""Seconds for the bridge to end in order."""

MOST_ORDERS = 10_000
"""Orders that wait for a bridge that is away."""

NOT_YET = "the bridge has not reached it yet"


@dataclass(frozen=True, slots=True)
class BridgeState:
    """Whether the cluster can be reached through the bridge. `why`: one line; "" when it can.
    `refused`: nothing will help but a change, of the config or of the cluster."""

    is_up: bool
    why: str
    since: float
    refused: bool = False
    what: str = ""


@dataclass(frozen=True, slots=True)
class BridgeCommand:
    """How a bridge is started: its words, to which a descriptor is added, and its variables."""

    words: tuple[str, ...]
    variables: Mapping[str, str]


MakeCommand: TypeAlias = Callable[[], Awaitable[BridgeCommand]]
"""May build an environment first. Raises EnvironmentProblem, OSError."""


class Bridge:
    """Runs until `close`. When it ends it is started again, with growing pauses, and finds the
    runners where they are.

    `hello()` gives what each new process is told first; `greeted` takes its answer before anything
    else is asked. `listener` takes what it tells, `changed` hears of each change of the state.
    """

    def __init__(
        self,
        children: Children,
        command: MakeCommand,
        output: Output,
        hello: Callable[[], Mapping[str, Any]],
        greeted: Callable[[Mapping[str, Any]], None],
        listener: Listener,
        changed: Callable[[BridgeState], None],
    ) -> None:
        self._children, self._output = children, output
        self._command = command
        self._hello, self._greeted = hello, greeted
        self._listener, self._changed = listener, changed
        self.state = BridgeState(False, NOT_YET, time.time())
        self._is_up = asyncio.Event()
        self._peer: Peer | None = None
        self._child: Child | None = None
        self._orders: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=MOST_ORDERS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def pid(self) -> int | None:
        return None if self._child is None or self._child.exited.done() else self._child.pid

    async def reached(self, patience: float) -> bool:
        """Whether the cluster can be reached, within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._is_up.wait()
        return self._is_up.is_set()

    async def ask(
        self, method: str, params: Mapping[str, Any], timeout: float | None = None
    ) -> Any:
        """Raises RpcError; of kind "down" where it is away."""
        if self._peer is None or not self._is_up.is_set():
            raise RpcError("down", f"the engine is out of reach: {self.state.why}")
        return await self._peer.call(method, params, timeout=timeout)

    def order(self, method: str, params: Mapping[str, Any]) -> None:
        """Ask as soon as it can be reached, in this order; nothing waits for the answer."""
        self._orders.append((method, params))
        if self._is_up.is_set():
            self._give_orders()

    def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Tell it, unless it is away."""
        if self._peer is not None:
            self._peer.notify(method, params)

    def is_down(self, why: str, *, refused: bool = False, what: str = "") -> None:
        """The cluster is out of reach, whether or not the bridge is there."""
        self._is_up.clear()
        self._set(BridgeState(False, why, time.time(), refused, what))

    def is_up(self) -> None:
        """It is in reach."""
        self._is_up.set()
        self._set(BridgeState(True, "", time.time()))
        self._give_orders()

    async def close(self) -> None:
        self._task.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        if self._peer is not None:
            self._peer.close()
        if self._child is not None and not self._child.exited.done():
            await self._child.gone(STOP)
            await self._child.end(STOP)

    def kill(self) -> None:
        self._task.cancel()
        if self._child is not None:
            self._child.kill()

    async def _run(self) -> None:
        loop, pauses = asyncio.get_running_loop(), Pauses()
        while True:
            began = loop.time()
            try:
                await self._attend(await self._command())
            except EnvironmentProblem as problem:
                self.is_down(f"the environment of its bridge: {problem.summary}", refused=True)
            except OSError as error:  # short of descriptors or processes: after a pause
                self.is_down(f"its bridge cannot be started: {error}")
            await asyncio.sleep(pauses.after(loop.time() - began))

    async def _attend(self, command: BridgeCommand) -> None:
        """One process, until it has ended. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child = self._child = self._children.start(
                    [*command.words, str(theirs.fileno())],
                    variables=command.variables,
                    directory=Path("/"),
                    output=self._output,
                    pass_fds=[theirs.fileno()],
                )
            except BaseException:
                ours.close()
                raise
        peer = await talk_on(ours, listener=self._hear, limits=LIMITS, patient=True)
        try:
            why = await self._talk(peer, child)
        finally:
            self._peer = None
            peer.close()
            child.kill()
        await asyncio.shield(child.exited)
        if not self.state.refused:
            self.is_down(why or f"its bridge ended ({child.exited.result()}); it is started again")

    async def _talk(self, peer: Peer, child: Child) -> str:
        """Until either end is gone; why it had to be ended, if it had."""
        try:
            answer = await peer.call("hello", self._hello(), timeout=HELLO)
            if not isinstance(answer, dict) or answer.get("protocol") != PROTOCOL:
                raise RpcError("protocol", f"its bridge does not speak protocol {PROTOCOL}")
            self._peer = peer
            self._greeted(answer)
        except RpcError as failure:
            what = failure.data.get("what", "") if isinstance(failure.data, dict) else ""
            refused = failure.kind == "usage"
            if failure.kind != "down" or not child.exited.done():
                self.is_down(failure.message, refused=refused, what=str(what))
            return failure.message
        self.is_up()
        either: list[asyncio.Future[Any]] = [child.exited, peer.closed]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return ""

    def _hear(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "down":
            self.is_down(str(params.get("why") or "its head is out of reach"))
        elif method == "up":
            self.is_up()
        else:
            self._listener(method, params)

    def _set(self, state: BridgeState) -> None:
        before, self.state = self.state, state
        if (before.is_up, before.why) != (state.is_up, state.why):
            self._changed(state)

    def _give_orders(self) -> None:
        while self._orders and self._peer is not None:
            method, params = self._orders.popleft()
            task = asyncio.get_running_loop().create_task(self._ordered(method, params))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ordered(self, method: str, params: Mapping[str, Any]) -> None:
        """One that was lost on the way is given again: they may all be given twice."""
        try:
            await self.ask(method, params)
        except RpcError as failure:
            if failure.kind == "down":
                self._orders.append((method, params))
