"""The runners of an engine by name: those of this daemon, and those that an earlier one left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from codelocd.engine.bridge import Bridge
from codelocd.engine.runner import BridgeRunner
from codelocd.model import Exit, Output, Stream
from codelocd.runners.engine import EngineEvent, LeftRunner

Said = Mapping[str, Any]


def location_of(name: str) -> str:
    """The location that a runner is of, by the runner's name."""
    return name.rpartition(":")[0]


class Roster:
    """Handles outlive the bridge's process: each is bound anew, by its name, to what the next one
    finds. `tell` takes what happens."""

    def __init__(self, tell: Callable[[EngineEvent], None]) -> None:
        self._tell = tell
        self._runners: dict[str, BridgeRunner] = {}
        self._serving: dict[str, BridgeRunner] = {}
        self._last_node: dict[str, str | None] = {}
        self._left: dict[str, Said] = {}
        self._early: dict[str, list[tuple[str, Said]]] = {}
        self.has_met = False
        self.bridge: Bridge

    # --- starts and adoptions ------------------------------------------------------------------

    def expect(self, name: str) -> None:
        """It is being started: what is said of it waits until it is known here."""
        self._early[name] = []

    def given_up(self, name: str) -> None:
        """It is not expected any more, whether or not it was started."""
        del self._early[name]
        self.bridge.order("kill", {"runner": name})

    def started(self, name: str, said: Said, output: Output) -> BridgeRunner:
        """It was started, by the answer that the bridge gave; or it was before."""
        known = self._runners.get(name)
        runner = known or self._taken(name, said, output)
        for method, params in self._early.pop(name):
            self.hear(method, params)
        if known is None:
            self._tell_where(runner)
        return runner

    def left(self) -> list[LeftRunner]:
        """What an earlier daemon has left and no location has taken."""
        return [LeftRunner(s["location"], s["epoch"], s["record"]) for s in self._left.values()]

    def adopt(self, left: LeftRunner, output: Output) -> BridgeRunner | None:
        """Go on with it; None if it has ended."""
        runner = self._bound(left, output)
        if runner is not None:
            runner.record_kept = left.record
            self._attach(runner)
            runner.take_over()
        return runner

    def _bound(self, left: LeftRunner, output: Output) -> BridgeRunner | None:
        name = f"{left.location}:{left.epoch}"
        said = self._left.pop(name, None)
        if said is None:
            return None
        runner = self._taken(name, {**(said.get("start") or {}), **said}, output)
        runner.output.go_on_from(said.get("offsets") or {})
        if said.get("lost"):
            runner.is_lost(said["lost"])
        self._last_node[left.location] = runner.node
        return runner

    def end(self, left: LeftRunner, output: Output) -> asyncio.Future[Exit]:
        """End it, and write what it prints meanwhile; done when its end is known."""
        runner = self._bound(left, output)
        if runner is None:
            over: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
            over.set_result(Exit(None, None))
            return over
        runner.kill()
        return runner.exited

    def end_left(self) -> None:
        """End what was left and not taken."""
        for name in self._left:
            self.bridge.order("kill", {"runner": name})
        self._left.clear()

    def serves(self, runner: BridgeRunner) -> Any:
        """It serves its location from now on; the future that is done when the one before has let
        go of it, None where there is none."""
        location = location_of(runner.name)
        former, self._serving[location] = self._serving.get(location), runner
        return None if former is None or former is runner else former.has_let_go

    # --- what the bridge says ------------------------------------------------------------------

    def greeted(self, found: Mapping[str, Said]) -> None:
        """Another bridge has found these."""
        for name, runner in tuple(self._runners.items()):
            if name not in found:
                self._over(runner, {})
                continue
            if found[name].get("lost"):
                runner.is_lost(found[name]["lost"])
            self._attach(runner)
        for name, said in found.items():
            if name in self._runners or name in self._early or name in self._left:
                continue
            if said.get("lost") and said.get("start") is None:
                continue  # nothing is known of it until its node is back, or it is fenced
            self._meet(name, said, kept=not self.has_met)
        self.has_met = True

    def _meet(self, name: str, said: Said, *, kept: bool) -> None:
        if kept and said.get("record") is not None:
            self._left[name] = said
        else:
            self.bridge.order("kill", {"runner": name})

    def hear(self, method: str, params: Said) -> None:
        """What is said of one runner."""
        name = str(params.get("runner", ""))
        if name in self._early:
            self._early[name].append((method, params))
        elif name in self._runners:
            self._hear(method, self._runners[name], params)
        elif method == "exited":
            self._left.pop(name, None)
        elif method == "there":
            self._meet(name, params, kept=True)
            self._tell(EngineEvent("there", f"{name} was out of reach until now"))

    def used(self, runners: Mapping[str, Said]) -> None:
        """Memory and CPU of runners."""
        for name, used in runners.items():
            if name in self._runners:
                cpu = used.get("cpu")
                usage = int(used["memory"]), None if cpu is None else float(cpu)
                self._runners[name].usage = usage

    def _hear(self, method: str, runner: BridgeRunner, params: Said) -> None:
        match method:
            case "output":
                stream: Stream = params["stream"]
                runner.output.hear(stream, int(params["offset"]), params["data"])
            case "exited":
                self._over(runner, params)
            case "lost":
                problem = runner.is_lost(params)
                self._tell(EngineEvent("lost", problem.summary, location_of(runner.name)))
            case "found":
                runner.lost = None
                what = f"its node {runner.node} is back"
                self._tell(EngineEvent("found", what, location_of(runner.name)))

    def _taken(self, name: str, said: Said, output: Output) -> BridgeRunner:
        runner = BridgeRunner(name, self.bridge, said, output, self.serves)
        self._runners[name] = runner
        runner.exited.add_done_callback(lambda _: self._runners.pop(name, None))
        return runner

    def _attach(self, runner: BridgeRunner) -> None:
        """Hear it from where it was heard last; tell again what is to become of it."""
        offsets = dict(runner.output.offsets)
        self.bridge.order("attach", {"runner": runner.name, "offsets": offsets})
        if runner.record_kept is not None:
            runner.keep(runner.record_kept)

    def _over(self, runner: BridgeRunner, said: Said) -> None:
        location = location_of(runner.name)
        if self._serving.get(location) is runner:
            del self._serving[location]
        runner.ended(said)

    def _tell_where(self, runner: BridgeRunner) -> None:
        location, node = location_of(runner.name), runner.node
        before, self._last_node[location] = self._last_node.get(location), node
        if before is not None and before != node:
            why = f": {runner.placed_why}" if runner.placed_why else ""
            self._tell(EngineEvent("moved", f"from {before} to {node}{why}", location))
