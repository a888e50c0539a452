"""What a bridge and the daemon's part of it owe each other, and what users see of an engine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeloc_envs import Request, choose
from codelocd.engine.engine import BridgeEngine
from codelocd.engine.making import bridge_command, hello_of
from codelocd.model import Target
from codelocd.placement import EngineSettings, Placement, Resources
from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from codelocd.runners.api import LoadedOutcome, RunnerSpec
from codelocd.runners.bundle import make_bundle
from codelocd.runners.engine import EngineOrder, EngineRefuses
from codelocd.runners.environments import Builder
from tests import commands
from tests.conformance.engines import ROOT, RUN_BRIDGE, Loopback, Place
from tests.end_to_end.daemons import native, serving


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with tempfile.TemporaryDirectory(prefix="loop-", ignore_cleanup_errors=True) as folder:
        found = Loopback(Path(folder), "one", "two")
        yield found
        found.close()


@pytest.fixture
def place(loopback: Loopback, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "project").mkdir()
    (tmp_path / "home").mkdir()
    found = Place(tmp_path / "project", tmp_path / "home", loopback.setting())
    yield found
    found.end()


def order(folder: Path, epoch: int, cpu: float = 0.0) -> RunnerSpec:
    """For a runner of `sales`, whose code is in the folder."""
    code = folder / "defs.py"
    code.write_text(native("orders"))
    choice = choose(Request(packages=()), code=code)
    remote = EngineOrder(
        location="sales",
        epoch=epoch,
        specification=choice.specification,
        inputs=(),
        placement=Placement("other", Resources(cpu)),
        directory=folder,
    )
    return RunnerSpec(
        location="sales",
        environment="",
        executable=Path(sys.executable),
        variables={},
        working_directory=folder,
        target=Target("python_file", str(code)),
        attribute=None,
        output=lambda _stream, _data: None,
        remote=remote,
    )


async def test_epochs_fence_starts_and_a_start_may_be_asked_for_twice(
    loopback: Loopback, tmp_path: Path
) -> None:
    words = (sys.executable, "-c", RUN_BRIDGE, str(ROOT), str(loopback.folder))
    settings = EngineSettings("other", bridge=words)
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    store = tmp_path / "store"
    command = bridge_command(settings, None, Builder(children, store), print)  # type: ignore[arg-type]
    hello = hello_of(settings, "test", make_bundle(tmp_path / "bundles"), 60.0)
    engine = BridgeEngine(children, settings, command, hello, lambda _stream, _data: None)
    try:
        first = await engine.start(order(tmp_path, 5))
        assert isinstance(await first.load(), LoadedOutcome)
        again = await engine.start(order(tmp_path, 5))
        assert again.pid == first.pid
        with pytest.raises(EngineRefuses, match="stale"):
            await engine.start(order(tmp_path, 4))
        with pytest.raises(EngineRefuses) as full:
            await engine.start(order(tmp_path, 6, cpu=64.0))
        assert full.value.passing
        assert full.value.problem.detail == "missing: cpu 62"
        assert engine.epoch("sales") > time.time() * 1000 - 60_000
    finally:
        await engine.close(leave=False)
        children.close()
        guardian.close()


def test_a_full_cluster_lets_a_location_wait_and_says_what_is_missing(place: Place) -> None:
    place.write("a", native("orders"))
    place.config("a", more="resources = { cpu = 64 }")
    daemon = place.start()
    entry = daemon.until("a", lambda its: its["state"] == "backoff")
    problem = entry["problem"]
    assert problem["summary"] == ("waiting for the engine: no node has 64 cpu free, 2 at most")
    assert problem["detail"].startswith("missing: cpu 62")
    place.config("a", more="resources = { cpu = 1 }")
    with daemon.client() as client:
        client.call("apply")
    place.until_listed("orders")


def test_a_drained_node_is_left_new_beside_old(place: Place) -> None:
    place.write("a", native("orders"))
    place.config("a")
    daemon = place.start()
    before = place.until_listed("orders")
    told = place.codelocd("drain", before["node"])
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"{before['node']} takes no more runners; moving a\n"
    entry = daemon.until("a", lambda its: serving(its) and its["node"] != before["node"])
    assert entry["generation"] == 2
    nodes = json.loads(place.codelocd("engine", "status", "--json").stdout)["nodes"]
    assert {each["name"]: each["state"] for each in nodes}[before["node"]] == "draining"
    shown = place.codelocd("status").stdout
    assert "NODE" in shown
    assert entry["node"] in shown
    assert "Node: " in place.codelocd("show", "a").stdout


def test_a_bridge_that_dies_is_started_again_and_finds_its_runners(place: Place) -> None:
    place.write("a", native("orders"))
    place.config("a")
    daemon = place.start()
    before = place.until_listed("orders")
    pid = daemon.status()["daemon"]["engine"]["pid"]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    with daemon.client() as client:
        for event in client.subscribe(["status"]):
            data: Any = event["data"]
            news = data.get("event")
            if news is not None and news["event"] == "engine-up":
                break
    place.write("a", native("customers"))
    entry = place.until_listed("customers")
    assert (before["generation"], entry["generation"], entry["restarts"]) == (1, 2, 0)


def test_check_says_what_the_cluster_offers_and_what_is_wrong(place: Place) -> None:
    place.config("a")
    path = str(place.project / "codelocd.toml")
    done = commands.run(["engine", "check", path, "--json"], cwd=place.project)
    found = json.loads(done.stdout)
    assert (done.returncode, found["engine"], found["problems"]) == (0, "loopback", [])
    assert [each["name"] for each in found["nodes"]] == ["one", "two"]
    wrong = replace(place.engine, table=place.engine.table + f'token = "{"wrong" * 8}"\n')
    place.engine = wrong
    place.config("a")
    refused = commands.run(["engine", "check", path], cwd=place.project)
    assert refused.returncode == 2
    assert "the cluster refuses the token; correct token" in refused.stderr
    assert "wrongwrong" not in refused.stderr + refused.stdout


def test_without_an_engine_nothing_of_one_is_imported(tmp_path: Path) -> None:
    source = """
import sys, codelocd.daemon.service, codelocd.cli.commands.run, codelocd.cli.commands.look
found = [name for name in sys.modules if name.split(".")[:2] == ["codelocd", "engine"]]
found += [name for name in sys.modules if name.split(".")[0] in ("ray", "codeloc_ray")]
print(found)
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "[]\n"
