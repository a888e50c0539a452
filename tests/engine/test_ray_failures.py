"""What becomes of runners when machines of a Ray cluster fail: never two of one location."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from codelocd.rpc.errors import RpcError
from tests.end_to_end.daemons import wait_for
from tests.engine.driving import DrivenBridge, place, program, started
from tests.engine.lab import Lab, Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

EVERY = 0.05
SALES = f"sales-{secrets.token_hex(4)}"
"""No other test on this machine has a location of that name: the watcher looks at all processes."""
LOCKED = """
import fcntl, os, sys
from codeloc import Definitions, asset
held = open({lock!r}, "a")
try:
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    open({violated!r}, "a").write(f"{{os.getpid()}}\\n")
@asset
def orders(): ...
defs = Definitions(assets=[orders])
"""
"""A location that takes an exclusive lock for as long as its process lives."""


class Watcher:
    """Looks from outside, every 50 ms, at how many runners of a location there are."""

    def __init__(self, location: str, folder: Path) -> None:
        self.lock, self.violated = folder / "held", folder / "violated"
        self.most = 0
        self.seen: list[tuple[float, int]] = []
        self._location = location
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            count = sum(1 for _ in self._runners())
            self.most = max(self.most, count)
            if not self.seen or self.seen[-1][1] != count:
                self.seen.append((time.monotonic(), count))

    def _runners(self) -> Iterator[int]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                is_runner = len(words) > 3 and words[1].endswith("codeloc_runner/__main__.py")
                if is_runner and words[2] == self._location:
                    yield process.pid


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The folder of a location that takes a lock."""
    folder = tmp_path / "code"
    folder.mkdir()
    lock, violated = str(tmp_path / "held"), str(tmp_path / "violated")
    (folder / "definitions.py").write_text(LOCKED.format(lock=lock, violated=violated))
    return folder


def machine_of(lab: Lab, said: Mapping[str, Any]) -> Machine:
    return next(each for each in lab.nodes if each.address == said["node"])


async def ended(bridge: DrivenBridge, runner: str) -> None:
    """A bridge that comes later finds it otherwise, and has it for one that serves."""
    await bridge.ask("kill", runner=runner)
    await bridge.hears("exited", lambda each: each["runner"] == runner)


async def until_it_may_start(bridge: DrivenBridge, location: str, folder: Path) -> Any:
    """From when its runner is lost on: as a daemon does that does not know better."""
    await bridge.hears("lost")
    async with asyncio.timeout(180):
        while True:
            order = place(location, folder)
            try:
                await bridge.ask("prepare", **order)
            except RpcError as refused:
                assert refused.kind == "busy", refused  # noqa: PT017
                await asyncio.sleep(0.2)
            else:
                return order, await started(bridge, order, folder)


