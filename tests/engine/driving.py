"""A bridge to Ray as the daemon has one, and what it is asked and tells."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import codeloc_envs
import codelocd
from codeloc_envs import Request, choose
from codelocd.engine.bridge import LIMITS
from codelocd.engine.frames import FrameConnection
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import talk_on
from tests.engine.lab import ROOT, Lab

BRIDGE = ROOT / "supervisor" / "codeloc_ray" / "__main__.py"
SECONDS = 120.0
FENCE = 6.0
"""Seconds: a bridge wants 5 at least, and tests wait for it."""

Told = tuple[str, Mapping[str, Any]]


class DrivenBridge:
    """One process. `told`: what it notified of, in its order."""

    def __init__(self, lab: Lab, bundle: Path, **settings: Any) -> None:
        self._lab = lab
        self.told: list[Told] = []
        self._stirred = asyncio.Event()
        self.settings = {
            "kind": "ray",
            "address": lab.address,
            "token": lab.variables.get("RAY_AUTH_TOKEN"),
            "tls": lab.tls,
            "namespace": "codelocd",
            "redis": None,
            "insecure": False,
            "fence": FENCE,
            "orphan_timeout": 600.0,
            "owner": "tests",
            "bundle": str(bundle),
            "packages": {
                "codeloc_envs": str(Path(codeloc_envs.__file__).parent),
                "codelocd": str(Path(codelocd.__file__).parent),
            },
            **settings,
        }
        self._peer: Peer
        self.process: asyncio.subprocess.Process

    async def begin(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            words = [str(self._lab.python), str(BRIDGE), str(theirs.fileno())]
            self.process = await asyncio.create_subprocess_exec(
                *self._lab.inside(words), pass_fds=[theirs.fileno()]
            )
        self._peer = await talk_on(ours, listener=self._hear, limits=LIMITS, patient=True)

    async def __aenter__(self) -> DrivenBridge:
        await self.begin()
        self.hello: Mapping[str, Any] = await self.greet()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._peer.close()
        await self.process.wait()

    async def greet(self) -> Any:
        return await self.ask("hello", protocol=1, settings=self.settings)

    async def ask(self, method: str, **params: Any) -> Any:
        return await self._peer.call(method, params, timeout=SECONDS)

    def _hear(self, method: str, params: Mapping[str, Any]) -> None:
        self.told.append((method, params))
        self._stirred.set()

    async def hears(
        self, method: str, holds: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> Mapping[str, Any]:
        """The first notification of which it holds, now or later."""
        async with asyncio.timeout(SECONDS):
            while True:
                for name, params in self.told:
                    if name == method and holds(params):
                        return params
                self._stirred.clear()
                await self._stirred.wait()

    def output(self, runner: str, stream: str = "stdout") -> bytes:
        return b"".join(
            params["data"]
            for name, params in self.told
            if name == "output" and (params["runner"], params["stream"]) == (runner, stream)
        )

    def connection(self, runner: str) -> FrameConnection:
        async def carry(frame: bytes, timeout: float | None) -> bytes:
            said = await self.ask("call", runner=runner, frame=frame, timeout=timeout)
            return bytes(said["frame"])

        return FrameConnection(carry)


def place(location: str, folder: Path, python: str = "3.11", **placement: Any) -> dict[str, Any]:
    """What `prepare`, `start` and `run` have in common; each call is a later start."""
    code = folder / "definitions.py"
    specification = choose(Request(python=python), code=code).specification
    epoch = time.time_ns() // 1_000_000
    resources = {"cpu": 0.0, "memory": 0, "gpu": 0.0, "custom": {}}
    return {
        "runner": f"{location}:{epoch}",
        "location": location,
        "epoch": epoch,
        "specification": specification.to_json(),
        "inputs": [],
        "placement": {"resources": resources, "labels": {}, "beside": None, **placement},
        "code": {
            "source": "content",
            "directory": str(folder),
            "files": [],
            "ignore": [],
            "limit": 2**28,
        },
        "variables": {"inherited": {}, "configured": {}},
    }


def program(folder: Path) -> dict[str, Any]:
    """The runner itself."""
    return {
        "target": {"kind": "python_file", "value": str(folder / "definitions.py")},
        "attribute": None,
        "working_directory": str(folder),
        "start_timeout": 60.0,
        "nice": None,
        "open_files": None,
        "stacks_signal": 10,
    }


async def started(bridge: DrivenBridge, order: Mapping[str, Any], folder: Path) -> Any:
    """The answer, once the runner serves."""
    said = await bridge.ask("start", **order, program=program(folder))
    connection = bridge.connection(order["runner"])
    assert (await connection.call("snapshot"))["ok"]
    assert (await connection.call("serve")) == {"serves": True}
    return said
