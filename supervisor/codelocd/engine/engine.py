"""An engine behind a bridge, as the daemon uses it: what `runners/engine` asks of every engine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codeloc_envs import Environment
from codelocd.engine import refusals, wire
from codelocd.engine.bridge import NOT_YET, Bridge, BridgeState
from codelocd.engine.command import OtherCommand, RayCommand
from codelocd.engine.commands import NodeCommand
from codelocd.engine.roster import Roster, location_of
from codelocd.engine.runner import BridgeRunner
from codelocd.model import Exit, Output
from codelocd.placement import EngineSettings
from codelocd.process.child import Children
from codelocd.rpc.errors import RpcError
from codelocd.runners.api import RunnerSpec
from codelocd.runners.engine import (
    CommandEnd,
    Drained,
    EngineEvent,
    EngineOrder,
    LeftRunner,
    Progress,
)
from codelocd.runners.epochs import Epochs

PATIENCE = 10.0
"""Seconds that a start or a build waits for a cluster that is out of reach again, before the
location waits for it with a problem that says so."""

LOOK = 0.1
"""Seconds between two looks at what a bridge has come to."""

STOP = 20.0
"""Seconds for the bridge to end what is not kept, at the daemon's end."""


class BridgeEngine:
    """The engine of one daemon."""

    def __init__(
        self,
        children: Children,
        settings: EngineSettings,
        command: OtherCommand | RayCommand,
        hello: Callable[[], Mapping[str, Any]],
        output: Output,
    ) -> None:
        """`hello()`: what each bridge is told first; `output`: what the bridge itself prints."""
        self.settings = settings
        self.nodes: list[Mapping[str, Any]] = []
        self.about: Mapping[str, Any] = {}
        self._commands: dict[str, NodeCommand] = {}
        self._progress: dict[str, Progress] = {}
        self._epochs = Epochs()
        self._numbers = itertools.count(1)
        self._command = command
        self._listeners: list[Callable[[EngineEvent], None]] = []
        self._roster = Roster(self._tell)
        self._bridge = self._roster.bridge = Bridge(
            children, command, output, hello, self._greeted, self._hear, self._changed
        )

    @property
    def state(self) -> BridgeState:
        return self._bridge.state

    async def settled(self, patience: float) -> bool:
        """Whether its cluster is reached; returns as soon as that is known, or it is refused."""
        end = time.monotonic() + patience
        while not self.state.refused and time.monotonic() < end:
            if await self._bridge.reached(LOOK):
                return True
            if self.state.why not in ("", NOT_YET):
                return False
        return self.state.is_up

    @property
    def has_met(self) -> bool:
        """Whether it is known what an earlier daemon has left."""
        return self._roster.has_met

    @property
    def bridge_pid(self) -> int | None:
        return self._bridge.pid

    def epoch(self, location: str) -> int:
        return self._epochs.next(location)

    async def prepare(self, order: EngineOrder, progress: Progress) -> Environment:
        self._progress[order.runner] = progress
        try:
            said = await self._ask("prepare", wire.of_place(order, self.settings.size))
        finally:
            del self._progress[order.runner]
        return _environment(said)

    async def start(self, spec: RunnerSpec) -> BridgeRunner:
        order = _remote(spec)
        asked = {**wire.of_place(order, self.settings.size), "program": wire.of_program(spec)}
        self._roster.expect(order.runner)
        try:
            said = await self._ask("start", asked)
            refusals.refuse_problem(said)
        except BaseException:
            self._roster.given_up(order.runner)
            raise
        return self._roster.started(order.runner, said, spec.output)

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        """Nothing is started warm on a node."""

    async def left(self, patience: float) -> Sequence[LeftRunner]:
        await self.settled(patience)
        return self.known_left()

    def known_left(self) -> Sequence[LeftRunner]:
        return self._roster.left()

    def adopt(self, left: LeftRunner, output: Output) -> BridgeRunner | None:
        return self._roster.adopt(left, output)

    def end(self, left: LeftRunner, output: Output) -> asyncio.Future[Exit]:
        """End it; the future is done when its end is known."""
        return self._roster.end(left, output)

    def end_left(self) -> None:
        self._roster.end_left()

    def command(
        self,
        order: EngineOrder,
        words: Sequence[str],
        output: Output,
        *,
        outside: bool = False,
        progress: Progress = lambda _: None,
        drained: Drained = lambda then: then(),
    ) -> tuple[NodeCommand, asyncio.Future[CommandEnd]]:
        name = f"{order.location}:run-{next(self._numbers)}"
        command = self._commands[name] = NodeCommand(name, self._bridge, output, drained)
        self._progress[name] = progress
        asked = {
            **wire.of_place(order, self.settings.size),
            "runner": name,
            "argv": list(words),
            "working_directory": str(order.directory),
            "outside": outside,
        }
        ends = asyncio.ensure_future(self._run(command, asked))
        ends.add_done_callback(lambda _: (self._commands.pop(name), self._progress.pop(name)))
        return command, ends

    async def _run(self, command: NodeCommand, asked: Mapping[str, Any]) -> CommandEnd:
        await self._reach()
        return await command.run(asked)

    async def look(self, *, deep: bool) -> Mapping[str, Any]:
        """What the cluster offers now; `deep`: each node is asked, which takes seconds."""
        found = await self._ask("look", {"deep": deep})
        self.nodes = list(found.get("nodes") or self.nodes)
        return found

    async def drain(self, node: str, *, on: bool) -> list[str]:
        """Place nothing on it any more, or again; the locations that are there."""
        said = await self._ask("drain", {"node": node, "on": on})
        return sorted({location_of(str(name)) for name in said.get("runners") or ()})

    def listen(self, listener: Callable[[EngineEvent], None]) -> None:
        self._listeners.append(listener)

    async def close(self, *, leave: bool) -> None:
        if self._bridge.state.is_up:
            with contextlib.suppress(RpcError):  # its nodes end by themselves what is not kept
                await self._bridge.ask("close", {"leave": leave}, STOP)
        await self._bridge.close()
        self._command.close()

    def kill(self) -> None:
        """End the bridge at once; the nodes notice."""
        self._bridge.kill()

    # --- what the bridge says ------------------------------------------------------------------

    def _greeted(self, answer: Mapping[str, Any]) -> None:
        """Another bridge has reached the cluster: find again what is there."""
        self.about = {name: answer.get(name) for name in ("engine", "version", "python")}
        self.nodes = list(answer.get("nodes") or ())
        for location, epoch in (answer.get("epochs") or {}).items():
            self._epochs.saw(location, int(epoch))
        self._roster.greeted({each["runner"]: each for each in answer.get("runners") or ()})

    def _hear(self, method: str, params: Mapping[str, Any]) -> None:
        name = str(params.get("runner", ""))
        match method:
            case "nodes":
                self.nodes = list(params.get("nodes") or ())
            case "usage":
                self._roster.used(params.get("runners") or {})
            case "progress" if name in self._progress:
                self._progress[name](params["progress"])
            case "output" | "running" if name in self._commands:
                self._commands[name].hear(method, params)
            case _:
                self._roster.hear(method, params)

    def _changed(self, state: BridgeState) -> None:
        self._tell(EngineEvent("up" if state.is_up else "down", state.why))

    def _tell(self, event: EngineEvent) -> None:
        for listener in self._listeners:
            listener(event)

    async def _reach(self) -> None:
        """Raises EngineRefuses."""
        is_known = self.has_met or self.state.why == NOT_YET
        if not await self._bridge.reached(PATIENCE if is_known else LOOK):
            raise refusals.out_of_reach(self._bridge.state, self.settings.address)

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises EngineRefuses."""
        await self._reach()
        try:
            said = await self._bridge.ask(method, params)
        except RpcError as failure:
            raise refusals.of(failure) from None
        if not isinstance(said, dict):
            raise refusals.of(RpcError("protocol", f"the bridge answered {method} with no object"))
        return said


def _remote(spec: RunnerSpec) -> EngineOrder:
    assert spec.remote is not None, "an order for this machine came to an engine"
    return spec.remote


def _environment(said: Mapping[str, Any]) -> Environment:
    refusals.refuse_problem(said)
    return Environment.from_json(said["environment"])
