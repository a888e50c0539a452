"""Code servers that a daemon which was killed has left, with the runs that they have."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from codelocd.dagster.integration import InheritedServers, paths
from codelocd.dagster.workspace import Sockets
from codelocd.process.helper import HelperProcess
from codelocd.process.inheritance import Inheritance, receive
from codelocd.runners.warm.method import MethodChoice

DEADLINE = 60.0

DAEMON = """
import asyncio, os, sys
from pathlib import Path
from codelocd.dagster.code_server import LEAVING, SERVER, CodeServer, ServerOutput
from codelocd.dagster.integration import holding
from codelocd.process.child import Children
from codelocd.process.guardian import Guardian, HolderSettings
from codelocd.runners.warm.method import MethodChoice

async def main(folder):
    guardian = Guardian(HolderSettings(folder / "holder.sock", folder, 60.0, "kin-"))
    children = Children(asyncio.get_running_loop(), guardian)
    hold = holding(children, folder / "home")
    heard = ServerOutput(lambda *_: None)
    script = "until [ -e told ]; do sleep 0.02; done; echo told; sleep 600 & echo run $!; wait"
    for name, kind in (("shop", SERVER), ("old", LEAVING), ("lost", None)):
        child = children.start(
            ["sh", "-c", script], variables=os.environ, directory=folder, output=heard
        )
        choice = MethodChoice("fork", "nothing forbids it")
        path = folder / "dagster" / name
        server = CodeServer(name, child, Path("python"), path, heard, choice)
        if kind is not None:
            hold(server, kind)
        children.note(child.pid, {"failures": 3})
    guardian.take_charge()
    while not (folder / "holder.sock").exists():
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


class Heard:
    """What servers print, by location."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {}
        self._more = asyncio.Event()

    def output(self, location, _generation):
        def take(_stream, data):
            self.lines.setdefault(location, []).extend(data.decode().splitlines())
            self._more.set()

        return take

    async def until(self, location: str, count: int) -> list[str]:
        async with asyncio.timeout(DEADLINE):
            while len(self.lines.get(location, ())) < count:
                self._more.clear()
                await self._more.wait()
        return self.lines[location]


@pytest.fixture
async def left(tmp_path: Path) -> Inheritance:
    """What a daemon has left that is killed: it serves `shop`, and `old` is leaving."""
    command = [sys.executable, "-c", DAEMON, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        said = await asyncio.to_thread(daemon.stdout.readline)
        assert said == "ready\n"
        daemon.kill()
    found = await asyncio.to_thread(receive, tmp_path / "holder.sock")
    found.taken()
    return found


async def test_servers_and_their_runs_go_on_and_no_line_of_theirs_is_lost(left, children, tmp_path):
    """A server that Dagster was not led to yet ended with the daemon."""
    (tmp_path / "told").touch()
    heard = Heard()
    assert {each.record["failures"] for each in left.left} == {3}, "what was noted later"
    servers = InheritedServers(left, children, heard.output, tmp_path / "home")
    (shop,), (old,) = servers.serving, servers.leaving
    assert (shop.location, old.location) == ("shop", "old")
    assert shop.path == tmp_path / "dagster" / "shop"
    assert shop.since < time.monotonic() - 0.001, "when it began, not when it was adopted"
    assert shop.choice == MethodChoice("fork", "nothing forbids it")
    for server in (shop, old):
        first, second = (await heard.until(server.location, 2))[:2]
        run = psutil.Process(int(second.removeprefix("run ")))
        assert (first, run.ppid()) == ("told", server.pid)
        server.kill()
        await asyncio.wait_for(server.exited, DEADLINE)
    assert set(heard.lines) == {"shop", "old"}


async def test_one_that_is_gone_is_not_adopted_and_one_of_another_home_leaves(
    left, children, tmp_path
):
    pids = {each.record["location"]: each.record["pid"] for each in left.left}
    gone = psutil.Process(pids["old"])
    os.killpg(gone.pid, signal.SIGKILL)
    await asyncio.to_thread(psutil.wait_procs, [gone], DEADLINE)
    servers = InheritedServers(left, children, Heard().output, tmp_path / "another")
    assert servers.serving == []
    assert [each.pid for each in servers.leaving] == [pids["shop"]]
    servers.leaving[0].kill()


def test_the_sockets_and_links_of_those_that_were_left_stay(tmp_path):
    former = Sockets(tmp_path)
    kept, gone = former.new(), former.new()
    for name, path in (("shop", kept), ("old", gone)):
        path.touch()
        former.lead(name, path)
    found = Sockets(tmp_path, {kept})
    assert set(found.folder.iterdir()) == {kept, found.link("shop")}
    assert found.new() != kept, "the same number of a process, as after an upgrade"
    assert paths(Inheritance()) == set()


async def test_a_helper_that_was_adopted_is_started_again_as_any_other(children, tmp_path):
    def start():
        return children.start(
            ["sleep", "600"], variables=os.environ, directory=tmp_path, output=lambda *_: None
        )

    ran: list[int] = []
    again = asyncio.Event()

    def runs(child):
        ran.append(child.pid)
        if len(ran) > 1:
            again.set()

    left = start()
    command, silent = ["sleep", "600"], (lambda *_: None)
    helper = HelperProcess(children, command, os.environ, tmp_path, silent, (), runs, left)
    assert helper.pid == left.pid
    left.kill()
    await asyncio.wait_for(again.wait(), DEADLINE)
    assert ran == [left.pid, helper.pid]
    await helper.close()
