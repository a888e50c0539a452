"""The control socket stays where callers look for it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codelocd.daemon.control_socket import ControlSocket
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import open_peer, start_server

DEADLINE = 30.0


async def answer(_peer: Peer, method: str, _params: Mapping[str, Any]) -> str:
    return method


async def test_a_socket_that_was_removed_with_its_folder_is_made_again(tmp_path: Path) -> None:
    path, told = tmp_path / "run" / "control.sock", list[str]()
    door = ControlSocket(path, None, told.append)
    server = await start_server(door.open(), answer, allowed=lambda _: True)
    kept = asyncio.ensure_future(door.keep(server))
    before = await open_peer(path)
    shutil.rmtree(path.parent)
    assert await asked_until_it_answers(path) == "again"
    assert await before.call("still here") == "still here"
    assert "was removed" in told[0]
    kept.cancel()
    door.close()
    assert not path.exists()
    before.close()
    server.close()


async def asked_until_it_answers(path: Path) -> str:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                peer = await open_peer(path)
            except OSError:
                await asyncio.sleep(0.01)  # nothing tells of a socket that is not there
                continue
            said: str = await peer.call("again")
            peer.close()
            return said
