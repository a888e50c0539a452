"""The bridge: what the daemon asks, done with a Ray cluster."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import ray

from codeloc_ray import frames
from codeloc_ray.cluster import Cluster
from codeloc_ray.errors import EngineError
from codeloc_ray.heartbeat import HeadWatch
from codeloc_ray.remote import QUICK, RemoteRunner, remember
from codeloc_ray.starting import Starting, safe_name
from codeloc_ray.wire import DaemonConnection

PROTOCOL = 1


class RayBridge:
    """Answers one daemon. Ends with it; what is kept on nodes goes on."""

    def __init__(self, daemon: DaemonConnection) -> None:
        self._daemon = daemon
        self._runners: dict[str, RemoteRunner] = {}
        self._cluster: Cluster | None = None
        self._starting: Starting | None = None
        self._watch: HeadWatch | None = None
        self._prefix = ""

    async def answer(self, method: str, params: Mapping[str, Any]) -> Any:
        """Raises EngineError."""
        known: Callable[..., Awaitable[Any]] | None = getattr(self, f"_do_{method}", None)
        if known is None:
            raise EngineError("unknown", f"this bridge has no method {method!r}")
        if self._cluster is None and method != "hello":
            raise EngineError("usage", "say hello first")
        return await known(params)

    # --- the cluster ---------------------------------------------------------------------------

    async def _do_hello(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params.get("protocol") != PROTOCOL:
            raise EngineError("usage", f"this bridge speaks protocol {PROTOCOL}", "version")
        settings = params["settings"]
        cluster = Cluster(settings)
        await cluster.connect()
        self._prefix = f"codelocd:{settings['owner']}:"
        self._cluster = cluster
        self._starting = Starting(cluster, settings, self._runners, self._daemon.notify)
        await cluster.nodes({})
        cluster.drained = await cluster.head.drained(self._prefix)
        await self._find(cluster)
        nodes = await cluster.nodes(self._counts())
        self._watch = HeadWatch(cluster, self._counts, self._daemon.notify)
        self._watch.begin()
        return {
            "protocol": PROTOCOL,
            "engine": "ray",
            "version": ray.__version__,
            "python": sys.version.split()[0],
            "nodes": [cluster.document(each, None) for each in nodes],
            "runners": [each.document() for each in self._runners.values()],
            "epochs": await cluster.head.epochs(self._prefix),
        }

    async def _find(self, cluster: Cluster) -> None:
        """The runners that are there: kept by an earlier daemon, or of an earlier bridge."""
        found = await cluster.actors(self._prefix)
        await asyncio.gather(*(self._meet(cluster, *each) for each in found.items()))

    async def _meet(self, cluster: Cluster, name: str, actor: Any) -> None:
        runner = name[len(self._prefix) :]
        lock = safe_name(runner, self._prefix)
        node = await cluster.node_of(actor)
        remote = RemoteRunner(cluster, runner, actor, node, lock, self._daemon.notify)
        remember(self._runners, remote)
        try:
            said = await remote.ask("state", QUICK)
        except EngineError:
            remote.wait_for()
            return
        if not remote.met(said):
            await remote.close()  # it was being prepared
            self._runners.pop(runner, None)

    def _counts(self) -> dict[str, int]:
        """How many runners are on each node."""
        counts: dict[str, int] = {}
        for each in self._runners.values():
            if not each.over.done():
                counts[each.node] = counts.get(each.node, 0) + 1
        return counts

    async def _do_look(self, params: Mapping[str, Any]) -> dict[str, Any]:
        cluster, starting = self._cluster, self._starting
        assert cluster is not None
        assert starting is not None
        nodes = await cluster.nodes(self._counts())
        facts: list[dict[str, Any] | None] = [None] * len(nodes)
        if params.get("deep"):
            package = starting.shipping.archive
            facts = await asyncio.gather(*(cluster.facts(each.id, package) for each in nodes))
        settings = cluster.settings
        return {
            "nodes": [cluster.document(*each) for each in zip(nodes, facts, strict=True)],
            "token": bool(settings.get("token")),
            "tls": bool(settings.get("tls")),
            "version": ray.__version__,
            "python": sys.version.split()[0],
        }

    async def _do_drain(self, params: Mapping[str, Any]) -> dict[str, Any]:
        cluster = self._cluster
        assert cluster is not None
        nodes = await cluster.nodes({})
        wanted = [each for each in nodes if params["node"] in (each.name, each.id, each.address)]
        if not wanted:
            names = ", ".join(sorted(each.name for each in nodes))
            raise EngineError("unknown", f"no node {params['node']!r}; there are {names}")
        node, on = wanted[0].id, bool(params.get("on", True))
        await cluster.head.note_drained(self._prefix, node, on=on)
        cluster.drained = cluster.drained | {node} if on else cluster.drained - {node}
        there = [each.runner for each in self._runners.values() if each.node == node]
        return {"runners": sorted(there)}

    # --- runners -------------------------------------------------------------------------------

    async def _do_prepare(self, params: Mapping[str, Any]) -> dict[str, Any]:
        assert self._starting is not None
        return await self._starting.prepare(params)

    async def _do_start(self, params: Mapping[str, Any]) -> dict[str, Any]:
        assert self._starting is not None
        return await self._starting.start(params)

    async def _do_run(self, params: Mapping[str, Any]) -> dict[str, Any]:
        assert self._starting is not None
        return await self._starting.run(params)

    async def _do_call(self, params: Mapping[str, Any]) -> dict[str, bytes]:
        remote = self._of(params)
        frame, timeout = params["frame"], params.get("timeout")
        method = frames.method_of(frame)
        if method == "serve" and (other := self._server_of(remote)) is not None:
            return {"frame": frames.answer_to(frame, {"serves": False, "other": other.runner})}
        answer: bytes = await remote.ask("call", frame=frame, timeout=timeout, method=method)
        if method == "serve":
            remote.serves = (frames.result_of(answer) or {}).get("serves") is not False
        elif method == "hand_over":
            remote.serves = False
        return {"frame": answer}

    def _server_of(self, remote: RemoteRunner) -> RemoteRunner | None:
        """Another runner that serves the same location, or that may do so where it is lost."""
        for each in self._runners.values():
            same = each is not remote and each.location == remote.location
            if same and not each.over.done() and (each.serves or each.lost is not None):
                return each
        return None

    async def _do_signal(self, params: Mapping[str, Any]) -> None:
        if (remote := self._known(params)) is not None:
            await remote.ask("signal", number=params["number"], group=params.get("group", False))

    async def _do_give(self, params: Mapping[str, Any]) -> None:
        """What a command reads; returns when it was written to its pipe."""
        await self._of(params).ask("give", data=params["data"], last=params["last"])

    async def _do_kill(self, params: Mapping[str, Any]) -> None:
        """What was only prepared goes with its host."""
        assert self._starting is not None
        self._starting.cancel(params["runner"])
        remote = self._known(params)
        if remote is None:
            return
        if remote.start is None:
            await remote.close()
        else:
            remote.listen(remote.store)
            await remote.ask("kill")

    async def _do_end(self, params: Mapping[str, Any]) -> None:
        if (remote := self._known(params)) is not None:
            await remote.ask("end", grace=params["grace"])

    async def _do_keep(self, params: Mapping[str, Any]) -> None:
        if (remote := self._known(params)) is not None:
            remote.record = params["record"]
            await remote.ask("keep", record=params["record"])

    async def _do_let_go(self, params: Mapping[str, Any]) -> None:
        if (remote := self._known(params)) is not None:
            remote.record = None
            await remote.ask("let_go")

    async def _do_attach(self, params: Mapping[str, Any]) -> None:
        if (remote := self._known(params)) is not None:
            remote.listen(remote.store, params.get("offsets"))

    async def _do_heard(self, params: Mapping[str, Any]) -> None:
        remote = self._known(params)
        if remote is not None and remote.lost is None:
            remote.acknowledged = dict(params["offsets"])
            await remote.ask("heard", offsets=params["offsets"])

    async def _do_close(self, params: Mapping[str, Any]) -> None:
        """What is not kept is gone when this returns, as far as its node answers."""
        leave = params.get("leave", True)
        ending = [
            each.close()
            for each in self._runners.values()
            if not each.over.done() and not (leave and each.record is not None)
        ]
        await asyncio.gather(*ending)

    def _known(self, params: Mapping[str, Any]) -> RemoteRunner | None:
        remote = self._runners.get(params["runner"])
        return None if remote is None or remote.over.done() else remote

    def _of(self, params: Mapping[str, Any]) -> RemoteRunner:
        remote = self._known(params)
        if remote is None:
            raise EngineError("down", f"{params['runner']} is gone")
        return remote
