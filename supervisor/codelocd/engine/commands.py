"""A one-shot command on a node, from its order to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from codelocd.engine.refusals import of, refuse_problem
from codelocd.engine.runner import BridgeCalls, HeardOutput
from codelocd.model import Output, Stream
from codelocd.rpc.errors import RpcError
from codelocd.runners.engine import CommandEnd, Drained


class NodeCommand:
    """`name`: as the bridge knows it. `began` is done, with the node's name, when it runs."""

    def __init__(self, name: str, bridge: BridgeCalls, output: Output, drained: Drained) -> None:
        self.name = name
        self.began: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._bridge = bridge
        self._drained = drained
        self._output = HeardOutput(output, self._acknowledge)

    def hear(self, method: str, params: Mapping[str, Any]) -> None:
        """What the bridge tells of it."""
        if method == "running" and not self.began.done():
            self.began.set_result(str(params.get("node", "")))
        elif method == "output":
            stream: Stream = params["stream"]
            self._output.hear(stream, int(params["offset"]), params["data"])

    async def give(self, data: bytes, *, last: bool) -> None:
        """What it reads; returns when it was written. Raises RpcError where it reads no more."""
        await self._bridge.ask("give", {"runner": self.name, "data": data, "last": last})

    def signal(self, number: int) -> None:
        """To its whole group."""
        what = {"runner": self.name, "number": number, "group": True}
        self._bridge.order("signal", what)

    async def run(self, order: Mapping[str, Any]) -> CommandEnd:
        """To its end; when cancelled it is killed. Raises EnvironmentProblem, EngineRefuses."""
        try:
            said = await self._bridge.ask("run", order)
        except RpcError as failure:
            self._bridge.order("kill", {"runner": self.name})
            raise of(failure) from None
        except BaseException:
            self._bridge.order("kill", {"runner": self.name})
            raise
        finally:
            self._output.close()
            self.began.cancel()
        said = said if isinstance(said, dict) else {}
        refuse_problem(said)
        return CommandEnd(said.get("status"), said.get("signal"), str(said.get("why") or ""))

    def _acknowledge(self, offsets: Mapping[Stream, int]) -> None:
        what = {"runner": self.name, "offsets": dict(offsets)}
        self._drained(lambda: self._bridge.tell("heard", what))
