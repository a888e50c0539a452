"""One runner on a node, as the bridge has it: asked, listened to, and fenced when it is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from ray.exceptions import ActorUnavailableError, RayActorError, RayError

from codeloc_ray.cluster import Cluster
from codeloc_ray.errors import EngineError, raised

SILENT = 8.0
"""Seconds without an answer to a poll, which takes five at most, after which a runner is lost."""
MARGIN = 2.0
"""Seconds on top of the fence, for what the two ends count differently."""
LOOK = 1.0
QUICK = 10.0
"""Seconds for what a host answers at once."""

Notify = Callable[..., None]


class RemoteRunner:
    """`actor` is its host, on the node with the id `node`; `notify` tells the daemon."""

    def __init__(
        self, cluster: Cluster, runner: str, actor: Any, node: str, lock_name: str, notify: Notify
    ) -> None:
        self.runner = runner
        self.location, _, epoch = runner.rpartition(":")
        self.epoch = int(epoch) if epoch.isdigit() else 0
        self.node = node
        self.lock_name = lock_name
        self.began = time.time()
        self.store = ""
        self.start: dict[str, Any] | None = None
        self.record: Any = None
        self.acknowledged = {"stdout": 0, "stderr": 0}
        self.placement_why = ""
        self.serves = False
        self.lost: dict[str, Any] | None = None
        self.over = asyncio.get_running_loop().create_future()
        self.result: dict[str, Any] = {}
        self._cluster = cluster
        self.actor = actor
        self._notify = notify
        self._sent = {"stdout": 0, "stderr": 0}
        self._ended_streams: set[str] = set()
        self._listening: asyncio.Task[None] | None = None

    async def ask(self, method: str, timeout: float | None = None, /, **params: Any) -> Any:
        """What the host answers. Raises EngineError: `down` where nothing tells what became of
        it."""
        if self.over.done():
            raise EngineError("down", f"{self.runner} is gone")
        if self.lost is not None:
            raise EngineError("down", f"{self.runner}: {self.lost['why']}", "lost")
        try:
            said = await asyncio.wait_for(self.actor.ask.remote(method, params), timeout)
        except TimeoutError:
            what = f"no answer of {self._cluster.name(self.node)} within {timeout:g} s"
            raise EngineError("timeout", what) from None
        except RayError as failure:
            raise EngineError("down", self._why(failure), "lost") from None
        if "error" in said:
            raise raised(said["error"])
        return said["result"]

    # --- what it tells -------------------------------------------------------------------------

    def listen(self, store: str, offsets: Mapping[str, int] | None = None) -> None:
        """From now on its output and its end are told; from `offsets` on, where it is adopted."""
        self.store = store
        self._sent.update(offsets or {})
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        again = bool(any(self._sent.values()))
        while not self.over.done():
            try:
                if again:
                    await self._poll("state")
                    again = False
                said = await self._poll("poll")
                if self.lost is not None:  # as it was when the bridge came
                    self._found()
            except ActorUnavailableError as failure:
                again = await self._lose(self._why(failure))
            except RayActorError as failure:
                again = await self._lose(self._why(failure), died=True)
            except (TimeoutError, RayError, EngineError) as failure:
                again = await self._lose(self._why(failure))
            else:
                again = self._take(said["events"]) or again
                if said["over"] and not again:
                    await self._end()

    async def _poll(self, method: str) -> Any:
        said = await asyncio.wait_for(self.actor.ask.remote(method, {}), SILENT)
        if "error" in said:
            raise raised(said["error"])
        return said["result"]

    def _take(self, events: list[tuple[Any, ...]]) -> bool:
        """Tell the daemon. Whether something is missing in between, so that it has to come again:
        an answer was lost on its way."""
        for kind, *rest in events:
            if kind == "output":
                if not self._output(*rest):
                    return True
            elif kind == "progress":
                self._notify("progress", runner=self.runner, progress=rest[0])
            elif kind == "usage":
                self._notify("usage", runners={self.runner: rest[0]})
            elif kind == "exited":
                self.result = {"status": rest[0], "signal": rest[1]}
        return False

    def _output(self, stream: str, offset: int, data: bytes) -> bool:
        expected = self._sent[stream]
        if offset > expected:
            return False
        data_end = offset + len(data)
        if not data:
            if stream not in self._ended_streams:
                self._ended_streams.add(stream)
                self._notify("output", runner=self.runner, stream=stream, offset=offset, data=b"")
        elif data_end > expected:
            new = data[expected - offset :]
            self._sent[stream] = data_end
            self._notify("output", runner=self.runner, stream=stream, offset=expected, data=new)
        return True

    async def _end(self) -> None:
        """Everything was told: the host may go."""
        try:
            await asyncio.wait_for(self.actor.ask.remote("close", {}), QUICK)
        except (TimeoutError, RayError):
            self._cluster.kill(self.actor)
        self._exited("it ended", confirmed=True, **self.result)

    def _exited(
        self, why: str, *, confirmed: bool, status: int | None = None, signal: int | None = None
    ) -> None:
        if self.over.done():
            return
        self.over.set_result({"status": status, "signal": signal})
        self.serves, self.lost = False, None
        self._notify(
            "exited",
            runner=self.runner,
            status=status,
            signal=signal,
            why=why,
            confirmed=confirmed,
        )

    # --- lost ----------------------------------------------------------------------------------

    def _why(self, failure: BaseException) -> str:
        node = self._cluster.name(self.node)
        if isinstance(failure, asyncio.TimeoutError):
            return f"{node} does not answer"
        if isinstance(failure, RayActorError) and not isinstance(failure, ActorUnavailableError):
            return f"its process on {node}, or {node}, is gone"
        return f"{node} cannot be reached"

    async def _lose(self, why: str, *, died: bool = False) -> bool:
        """Contact is lost: wait until it is back, or the end is confirmed, or the fence has passed.
        Returns True where it is back.

        The fence counts from when a renewal of the lease was last seen to be new, by answers of
        the head alone: while it says nothing, nothing is concluded.
        """
        fence = float(self._cluster.settings["fence"]) + MARGIN
        counter: bytes | int | None = 0
        since = time.monotonic()
        poll = None if died else asyncio.ensure_future(self._again())
        try:
            while True:
                looked, now = time.monotonic(), counter
                try:
                    now = await self._cluster.lease(self.lock_name)
                except EngineError:
                    looked = 0.0
                if now != counter:
                    counter, since = now, time.monotonic()
                    self._tell_lost(why, fence)
                if poll is not None and poll.done():
                    if poll.result() == "back":
                        self._found()
                        return True
                    died = died or poll.result() == "died"
                    poll = None if died else asyncio.ensure_future(self._again())
                if died and await self._is_over():
                    self._cluster.kill(self.actor)
                    self._exited(why, confirmed=True)
                    return False
                if looked >= since + fence:
                    self._cluster.kill(self.actor)
                    self._exited(f"{why}; the fence has passed", confirmed=False)
                    return False
                await asyncio.sleep(LOOK)
        finally:
            if poll is not None:
                poll.cancel()

    def _found(self) -> None:
        self.lost = None
        self._cluster.silent.discard(self.node)
        self._notify("found", runner=self.runner)

    def _tell_lost(self, why: str, fence: float) -> None:
        self._cluster.silent.add(self.node)
        until = time.time() + fence
        since = time.time() if self.lost is None else self.lost["since"]
        self.lost = {"why": why, "since": since, "until": until}
        node = self._cluster.name(self.node)
        self._notify("lost", runner=self.runner, node=node, **self.lost)

    async def _again(self) -> str:
        try:
            await self._poll("state")
        except ActorUnavailableError:
            await asyncio.sleep(LOOK)
            return "unavailable"
        except RayActorError:
            return "died"
        except (TimeoutError, RayError, EngineError):
            return "unavailable"
        return "back"

    async def _is_over(self) -> bool:
        """Whether the node itself says that no process of the runner is left."""
        if not self.store:
            return False
        return await self._cluster.is_alive(self.node, self.store, self.lock_name) is False

    # --- orders --------------------------------------------------------------------------------

    async def close(self) -> None:
        """End it at once, host and all."""
        try:
            await asyncio.wait_for(self.actor.ask.remote("close", {}), QUICK)
        except (TimeoutError, RayError):
            return  # it is fenced
        self._exited("it was ended", confirmed=True, signal=9)
