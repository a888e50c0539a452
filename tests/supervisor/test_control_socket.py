"""The control socket stays where callers look for it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon import control_socket
from codelocd.daemon.control_socket import ControlSocket
from codelocd.rpc import unix
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import open_peer, start_server

DEADLINE = 60.0


async def answer(_peer: Peer, method: str, _params: Mapping[str, Any]) -> str:
    return method


class Kept:
    """A control socket with a server, and the task that looks after it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._news = asyncio.Event()
        self._socket = ControlSocket(path, None, self._tell)

    async def start(self) -> None:
        self._server = await start_server(self._socket.open(), answer, allowed=lambda _: True)
        self._keeping = asyncio.ensure_future(self._socket.keep(self._server))

    async def until_told(self, lines: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.told) < lines:
                self._news.clear()
                await self._news.wait()

    def _tell(self, line: str) -> None:
        self.told.append(line)
        self._news.set()

    def stop(self) -> None:
        self._keeping.cancel()
        self._socket.close()
        self._server.close()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    kept = Kept(tmp_path / "run" / "control.sock")
    await kept.start()
    await asyncio.sleep(0)  # its watcher has its turn, and looks
    yield kept
    kept.stop()


async def test_a_socket_that_was_removed_with_its_folder_is_made_again(kept: Kept) -> None:
    before = await open_peer(kept.path)
    shutil.rmtree(kept.path.parent)
    assert await asked_until_it_answers(kept.path) == "again"
    assert await before.call("still here") == "still here"
    assert "was removed" in kept.told[0]
    kept.stop()
    assert not kept.path.exists()
    before.close()


async def test_a_socket_that_was_removed_twice_is_made_again_twice(kept: Kept) -> None:
    for _ in range(2):
        kept.path.unlink()
        assert await asked_until_it_answers(kept.path) == "again"
    assert len(kept.told) == 2


async def test_a_folder_that_somebody_still_listens_in_may_be_removed_twice(kept: Kept) -> None:
    """The kernel does not tell that such a folder is gone: its sockets keep it in memory."""
    runners = kept.path.with_name("runners")
    runners.mkdir()
    with unix.listen(runners / "1-1.sock"):
        for _ in range(2):
            shutil.rmtree(kept.path.parent)
            runners.mkdir(parents=True)  # for the next runner, before the watcher has its turn
            assert await asked_until_it_answers(kept.path) == "again"


async def test_a_socket_that_is_removed_while_nothing_watches_yet_is_made_again(
    tmp_path: Path,
) -> None:
    kept = Kept(tmp_path / "run" / "control.sock")
    await kept.start()
    kept.path.unlink()  # its watcher has not had a turn
    assert await asked_until_it_answers(kept.path) == "again"
    kept.stop()


async def test_a_file_in_its_place_is_left_alone_until_it_is_gone(kept: Kept) -> None:
    other = kept.path.with_name("other")
    other.write_text("mine")
    other.replace(kept.path)
    await kept.until_told(2)
    assert "a file that is no socket" in kept.told[1]
    assert kept.path.read_text() == "mine"
    kept.path.unlink()
    assert await asked_until_it_answers(kept.path) == "again"


async def test_it_is_looked_at_when_something_happens_to_it_and_never_else(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Path] = []
    look = control_socket._identity

    def counted(path: Path) -> Any:
        looks.append(path)
        return look(path)

    monkeypatch.setattr(control_socket, "_identity", counted)
    for number in range(3):  # a runner's socket comes and goes
        runner = kept.path.with_name(f"1-{number}.sock")
        unix.listen(runner).close()
        assert await asked_until_it_answers(kept.path) == "again"
        runner.unlink()
        assert await asked_until_it_answers(kept.path) == "again"
    assert not looks
    kept.path.unlink()
    await kept.until_told(1)
    assert looks


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
