"""A control socket that says what a test wants, and a shell to run the installed `codelocd` in."""

from __future__ import annotations

import asyncio
import copy
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codelocd import __version__
from codelocd.rpc import unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import Server, start_server
from tests import commands
from tests.commands import CODELOCD, DEADLINE

if TYPE_CHECKING:
    from codelocd.documents.locations import (
        DaemonStatus,
        LocationStatus,
        ProblemDocument,
        StatusDocument,
    )


Answer = Callable[[Mapping[str, Any]], Any]

LOCATION: LocationStatus = {
    "name": "sales",
    "state": "serving",
    "phase_seconds": 75.0,
    "wanted": True,
    "reloading": None,
    "stale": False,
    "generation": 3,
    "restarts": 1,
    "restarts_1h": 1,
    "last_exit": None,
    "last_failure": None,
    "last_answer": 2.0,
    "pid": 123,
    "node": None,
    "start_method": "spawn",
    "release": None,
    "uptime": 75.0,
    "memory": 31457280,
    "cpu": 0.3,
    "environment": {
        "key": "0123456789abcdef",
        "path": "/store/e",
        "python": "3.12.1",
        "executable": "/store/e/bin/python",
        "origin": "built",
    },
    "definitions": {"asset": 4, "asset_check": 0, "job": 1, "resource": 1, "schedule": 1},
    "loader": "native",
    "load_seconds": 0.05,
    "problem": None,
    "changed_by": None,
    "left_out": [],
    "runs": {"running": 0, "queued": 0},
}

DAEMON: DaemonStatus = {
    "pid": 1,
    "at": 1700000000.0,
    "answers": True,
    "version": __version__,
    "uptime": 80.0,
    "instance": "i",
    "revision": 1,
    "socket": "/run/control.sock",
    "dagster": None,
    "engine": None,
    "config": {"file": None, "state": "applied", "problem": None, "at": 1700000000.0},
    "dropped": {},
    "warnings": [],
    "ending": None,
    "events": 0,
}

PROBLEM: ProblemDocument = {
    "kind": "load",
    "summary": "SyntaxError: invalid syntax (defs.py, line 3)",
    "detail": "Traceback (most recent call last):\n  File defs.py, line 3",
    "at": 1700000000.0,
    "frames": [],
    "remedy": None,
}


@dataclass
class FakeDaemon:
    """Answers on a real socket with what `answers` says, and remembers what it was asked."""

    socket: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subscribed = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self._server = self._run(self._serve())

    async def _serve(self) -> Server:
        return await start_server(unix.listen(self.socket), self._handle, allowed=lambda _: True)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    async def _handle(self, peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
        if method == "hello" and method not in self.answers:  # how a client learns the version
            return {"version": __version__}
        self.asked.append((method, params))
        if method == "subscribe":
            self.peers.append(peer)
            self._loop.call_soon(self.subscribed.set)
            return {"subscription": 1, "instance": "i", "seq": 0}
        if method not in self.answers:
            raise RpcError("unknown", f"there is no method {method!r}")
        answer = self.answers[method](params)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tell(self, topic: str, data: Mapping[str, Any]) -> None:
        """Send an event to all subscribers."""
        event = {"subscription": 1, "topic": topic, "seq": 1, "data": data}
        for peer in self.peers:
            self._loop.call_soon_threadsafe(peer.notify, "event", event)

    def hang_up(self) -> None:
        """Close every connection, as a daemon that ends does."""
        peers, self.peers = self.peers, []
        for peer in peers:
            self._loop.call_soon_threadsafe(peer.close)

    def close(self) -> None:
        async def close() -> None:
            self._server.close()
            await self._server.wait_closed()

        self._run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()


@dataclass(frozen=True)
class Shell:
    """Runs `codelocd` in `folder`, where its runtime folder is `runtime`. `data`: the folder of
    what it builds, which is of the test's own where that is None."""

    folder: Path
    runtime: Path
    data: Path | None = None

    @property
    def environ(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("CODELOCD", "XDG"))}
        home = {"HOME": str(self.folder.parent), "XDG_RUNTIME_DIR": str(self.runtime)}
        if self.data is not None:
            home["XDG_DATA_HOME"] = str(self.data)
        return {**clean, **home, "PYTHONWARNINGS": "error"}

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        environ = {**self.environ, **options.pop("environ", {})}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        options = {"cwd": self.folder, "stdin": subprocess.DEVNULL, **options}
        return subprocess.Popen([CODELOCD, *words], env=environ, text=True, **options)

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """With no options but `environ` it is started as `commands.run` does that."""
        if not options.keys() - {"environ"}:
            environ = {**self.environ, **options.get("environ", {})}
            return commands.run(words, cwd=self.folder, environ=environ, timeout=DEADLINE)
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(words, process.returncode, out, err)


def status_document(*locations: LocationStatus) -> StatusDocument:
    daemon = copy.deepcopy(DAEMON)
    return {"schema": 1, "daemon": daemon, "locations": copy.deepcopy(list(locations))}
