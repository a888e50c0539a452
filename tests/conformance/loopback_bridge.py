"""The bridge of an engine without a cluster: it speaks to nodes on this machine.

`python -m tests.conformance.loopback_bridge FOLDER FD`: each socket in the folder, `NAME.sock`, is
a node. A node that does not answer is lost, and its runners count as ended once the fence has
passed. While there is a file `away`, the cluster is out of reach.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import open_peer, talk_on
from tests.conformance.loopback_node import LIMITS, refuse_older

CPU = 2.0
"""Processors that each node says it has."""

OF_RUNNERS = ("call", "give", "kill", "end", "signal", "keep", "let_go", "attach")


class NodeLink:
    """The connection to one node, and what is known to be there."""

    def __init__(self, name: str, peer: Peer) -> None:
        self.name, self.peer = name, peer
        self.runners: dict[str, float] = {}
        self.is_draining = False

    @property
    def is_up(self) -> bool:
        return not self.peer.closed.done()

    @property
    def free(self) -> float:
        return CPU - sum(self.runners.values())

    def document(self) -> dict[str, Any]:
        state = "draining" if self.is_draining else "up" if self.is_up else "lost"
        return {
            "id": self.name,
            "name": self.name,
            "address": "127.0.0.1",
            "state": state,
            "labels": {"name": self.name},
            "resources": {"cpu": {"total": CPU, "free": self.free}},
            "runners": len(self.runners),
            "pythons": ["{}.{}.{}".format(*sys.version_info)],
        }


class LoopbackBridge:
    """One daemon's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._links: dict[str, NodeLink] = {}
        self._places: dict[str, str] = {}
        self._epochs: dict[str, int] = {}
        self._fence = 30.0
        self.daemon: Peer

    async def handle(self, _peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
        given = dict(params)
        if method in OF_RUNNERS:
            return await self._of_runner(method, given)
        return await getattr(self, f"on_{method}")(given)

    async def on_hello(self, params: dict[str, Any]) -> Any:
        settings = params["settings"]
        self._fence = settings["fence"]
        if settings["token"] == "wrong" * 8:
            what = "the cluster refuses the token; correct token"
            raise RpcError("usage", what, {"what": "token"})
        if (self._folder / "away").exists():
            raise RpcError("down", "the cluster is away")
        runners: list[Any] = []
        epochs = self._epochs
        for path in sorted(self._folder.glob("*.sock")):
            try:
                peer = await open_peer(path, listener=self._hear, limits=LIMITS)
            except OSError:
                continue
            link = self._links[path.stem] = NodeLink(path.stem, peer)
            link.is_draining = path.with_suffix(".drained").exists()
            peer.closed.add_done_callback(partial(self._lost, link))
            said = await peer.call("hello", params)
            for each in said["runners"]:
                self._places[each["runner"]] = link.name
                link.runners[each["runner"]] = 0.0
                runners.append({**each, "node": link.name})
            for location, epoch in said["epochs"].items():
                epochs[location] = max(epoch, epochs.get(location, 0))
        return {
            "protocol": 1,
            "engine": "loopback",
            "version": "1",
            "python": "{}.{}.{}".format(*sys.version_info),
            "nodes": self._nodes(),
            "runners": runners,
            "epochs": epochs,
        }

    def _nodes(self) -> list[dict[str, Any]]:
        return [link.document() for link in self._links.values()]

    async def on_look(self, _params: dict[str, Any]) -> Any:
        return {"nodes": self._nodes()}

    async def on_prepare(self, params: dict[str, Any]) -> Any:
        link = self._chosen(params)
        return {**await link.peer.call("prepare", params), "node": link.name}

    async def on_start(self, params: dict[str, Any]) -> Any:
        name, location, epoch = params["runner"], params["location"], params["epoch"]
        refuse_older(location, epoch, self._epochs)
        self._epochs[location] = epoch
        if name in self._places and name in self._links[self._places[name]].runners:
            link = self._links[self._places[name]]
        else:
            link = self._chosen(params)
        self._places[name] = link.name
        link.runners[name] = params["placement"]["resources"]["cpu"]
        why = f"the node with the fewest runners of {len(self._links)}"
        try:
            said = await link.peer.call("start", {**params, "node": link.name, "why": why})
        except RpcError:
            link.runners.pop(name, None)
            raise
        if "problem" in said:
            link.runners.pop(name, None)
        return said

    async def on_run(self, params: dict[str, Any]) -> Any:
        link = self._chosen(params)
        self._places[params["runner"]] = link.name
        return await link.peer.call("run", params)

    async def on_drain(self, params: dict[str, Any]) -> Any:
        link = self._links.get(params["node"])
        if link is None:
            raise RpcError("unknown", f"there is no node {params['node']!r}")
        link.is_draining, mark = params["on"], self._folder / f"{link.name}.drained"
        mark.touch() if link.is_draining else mark.unlink(missing_ok=True)
        self.daemon.notify("nodes", {"nodes": self._nodes()})
        return {"runners": list(link.runners)}

    async def on_close(self, params: dict[str, Any]) -> None:
        for link in self._links.values():
            if link.is_up:
                await link.peer.call("close", params)

    def _chosen(self, params: dict[str, Any]) -> NodeLink:
        placement = params["placement"]
        wanted = placement["labels"]
        fitting = [
            link
            for link in self._links.values()
            if link.is_up
            and not link.is_draining
            and all(link.document()["labels"].get(n) == v for n, v in wanted.items())
        ]
        cpu, beside = placement["resources"]["cpu"], placement["beside"]
        roomy = [link for link in fitting if link.free + link.runners.get(beside or "", 0.0) >= cpu]
        if not fitting:
            raise RpcError("busy", "no node fits", {"what": "full", "missing": {}})
        if not roomy:
            free = max(link.free for link in fitting)
            what = f"no node has {cpu:g} cpu free, {free:g} at most"
            raise RpcError("busy", what, {"what": "full", "missing": {"cpu": cpu - free}})
        return min(roomy, key=lambda link: len(link.runners))

    async def _of_runner(self, method: str, params: dict[str, Any]) -> Any:
        link = self._links.get(self._places.get(params["runner"], ""))
        if link is None or not link.is_up:
            if method == "call":
                raise RpcError("down", f"{params['runner']} is out of reach")
            return None
        return await link.peer.call(method, params)

    def _hear(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "exited":
            for link in self._links.values():
                link.runners.pop(params["runner"], None)
        self.daemon.notify(method, params)

    def tell_node(self, method: str, params: Mapping[str, Any]) -> None:
        """A notification of the daemon's for a node."""
        link = self._links.get(self._places.get(params["runner"], ""))
        if link is not None and link.is_up:
            link.peer.notify(method, params)

    def _lost(self, link: NodeLink, _closed: object) -> None:
        now, loop = time.time(), asyncio.get_running_loop()
        self.daemon.notify("nodes", {"nodes": self._nodes()})
        for name in list(link.runners):
            why = f"node {link.name} is not heard from"
            said = {"runner": name, "node": link.name, "why": why, "since": now}
            self.daemon.notify("lost", {**said, "until": now + self._fence})
            loop.call_later(self._fence, self._over, link, name)

    def _over(self, link: NodeLink, name: str) -> None:
        link.runners.pop(name, None)
        why = f"node {link.name} is lost"
        said = {"runner": name, "status": None, "signal": None, "why": why, "confirmed": False}
        self.daemon.notify("exited", said)


async def serve(folder: Path, descriptor: int) -> None:
    bridge = LoopbackBridge(folder)
    connected = socket.socket(fileno=descriptor)
    bridge.daemon = await talk_on(
        connected, bridge.handle, listener=bridge.tell_node, limits=LIMITS
    )
    await bridge.daemon.closed


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
