"""A node of an engine without a cluster: a process of this machine that runs runners.

`python -m tests.conformance.loopback_node SOCKET STORE` serves its bridge on the socket. What is
kept goes on without a bridge; killed, it takes its runners with it, as a machine does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeloc_envs import Environment, EnvironmentProblem, Specification, Store
from codelocd.model import Exit, Stream, Target
from codelocd.process.child import Child, Children
from codelocd.process.guardian import Guardian
from codelocd.rpc import unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import Decoder, failure, response
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import Limits
from codelocd.rpc.server import start_server
from codelocd.runners import variables
from codelocd.runners.api import RunnerSpec
from codelocd.runners.bundle import CHILDREN, make_bundle
from codelocd.runners.environments import Builder
from codelocd.runners.local import LocalLauncher, LocalRunner

LIMITS = Limits(message_bytes=65 * 1024 * 1024, in_flight=4096)
LONELY = 2.0
"""Seconds without a bridge after which what is not kept ends."""
SLOW = 2.0
"""Seconds until a runner is killed, while there is a file `slow` beside the sockets."""


@dataclass(slots=True)
class Hosted:
    """One runner, what it printed that is not acknowledged, and what its daemon noted."""

    said: dict[str, Any]
    runner: LocalRunner | None = None
    record: Any = None
    begun: dict[str, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})
    kept: dict[str, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})
    began: float = field(default_factory=time.time)
    is_attached: bool = True


class Node:
    """Answers the bridge's requests that concern it."""

    def __init__(self, folder: Path, store: Path) -> None:
        loop = asyncio.get_running_loop()
        self.children = Children(loop, Guardian())
        self.bundle = make_bundle(folder / "bundles")
        self.launcher = LocalLauncher(self.children, self.bundle, folder / "run")
        self.store, self.builder = Store(store), Builder(self.children, store)
        self.locks = folder / "locks"
        self.slow = folder.parent / "slow"
        self.runners: dict[str, Hosted] = {}
        self.epochs: dict[str, int] = {}
        self.inputs: dict[str, int] = {}
        self.running: dict[str, Child] = {}
        self.bridge: Peer | None = None
        self._alone: asyncio.TimerHandle | None = None

    async def handle(self, peer: Peer, method: str, params: dict[str, Any]) -> Any:
        return await getattr(self, f"on_{method}")(params)

    def met(self, peer: Peer) -> None:
        if self._alone is not None:
            self._alone.cancel()
        self.bridge = peer

    def left(self, peer: Peer) -> None:
        """Its bridge is gone."""
        if self.bridge is peer:
            self.bridge = None
            self._alone = asyncio.get_running_loop().call_later(LONELY, self._end_unkept)

    def _end_unkept(self) -> None:
        for hosted in self.runners.values():
            if hosted.record is None and hosted.runner is not None:
                hosted.runner.kill()

    async def on_hello(self, params: dict[str, Any]) -> Any:
        found = [
            {
                **hosted.said,
                "runner": name,
                "began": hosted.began,
                "record": hosted.record,
                "offsets": dict(hosted.begun),
                "start": hosted.said,
            }
            for name, hosted in self.runners.items()
        ]
        for hosted in self.runners.values():
            hosted.is_attached = False
        return {"runners": found, "epochs": dict(self.epochs)}

    async def on_prepare(self, params: dict[str, Any]) -> Any:
        try:
            environment = await self._environment(params)
        except EnvironmentProblem as problem:
            return _problem(problem)
        return {"environment": environment.to_json()}

    async def _environment(self, params: dict[str, Any]) -> Environment:
        specification = Specification.from_json(params["specification"])
        found = await asyncio.to_thread(self.store.find, specification)
        if found is not None:
            return found
        name = params["runner"]
        return await self.builder.build(
            specification, lambda step: self.tell("progress", {"runner": name, "progress": step})
        )

    async def on_start(self, params: dict[str, Any]) -> Any:
        name, location, epoch = params["runner"], params["location"], params["epoch"]
        if name in self.runners:
            return self.runners[name].said
        refuse_older(location, epoch, self.epochs)
        self.epochs[location] = epoch
        try:
            environment = await self._environment(params)
        except EnvironmentProblem as problem:
            return _problem(problem)
        said = {"location": location, "epoch": epoch, "node": params["node"]}
        hosted = self.runners[name] = Hosted(said)
        try:
            runner = await self.launcher.start(self._spec(name, hosted, params, environment))
        except OSError as error:
            del self.runners[name]
            raise RpcError("internal", f"it cannot be started: {error}") from None
        hosted.runner = runner
        said.update(pid=runner.pid, why="started by its node", start_method="spawn")
        said.update(placement_why=params["why"], environment=environment.to_json())
        runner.exited.add_done_callback(lambda done: self._ended(name, done.result()))
        return said

    def _spec(
        self, name: str, hosted: Hosted, params: dict[str, Any], environment: Environment
    ) -> RunnerSpec:
        program = params["program"]
        return RunnerSpec(
            location=params["location"],
            environment=environment.key,
            executable=environment.executable,
            variables=self._variables(params, environment),
            working_directory=Path(program["working_directory"]),
            target=Target(**program["target"]),
            attribute=program["attribute"],
            output=lambda stream, data: self._printed(name, hosted, stream, data),
            lock=self.locks / f"{params['location']}.lock",
            nice=program["nice"],
            open_files=program["open_files"],
        )

    def _variables(self, params: dict[str, Any], environment: Environment) -> dict[str, str]:
        told = params["variables"]
        return variables.of_runner(
            {**os.environ, **told["inherited"]},
            told["configured"],
            environment.executable,
            environment.variables,
            {},
        )

    def _printed(self, name: str, hosted: Hosted, stream: Stream, data: bytes) -> None:
        offset = hosted.begun[stream] + len(hosted.kept[stream])
        hosted.kept[stream] += data
        if hosted.is_attached:
            self.tell("output", {"runner": name, "stream": stream, "offset": offset, "data": data})

    def _ended(self, name: str, end: Exit) -> None:
        asyncio.get_running_loop().call_later(0.05, self._tell_end, name, end)

    def _tell_end(self, name: str, end: Exit) -> None:
        """After its last words, which pipes may bring a moment later."""
        if self.bridge is not None:
            self.runners.pop(name, None)
        said = {"runner": name, "status": end.status, "signal": end.signal, "confirmed": True}
        self.tell("exited", said)

    async def on_call(self, params: dict[str, Any]) -> Any:
        runner = self._living(params)
        [[_, number, method, given]] = list(Decoder().feed(params["frame"]))
        try:
            result = await runner.call(method, given[0] if given else None, params["timeout"])
        except RpcError as error:
            if error.kind == "down":
                raise
            return {"frame": LIMITS.encode(failure(number, error))}
        return {"frame": LIMITS.encode(response(number, result))}

    def _living(self, params: dict[str, Any]) -> LocalRunner:
        hosted = self.runners.get(params["runner"])
        if hosted is None or hosted.runner is None:
            raise RpcError("down", f"{params['runner']} is gone")
        return hosted.runner

    async def on_kill(self, params: dict[str, Any]) -> None:
        hosted = self.runners.get(params["runner"])
        if (command := self.running.get(params["runner"])) is not None:
            command.kill()
        if hosted is not None and hosted.runner is not None:
            if self.slow.exists():
                await asyncio.sleep(SLOW)
            hosted.runner.kill()

    async def on_end(self, params: dict[str, Any]) -> None:
        hosted = self.runners.get(params["runner"])
        if hosted is not None and hosted.runner is not None:
            await hosted.runner._child.end(params["grace"])

    async def on_signal(self, params: dict[str, Any]) -> None:
        hosted = self.runners.get(params["runner"])
        if (command := self.running.get(params["runner"])) is not None:
            os.killpg(command.pid, params["number"])
        if hosted is not None and hosted.runner is not None:
            send = os.killpg if params["group"] else os.kill
            send(hosted.runner.pid, params["number"])

    async def on_keep(self, params: dict[str, Any]) -> None:
        if params["runner"] in self.runners:
            self.runners[params["runner"]].record = params["record"]

    async def on_let_go(self, params: dict[str, Any]) -> None:
        if params["runner"] in self.runners:
            self.runners[params["runner"]].record = None

    async def on_attach(self, params: dict[str, Any]) -> None:
        name = params["runner"]
        hosted = self.runners.get(name)
        if hosted is None:
            return
        self._forget(hosted, params["offsets"])
        hosted.is_attached = True
        for stream, data in hosted.kept.items():
            if data:
                begun = hosted.begun[stream]
                self.tell(
                    "output", {"runner": name, "stream": stream, "offset": begun, "data": data}
                )
        if hosted.runner is not None and hosted.runner.exited.done():
            self._tell_end(name, hosted.runner.exited.result())

    async def on_heard(self, params: dict[str, Any]) -> None:
        if params["runner"] in self.runners:
            self._forget(self.runners[params["runner"]], params["offsets"])

    def _forget(self, hosted: Hosted, offsets: dict[str, int]) -> None:
        for stream, offset in offsets.items():
            heard = max(0, offset - hosted.begun[stream])
            hosted.kept[stream] = hosted.kept[stream][heard:]
            hosted.begun[stream] += heard

    async def on_run(self, params: dict[str, Any]) -> Any:
        environment, name = await self._environment(params), params["runner"]
        own = self._variables(params, environment)
        offsets = {"stdout": 0, "stderr": 0}
        ended = {stream: asyncio.Event() for stream in offsets}

        def output(stream: Stream, data: bytes) -> None:
            said = {"runner": name, "stream": stream, "offset": offsets[stream], "data": data}
            self.tell("output", said)
            offsets[stream] += len(data)
            if not data:
                ended[stream].set()

        reading, writing = os.pipe()
        child = self.children.start(
            params["argv"],
            variables=variables.with_codeloc(own, self.bundle / CHILDREN),
            directory=Path(params["working_directory"]),
            output=output,
            stdin=reading,
        )
        os.close(reading)
        self.running[name], self.inputs[name] = child, writing
        self.tell("running", {"runner": name, "node": "here"})
        end = await asyncio.shield(child.exited)
        for each in ended.values():
            await each.wait()
        self._close_input(name)
        del self.running[name]
        return {"status": end.status, "signal": end.signal}

    def _close_input(self, name: str) -> None:
        if (writing := self.inputs.pop(name, None)) is not None:
            os.close(writing)

    async def on_give(self, params: dict[str, Any]) -> None:
        if (writing := self.inputs.get(params["runner"])) is None:
            raise RpcError("down", "no such command reads")
        await asyncio.to_thread(os.write, writing, params["data"])
        if params["last"]:
            self._close_input(params["runner"])

    async def on_close(self, params: dict[str, Any]) -> None:
        for hosted in list(self.runners.values()):
            if hosted.runner is not None and not (params["leave"] and hosted.record is not None):
                hosted.runner.kill()
                await asyncio.shield(hosted.runner.exited)

    def tell(self, method: str, params: dict[str, Any]) -> None:
        if self.bridge is not None:
            self.bridge.notify(method, params)


def refuse_older(location: str, epoch: int, newest: Mapping[str, int]) -> None:
    """Raises RpcError where the location had a newer start."""
    if epoch < newest.get(location, 0):
        what = f"{location}: start {epoch} is older than {newest[location]}"
        raise RpcError("usage", what, {"what": "stale"})


def _problem(problem: EnvironmentProblem) -> dict[str, Any]:
    names = ("summary", "detail", "passing", "shortage")
    return {"problem": {name: getattr(problem, name) for name in names}}


async def serve(path: Path, store: Path) -> None:
    node = Node(Path(tempfile.mkdtemp(prefix="node-", dir=path.parent)), store)

    async def handle(peer: Peer, method: str, params: Any) -> Any:
        if method == "hello":
            node.met(peer)
        return await node.handle(peer, method, dict(params))

    await start_server(
        unix.listen(path),
        handle,
        allowed=lambda _who: True,
        limits=LIMITS,
        disconnected=node.left,
    )
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
