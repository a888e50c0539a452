"""Clients written from docs/protocol.md alone, against the real server of MessagePack-RPC."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon.subscriptions import Hub
from codelocd.rpc import unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import start_server
from tests.end_to_end.daemons import StartDev, native

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "clients"
CACHE = ROOT / ".cache" / "node-client"
DEADLINE = 60.0
MOST_LINES = 30
TURNS = 100
"""Of the loop, which the daemon takes to measure memory before it answers."""

STATUS = {
    "daemon": {"pid": 1, "instance": "example"},
    "locations": [
        {"name": "ingest", "state": "serving"},
        {"name": "sales", "state": "backoff"},
    ],
}
PRINTED = ["ingest serving", "sales backoff", "event 0 of status: the full state"]


async def answer(hub: Hub, peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
    match method:
        case "status":
            for _ in range(TURNS):  # what was asked after it is answered before it
                await asyncio.sleep(0)
            return STATUS
        case "subscribe":
            return hub.subscribe(peer, params["topics"], params.get("since"), lambda _topic: STATUS)
    raise RpcError("unknown", f"no method {method!r}")


@pytest.fixture
async def control_socket(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    hub = Hub("example")
    server = await start_server(
        unix.listen(path),
        lambda peer, method, params: answer(hub, peer, method, params),
        allowed=lambda who: who.uid == os.getuid(),
        disconnected=hub.drop,
    )
    yield path
    server.close()
    await asyncio.wait_for(server.wait_closed(), DEADLINE)


@pytest.fixture(scope="session")
def node_client() -> Path:
    """The Node.js example with its package installed, kept for later runs."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the Node.js client cannot be run")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "status.mjs"):
            shutil.copy(EXAMPLES / name, CACHE)
        if not (CACHE / "node_modules" / "@msgpack" / "msgpack").is_dir():
            install()
    return CACHE / "status.mjs"


def install() -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline"]
    try:
        npm = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not answer within 90 s: the Node.js client cannot be installed")
    if npm.returncode:
        reason = (npm.stderr.strip().splitlines() or ["no reason given"])[0]
        pytest.skip(f"npm cannot install @msgpack/msgpack (is the registry in reach?): {reason}")


async def run(*command: object, folder: Path | None = None) -> tuple[int, list[str], str]:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    )
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode().splitlines(), err.decode()


async def test_the_node_client_calls_status_and_receives_an_event(
    node_client: Path, control_socket: Path
) -> None:
    code, printed, errors = await run("node", node_client, control_socket)
    assert (code, printed) == (0, PRINTED), errors


async def test_the_python_client_calls_status_and_receives_an_event(control_socket: Path) -> None:
    code, printed, errors = await run(sys.executable, EXAMPLES / "status.py", control_socket)
    assert (code, printed) == (0, PRINTED), errors


@pytest.fixture
def real_socket(project: Path, dev: StartDev) -> Path:
    """The control socket of a real daemon whose one location serves."""
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    return Path(daemon.socket)


async def test_each_client_prints_what_a_real_daemon_says_every_time(
    real_socket: Path, request: pytest.FixtureRequest
) -> None:
    clients: list[tuple[object, ...]] = [(sys.executable, EXAMPLES / "status.py")]
    if shutil.which("npm"):
        clients.append(("node", request.getfixturevalue("node_client")))
    for client in clients * 5:
        code, printed, errors = await run(*client, real_socket.name, folder=real_socket.parent)
        assert (code, printed[:1], len(printed)) == (0, ["defs serving"], 2), errors
        assert re.fullmatch(r"event \d+ of status: the full state", printed[1])


@pytest.mark.parametrize("name", ["status.mjs", "status.py"])
def test_each_client_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) < MOST_LINES
