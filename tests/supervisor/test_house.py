"""A daemon's rooms together, in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem
from codelocd.house import House
from codelocd.locations import Location
from codelocd.model import Config, LocationSpec, Phase, Policy, Target
from codelocd.paths import DaemonPaths

CACHE = Path(__file__).parents[2] / ".cache" / "tests" / "codelocd"
GOOD = "from codeloc import Definitions\ndefs = Definitions()\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    paths = DaemonPaths("test", tmp_path / "control.sock", tmp_path, CACHE, tmp_path)
    house = House(Config(()), paths, lambda _: {}, lambda _: None)
    yield house
    await house.close()


async def settled(house: House, folder: Path, code: str = GOOD) -> Location:
    """A location with this code, after its first attempt."""
    file = folder / "defs.py"
    file.write_text(code)
    policy = Policy(restart="never")
    spec = LocationSpec("x", Target("python_file", str(file)), folder, "test", policy=policy)
    house.apply(Config((spec,)))
    location = house.daemon.locations["x"]
    await asyncio.wait_for(house.daemon.settled(location), 60)
    return location


async def test_a_location_is_served_by_rooms_put_together(house: House, tmp_path: Path) -> None:
    location = await settled(house, tmp_path)
    assert location.state.phase is Phase.SERVING


async def test_a_bug_of_ours_fails_the_attempt_that_met_it_and_says_so(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_specification: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(house.store, "find", broken)
    location = await settled(house, tmp_path)
    assert location.state.phase is Phase.FAILED
    assert location.state.problem is not None
    assert location.state.problem.summary == "internal error: RuntimeError: a bug"
    assert "in broken" in location.state.problem.detail


async def test_an_environment_that_was_removed_before_its_use_is_a_failed_start(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(_environment: object) -> None:
        raise EnvironmentProblem("the environment was removed from the store")

    monkeypatch.setattr(house.store, "lease", removed)
    location = await settled(house, tmp_path)
    assert location.state.phase is Phase.FAILED
    assert "removed from the store" in str(location.state.problem)


async def test_a_working_directory_that_is_missing_is_named(house: House, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    spec = LocationSpec("y", Target("module", "m"), missing, "test")
    house.apply(Config((spec,)))
    location = house.daemon.locations["y"]
    await asyncio.wait_for(house.daemon.settled(location), 60)
    assert location.state.problem is not None
    assert str(missing) in location.state.problem.summary


async def test_another_config_is_applied_by_its_difference(house: House, tmp_path: Path) -> None:
    location = await settled(house, tmp_path)
    renamed = LocationSpec("z", location.spec.target, location.spec.working_directory, "test")
    assert house.apply(Config((renamed,)), dry_run=True).as_json() == {
        "added": ["z"],
        "removed": ["x"],
        "reloaded": [],
        "adjusted": [],
    }
    assert set(house.daemon.locations) == {"x"}
    house.apply(Config((renamed,)))
    await asyncio.wait_for(house.daemon.settled(location), 60)
    await asyncio.wait_for(house.daemon.settled(house.daemon.locations["z"]), 60)
    assert set(house.daemon.locations) == {"z"}
    assert house.daemon.registry.definitions() == []