@pytest.mark.parametrize("way", ["cut", "kill_raylet", "stop_hosts"])
async def test_a_lost_node_has_its_runner_elsewhere_after_the_fence_and_never_two(
    lab: Lab, bundle: Path, locked: Path, tmp_path: Path, way: str, record_property: Any
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        first = place(SALES, locked)
        said = await started(bridge, first, locked)
        machine = machine_of(lab, said)
        with Watcher(SALES, tmp_path) as watcher:
            began = time.monotonic()
            getattr(lab, way)(machine)
            order, again = await until_it_may_start(bridge, SALES, locked)
            up = time.monotonic() - began
            assert again["node"] != said["node"] or way == "stop_hosts"
            end = await bridge.hears("exited")
            assert end["runner"] == first["runner"]
            assert await bridge.hears("lost", lambda each: each["runner"] == first["runner"])
        gone = next(at - began for at, count in watcher.seen if count == 0 and at > began)
        print(f"\n{way}: old runner gone after {gone:.1f} s, new one serves after {up:.1f} s")
        record_property(way, (gone, up))
        assert watcher.most == 1, [(round(at - began, 1), count) for at, count in watcher.seen]
        assert not watcher.violated.exists()
        assert gone < up
        await ended(bridge, order["runner"])
        if way == "cut":
            lab.mend(machine)
            assert await back(bridge, machine)
        elif way == "stop_hosts":
            lab.go_on(machine)
            await asyncio.to_thread(wait_for, lambda: not machine.named("ray::Host"))
        else:
            lab.kill(machine)
            lab.start_node(machine)


async def test_a_start_that_was_given_up_on_a_stopped_node_is_fenced_and_never_made(
    lab: Lab, bundle: Path, locked: Path, tmp_path: Path
) -> None:
    """Its host asks the head for the newest start when it is stopped, and is answered later."""
    async with DrivenBridge(lab, bundle, fence=15.0) as bridge:
        first = place(SALES, locked)
        prepared = await bridge.ask("prepare", **first)
        machine = machine_of(lab, prepared)
        locks, before = machine.store / "alive", len(machine.named("ray::Host"))
        with Watcher(SALES, tmp_path) as watcher:
            lab.mute(machine, lab.head)
            asked = asyncio.ensure_future(bridge.ask("start", **first, program=program(locked)))
            await asyncio.to_thread(wait_for, lambda: [*locks.glob(f"{SALES}-{first['epoch']}-*")])
            lab.stop_hosts(machine)
            lab.unmute(machine, lab.head)
            try:
                await bridge.hears("lost")
                await bridge.ask("kill", runner=first["runner"])
                with pytest.raises(RpcError):
                    await asked
                with pytest.raises(RpcError, match="may still live"):
                    await bridge.ask("prepare", **place(SALES, locked))
                order, again = await until_it_may_start(bridge, SALES, locked)
            finally:
                lab.go_on(machine)
            left = before - (again["node"] != prepared["node"])
            await asyncio.to_thread(wait_for, lambda: len(machine.named("ray::Host")) <= left)
        assert watcher.most == 1
        assert not watcher.violated.exists()
        await ended(bridge, order["runner"])


async def test_a_start_goes_past_a_node_that_the_head_has_for_alive(
    lab: Lab, bundle: Path, locked: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        nodes = (await bridge.ask("look", deep=False))["nodes"]
        own = {each.address for each in lab.nodes}
        by_name = sorted((each["name"], each["address"]) for each in nodes)
        first, second = (each for each in by_name if each[1] in own)  # the first one is preferred
        machine = machine_of(lab, {"node": first[1]})
        lab.cut(machine)
        try:
            began = time.monotonic()
            said = await started(bridge, place(SALES, locked), locked)
            print(f"\nserved elsewhere after {time.monotonic() - began:.1f} s")
            assert said["node"] == second[0]
        finally:
            lab.mend(machine)
        assert await back(bridge, machine)
        await bridge.ask("close", leave=False)


async def back(bridge: DrivenBridge, machine: Machine) -> bool:
    """Whether the node takes runners again, or Ray has given it up."""
    async with asyncio.timeout(100):
        while True:
            for node in (await bridge.ask("look", deep=False))["nodes"]:
                if node["address"] == machine.address and node["state"] == "up":
                    return True
            await asyncio.sleep(0.5)


async def test_a_runner_whose_host_is_killed_is_known_to_be_gone_at_once(
    lab: Lab, bundle: Path, locked: Path
) -> None:
    # The node is asked by a process that Ray has to start there: on a busy one that takes seconds.
    async with DrivenBridge(lab, bundle, fence=90.0) as bridge:
        order = place(SALES, locked)
        said = await started(bridge, order, locked)
        for process in machine_of(lab, said).named("ray::Host"):
            process.kill()
        end = await bridge.hears("exited")
        assert end["confirmed"] is True


async def test_a_call_that_ends_in_a_lost_node_is_down_and_not_asked_again(
    lab: Lab, bundle: Path, locked: Path
) -> None:
    # Longer than the bridge takes to notice: it comes back before its fence.
    async with DrivenBridge(lab, bundle, fence=30.0) as bridge:
        order = place(SALES, locked)
        said = await started(bridge, order, locked)
        machine = machine_of(lab, said)
        lab.cut(machine)
        try:
            await bridge.hears("lost")
            with pytest.raises(RpcError) as failed:
                await bridge.connection(order["runner"]).call("ping")
            assert failed.value.kind == "down"
            with pytest.raises(RpcError, match="may still live") as refused:
                await bridge.ask("start", **place(SALES, locked), program=program(locked))
            assert refused.value.data["what"] == "lost"
        finally:
            lab.mend(machine)
        await bridge.hears("found")
        assert await bridge.connection(order["runner"]).call("ping") == {}
        await bridge.ask("kill", runner=order["runner"])
        await bridge.hears("exited")


async def test_what_a_bridge_cannot_ask_when_it_comes_is_told_when_its_node_is_back(
    lab: Lab, bundle: Path, locked: Path
) -> None:
    order = place(SALES, locked)
    async with DrivenBridge(lab, bundle, fence=30.0) as bridge:
        said = await started(bridge, order, locked)
        await bridge.ask("keep", runner=order["runner"], record={"generation": 3})
        bridge.process.kill()
    machine = machine_of(lab, said)
    lab.cut(machine)
    try:
        bridge = DrivenBridge(lab, bundle, fence=30.0)
        await bridge.begin()
        hello = await bridge.greet()
        (found,) = [each for each in hello["runners"] if each["location"] == SALES]
        assert (found["start"], bool(found["lost"])) == (None, True)
        with pytest.raises(RpcError, match="may still live") as refused:
            await bridge.ask("start", **place(SALES, locked), program=program(locked))
        assert refused.value.data["what"] == "lost"
    finally:
        lab.mend(machine)
    there = await bridge.hears("there", lambda each: each["runner"] == order["runner"])
    assert (there["record"], there["pid"]) == ({"generation": 3}, said["pid"])
    await bridge.ask("attach", runner=order["runner"], offsets=there["offsets"])
    assert await bridge.connection(order["runner"]).call("ping") == {}
    await bridge.ask("kill", runner=order["runner"])
    await bridge.hears("exited")
    bridge.process.kill()
    await bridge.process.wait()
