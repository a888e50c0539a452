"""A runner's host on a node: asked, and fenced when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from ray.exceptions import ActorUnavailableError, RayActorError, RayError

from codeloc_ray.cluster import Cluster
from codeloc_ray.errors import EngineError, raised

SILENT = 8.0
"""Seconds without an answer to a poll, which takes five at most, after which a runner is lost."""
MARGIN = 2.0
"""Seconds on top of the fence, for what the two ends count differently."""
LOOK = 1.0

Notify = Callable[..., None]


class FencedHost:
    """`actor` is the host of `runner`, on the node with the id `node`; `notify` tells the
    daemon."""

    def __init__(
        self, cluster: Cluster, runner: str, actor: Any, node: str, lock_name: str, notify: Notify
    ) -> None:
        self.runner = runner
        self.actor = actor
        self.node = node
        self.lock_name = lock_name
        self.store = ""
        self.serves = False
        self.lost: dict[str, Any] | None = None
        self.over = asyncio.get_running_loop().create_future()
        self._cluster = cluster
        self._notify = notify
        self._forgetting: asyncio.Task[None] | None = None

    async def _poll(self, method: str) -> Any:
        said = await asyncio.wait_for(self.actor.ask.remote(method, {}), SILENT)
        if "error" in said:
            raise raised(said["error"])
        return said["result"]

    def _exited(
        self, why: str, *, confirmed: bool, status: int | None = None, signal: int | None = None
    ) -> None:
        if self.over.done():
            return
        self.over.set_result({"status": status, "signal": signal})
        self._forgetting = asyncio.get_running_loop().create_task(self._forget_lease())
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
        poll = asyncio.ensure_future(self._is_over() if died else self._again())
        try:
            while True:
                looked, now = time.monotonic(), counter
                try:
                    now = await self._cluster.head.lease(self.lock_name)
                except EngineError:
                    looked = 0.0
                if now != counter:
                    counter, since = now, time.monotonic()
                    self._tell_lost(why, fence)
                if poll.done():
                    match poll.result():
                        case "back":
                            self._found()
                            return True
                        case "over":
                            self._cluster.kill(self.actor)
                            self._exited(why, confirmed=True)
                            return False
                        case "died":
                            died = True
                    poll = asyncio.ensure_future(self._is_over() if died else self._again())
                if looked >= since + fence:
                    self._cluster.kill(self.actor)
                    self._exited(f"{why}; the fence has passed", confirmed=False)
                    return False
                await asyncio.sleep(LOOK)
        finally:
            poll.cancel()

    async def _forget_lease(self) -> None:
        """So its host, if it comes back without knowing how long it was away, ends it."""
        with contextlib.suppress(EngineError):
            await self._cluster.head.forget_lease(self.lock_name)

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

    async def _is_over(self) -> str:
        """The word `over` where the node itself says that no process of the runner is left."""
        if self.store:
            if await self._cluster.is_alive(self.node, self.store, self.lock_name) is False:
                return "over"
        else:
            await asyncio.sleep(LOOK)
        return "unavailable"
