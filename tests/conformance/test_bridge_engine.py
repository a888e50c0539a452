"""What a bridge and the daemon's part of it owe each other, and what users see of an engine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.runners.api import Launcher
from codelocd.runners.bundle import make_bundle
from codelocd.runners.engine import EngineRefuses
from codelocd.runners.warm.launcher import make_launcher
from tests import commands
from tests.conformance.engines import Loopback, Place, children_of_test, engine_of, start_order
from tests.conformance.stories import LauncherStories
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


async def test_what_has_no_room_is_told_with_what_is_missing(
    loopback: Loopback, tmp_path: Path
) -> None:
    async with engine_of(loopback.settings(), tmp_path) as engine:
        with pytest.raises(EngineRefuses) as full:
            await engine.start(start_order(tmp_path, engine.epoch("sales"), cpu=64.0))
        assert full.value.passing
        assert full.value.problem.detail == "missing: cpu 62"


class TestStartsOnNodes(LauncherStories):
    """The engine behind a bridge."""

    @pytest.fixture
    async def launcher(self, loopback: Loopback, tmp_path: Path) -> AsyncIterator[Launcher]:
        async with engine_of(loopback.settings(), tmp_path) as engine:
            yield engine


class TestStartsHere(LauncherStories):
    """The daemon's own machine."""

    @pytest.fixture
    async def launcher(self, tmp_path: Path) -> AsyncIterator[Launcher]:
        with (
            tempfile.TemporaryDirectory(prefix="local-") as sockets,
            children_of_test() as children,
        ):
            bundle, profiles = make_bundle(tmp_path / "bundles"), tmp_path / "profiles"
            found = make_launcher(
                children, bundle, sockets=Path(sockets), profiles=profiles, idle=60.0
            )
            yield found
            found.close()


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


def test_a_bridge_that_dies_is_started_again_and_finds_what_was_there(place: Place) -> None:
    place.write("a", native("orders"))
    place.config("a")
    daemon = place.start()
    before = place.until_listed("orders")
    (other,) = {"one", "two"} - {before["node"]}
    with daemon.client() as client:
        client.call("drain", {"node": other})
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
    assert entry["node"] == before["node"], "a drained node is left alone by the next bridge, too"


def test_check_says_what_the_cluster_offers_and_what_is_wrong(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "codelocd.toml").write_text("[what")
    place.config("a")
    path = str(place.project / "codelocd.toml")
    done = commands.run(["engine", "check", path, "--json"], cwd=elsewhere)
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
