"""A runner on a node: its process as the bridge tells of it, and its handle."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from codelocd.engine.frames import FrameConnection
from codelocd.model import Exit, Output, Problem, Stream
from codelocd.rpc.errors import RpcError
from codelocd.runners.connected import HAND_OVER, PAUSE, ConnectedRunner, RunnerConnection

ACKNOWLEDGE = 0.2
"""Seconds in which output that was written is told to the bridge together."""


class BridgeCalls(Protocol):
    """The bridge, as a runner's handle uses it."""

    async def ask(
        self, method: str, params: Mapping[str, Any], timeout: float | None = None
    ) -> Any:
        """Raises RpcError; of kind "down" where the bridge is away."""
        ...

    def order(self, method: str, params: Mapping[str, Any]) -> None:
        """Ask it as soon as it can be reached; nothing waits for the answer."""

    def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Tell it, unless it is away."""


class NodeProcess:
    """The process of a runner on a node. It counts as ended when the engine says so."""

    def __init__(self, name: str, bridge: BridgeCalls, pid: int) -> None:
        self.pid = pid
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._name = name
        self._bridge = bridge

    def look_at_family(self) -> None:
        """Its node sees to what it leaves."""

    def resume(self) -> None:
        self.signal(signal.SIGCONT, group=True)

    def signal(self, number: int, *, group: bool) -> None:
        if not self.exited.done():
            what = {"runner": self._name, "number": int(number), "group": group}
            self._bridge.order("signal", what)

    def kill(self) -> None:
        if not self.exited.done():
            self._bridge.order("kill", {"runner": self._name})

    async def gone(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self.exited], timeout=max(0.0, seconds))
        return bool(done)

    async def end(self, grace: float) -> None:
        self._bridge.order("end", {"runner": self._name, "grace": grace})
        if not await self.gone(grace):
            self.kill()
        await asyncio.shield(self.exited)


class HeardOutput:
    """What a runner prints, by offset: each byte is passed on once, in its order."""

    def __init__(self, output: Output, acknowledge: Callable[[Mapping[Stream, int]], None]) -> None:
        self._output = output
        self._acknowledge = acknowledge
        self.offsets: dict[Stream, int] = {"stdout": 0, "stderr": 0}
        self._ended: set[Stream] = set()
        self._later: asyncio.TimerHandle | None = None

    def go_on_from(self, offsets: Mapping[str, int]) -> None:
        """An earlier daemon has written what comes before."""
        self.offsets = {"stdout": offsets.get("stdout", 0), "stderr": offsets.get("stderr", 0)}

    def hear(self, stream: Stream, offset: int, data: bytes) -> None:
        """A part that was heard before is left out; what was dropped on the way is counted as
        heard."""
        if not data:
            self._end(stream)
            return
        known = max(0, self.offsets[stream] - offset)
        self.offsets[stream] = max(self.offsets[stream], offset + len(data))
        if data[known:]:
            self._output(stream, data[known:])
        if self._later is None:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(ACKNOWLEDGE, self._tell)

    def close(self) -> None:
        """The process has ended: whatever it had begun to print is complete."""
        for stream in self.offsets:
            self._end(stream)

    def _end(self, stream: Stream) -> None:
        if stream not in self._ended:
            self._ended.add(stream)
            self._output(stream, b"")

    def _tell(self) -> None:
        self._later = None
        self._acknowledge(dict(self.offsets))


class BridgeRunner(ConnectedRunner):
    """The handle of a runner on a node.

    `serves(runner)` says that it serves from now on, and gives what is done when the runner before
    has let go of their location's lock, or has ended: the locks of two nodes know nothing of each
    other, so the order is kept here.
    """

    def __init__(
        self,
        name: str,
        bridge: BridgeCalls,
        started: Mapping[str, Any],
        output: Output,
        serves: Callable[[BridgeRunner], asyncio.Future[None] | None],
    ) -> None:
        self.process = NodeProcess(name, bridge, int(started.get("pid") or 0))
        super().__init__(self.process)
        self.name = name
        self.node = str(started["node"])
        self.why = str(started.get("why") or "every runner is started on its own")
        self.placed_why = str(started.get("placement_why") or "")
        self._serves = serves
        self.output = HeardOutput(output, self._acknowledge)
        self._bridge = bridge
        self._frames = FrameConnection(self._carry)
        self.record_kept: Mapping[str, Any] | None = None

    @property
    def record(self) -> Mapping[str, Any] | None:
        return None  # the engine keeps it, not this machine's holder

    @property
    def epoch(self) -> int:
        return int(self.name.rpartition(":")[2])

    def keep(self, record: Mapping[str, Any]) -> None:
        self.record_kept = record
        self._bridge.order("keep", {"runner": self.name, "record": record})

    def let_go(self) -> None:
        self.record_kept = None
        if not self.exited.done():
            self._bridge.order("let_go", {"runner": self.name})

    def signal(self, number: int) -> None:
        self.process.signal(number, group=False)

    def ended(self, said: Mapping[str, Any]) -> None:
        """The engine says that it has ended."""
        self.output.close()
        why = said.get("why")
        if why and not (said.get("confirmed", True) and said.get("status") is not None):
            what = f"its runner on {self.node} has ended: {why}"
            self.gone = Problem("crash", what, at=time.time())
        if not self.exited.done():
            status, number = said.get("status"), said.get("signal")
            self.exited.set_result(Exit(status, number))
        self.lost = None

    def is_lost(self, said: Mapping[str, Any]) -> Problem:
        """Its node is not heard from."""
        until = float(said.get("until") or time.time())
        left = max(0, round(until - time.time()))
        what = f"{said.get('why') or 'its node is not heard from'}; another may start in {left} s"
        detail = "Until then it may still run there, cut off: so no other one is started."
        self.lost = Problem("unresponsive", what, detail, time.time())
        return self.lost

    async def _carry(self, frame: bytes, timeout: float | None) -> bytes:
        if self.exited.done():
            raise RpcError("down", f"runner {self.pid} is gone")
        if self.lost is not None:
            raise RpcError("down", f"runner {self.pid} is out of reach: {self.lost.summary}")
        asked = {"runner": self.name, "frame": frame, "timeout": timeout}
        said = await self._bridge.ask("call", asked)
        if not isinstance(said, dict) or not isinstance(said.get("frame"), bytes):
            raise RpcError("protocol", "the bridge answered a call without a frame")
        return bytes(said["frame"])

    async def _connected(self) -> RunnerConnection:
        return self._frames

    async def serve(self) -> bool:
        before = self._serves(self)
        if before is not None:
            either: list[asyncio.Future[Any]] = [before, self.exited]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return await super().serve()

    async def _let_go_of_lock(self) -> None:
        """Until it has answered, or has ended, no other one takes the lock of another node."""
        while not self.exited.done():
            try:
                await self._tell("hand_over", HAND_OVER)
            except RpcError as failure:
                if failure.kind == "timeout":
                    self.kill()
                    return
                await asyncio.wait([self.exited], timeout=PAUSE)
            else:
                break
        self._let_go()

    def _acknowledge(self, offsets: Mapping[Stream, int]) -> None:
        self._bridge.tell("heard", {"runner": self.name, "offsets": dict(offsets)})
