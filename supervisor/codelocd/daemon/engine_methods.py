"""The methods about the engine that places locations on nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codelocd.daemon import params as take
from codelocd.daemon.actions import Method, asker
from codelocd.daemon.loop import Daemon
from codelocd.daemon.params import Params
from codelocd.daemon.placed import PlacedLocations
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.runners.engine import EngineRefuses

if TYPE_CHECKING:
    from codelocd.documents.answers import DrainedNode
    from codelocd.documents.locations import EngineStatus


class EngineMethods:
    """Of a daemon with an engine; without one each says so."""

    def __init__(self, placed: PlacedLocations | None, daemon: Daemon) -> None:
        self._placed = placed
        self._daemon = daemon
        self.methods: dict[str, tuple[Method, frozenset[str]]] = {
            "engine": (self._engine, frozenset({"deep"})),
            "drain": (self._drain, frozenset({"node", "on", "by"})),
        }

    async def _engine(self, _peer: Peer, params: Params) -> EngineStatus:
        placed = self._there()
        if take.flag(params, "deep", default=False):
            try:
                await placed.engine.look(deep=True)
            except EngineRefuses as refusal:
                raise RpcError("down", refusal.problem.summary) from None
        return placed.about()

    async def _drain(self, _peer: Peer, params: Params) -> DrainedNode:
        """Place nothing on a node any more; move what is there, new beside old."""
        placed, node = self._there(), take.text(params, "node")
        on = take.flag(params, "on", default=True)
        try:
            names = await placed.engine.drain(node, on=on)
        except EngineRefuses as refusal:
            raise RpcError("unknown", refusal.problem.summary) from None
        locations = self._daemon.locations
        moved = [name for name in names if name in locations and locations[name].state.wanted]
        if on:
            for name in moved:
                self._daemon.reload(locations[name], asker(params))
        return {"node": node, "draining": on, "locations": moved}

    def _there(self) -> PlacedLocations:
        if self._placed is None:
            what = "this daemon has no engine; [engine] in its config names one"
            raise RpcError("usage", what)
        return self._placed
