"""One runner on a node, as the bridge has it: asked, and listened to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

from ray.exceptions import ActorUnavailableError, RayActorError, RayError

from codeloc_ray.cluster import Cluster
from codeloc_ray.errors import EngineError, raised
from codeloc_ray.fenced import FencedHost, Notify

QUICK = 10.0
"""Seconds for what a host answers at once."""


def remember(runners: dict[str, RemoteRunner], remote: RemoteRunner) -> None:
    """Among the others by its name, until it has ended."""

    def forget(_over: object) -> None:
        if runners.get(remote.runner) is remote:
            del runners[remote.runner]

    runners[remote.runner] = remote
    remote.over.add_done_callback(forget)


class RemoteRunner(FencedHost):
    """Its host, what that tells, and how far it was passed on."""

    def __init__(
        self, cluster: Cluster, runner: str, actor: Any, node: str, lock_name: str, notify: Notify
    ) -> None:
        super().__init__(cluster, runner, actor, node, lock_name, notify)
        self.location, _, epoch = runner.rpartition(":")
        self.epoch = int(epoch) if epoch.isdigit() else 0
        self.began = time.time()
        self.start: dict[str, Any] | None = None
        self.may_run = True
        """Whether its host was ever asked to start it, so that it may run without an answer."""
        self.record: Any = None
        self.acknowledged = {"stdout": 0, "stderr": 0}
        self.placement_why = ""
        self.result: dict[str, Any] = {}
        self._sent = {"stdout": 0, "stderr": 0}
        self._ended_streams: set[str] = set()
        self._listening: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def ask(self, method: str, timeout: float | None = None, /, **params: Any) -> Any:
        """What the host answers. Raises EngineError: `down` where nothing tells what became of
        it."""
        if self.over.done():
            raise EngineError("down", f"{self.runner} is gone")
        if self.lost is not None:
            raise EngineError("down", f"{self.runner}: {self.lost['why']}", "lost")
        asked: asyncio.Future[Any] = asyncio.ensure_future(self.actor.ask.remote(method, params))
        either: list[asyncio.Future[Any]] = [asked, self.over]
        try:
            await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                said = asked.result()
            elif self.over.done():
                raise EngineError("down", f"{self.runner} is gone", "lost")
            else:
                what = f"no answer of {self._cluster.name(self.node)} within {timeout:g} s"
                raise EngineError("timeout", what)
        except RayError as failure:
            raise EngineError("down", self._why(failure), "lost") from None
        finally:
            asked.cancel()
        if "error" in said:
            raise raised(said["error"])
        return said["result"]

    # --- what an earlier bridge left -----------------------------------------------------------

    def met(self, said: Mapping[str, Any]) -> bool:
        """Go on with what its host says of it. False for what has not begun, and for commands."""
        self.serves, self.record, self.store = said["serves"], said["record"], said["store"]
        self.began, self.acknowledged = said["began"] or self.began, said["offsets"]
        if self.start is None and said["start"] is not None:
            self.began_there(said["start"])
        return self.start is not None and self.epoch > 0

    def began_there(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """It was started; what the daemon is answered, by what its host has told."""
        self.start = {
            **told,
            "node": self._cluster.name(self.node),
            "why": "every runner on a node is started on its own",
            "placement_why": self.placement_why,
        }
        return self.start

    def document(self) -> dict[str, Any]:
        """As the daemon is told it."""
        return {
            "runner": self.runner,
            "location": self.location,
            "epoch": self.epoch,
            "pid": (self.start or {}).get("pid"),
            "node": self._cluster.name(self.node),
            "began": self.began,
            "record": self.record,
            "offsets": self.acknowledged,
            "start": self.start,
            "lost": self.lost,
        }

    def wait_for(self) -> None:
        """Its node does not answer: it may live, so nothing else starts before it is back or is
        fenced. Where it comes back the daemon is told what it is."""
        now, fence = time.time(), float(self._cluster.settings["fence"])
        why = f"{self._cluster.name(self.node)} does not answer"
        self.lost = {"why": why, "since": now, "until": now + fence}
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        self._waiting = asyncio.get_running_loop().create_task(self._wait(why))

    async def _wait(self, why: str) -> None:
        while await self._lose(why):
            try:
                begun = self.met(await self._poll("state"))
            except (TimeoutError, RayError, EngineError):
                continue
            if begun:
                self._notify("there", **self.document())
            else:
                await self.close()
            return

    # --- what it tells -------------------------------------------------------------------------

    def listen(self, store: str, offsets: Mapping[str, int] | None = None) -> None:
        """From now on its output and its end are told; from `offsets` on, where it is adopted."""
        self.store = store
        self._sent.update(offsets or {})
        if self._waiting is not None:
            self._waiting.cancel()
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        again = bool(any(self._sent.values())) or self.lost is not None
        while not self.over.done():
            try:
                if again:
                    self.met(await self._poll("state"))
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
        with contextlib.suppress(TimeoutError, RayError):
            await asyncio.wait_for(self.actor.ask.remote("close", {}), QUICK)
        self._cluster.kill(self.actor)
        self._exited("it ended", confirmed=True, **self.result)

    # --- orders --------------------------------------------------------------------------------

    async def close(self) -> None:
        """End it at once, host and all."""
        try:
            await asyncio.wait_for(self.actor.ask.remote("close", {}), QUICK)
        except (TimeoutError, RayError):
            return  # it is fenced
        self._cluster.kill(self.actor)
        self._exited("it was ended", confirmed=True, signal=9)
