"""A machine of a Ray cluster fails under a real daemon with the fence that it has by default.

Watched from outside, every 50 ms: never two runners of the location. The figures are printed, and
stand in docs/engines.md.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import serving
from tests.engine.conftest import secured
from tests.engine.lab import Lab, Machine, missing, running
from tests.engine.test_daemon_on_ray import EngineService, engine_table
from tests.engine.test_ray_failures import LOCKED, SALES, Watcher

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

LOCATION = """
[location.{name}]
python_file = "{folder}/definitions.py"
working_directory = "{folder}"
environment = {{ python = "3.11" }}
engine = "ray"
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two nodes, with a token and TLS, and Redis behind the head."""
    why = missing() or (None if shutil.which("redis-server") else "redis-server is not installed")
    if why is not None:
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="codelocd-lab-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with running(folder, 2, secured(folder), redis=True) as lab:
            yield lab


class Watched:
    """A daemon with one location, which takes a lock for as long as its process lives."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        code = folder / "code"
        code.mkdir()
        lock, violated = str(folder / "held"), str(folder / "violated")
        (code / "definitions.py").write_text(LOCKED.format(lock=lock, violated=violated))
        config = folder / "codelocd.toml"
        table = engine_table(lab, folder).replace('fence = "10s"\n', "")
        config.write_text(table + LOCATION.format(name=SALES, folder=code))
        config.chmod(0o600)
        self.service = EngineService(folder, folder, lab)
        self.service.until_ready()
        self.service.until(SALES, serving)

    @property
    def entry(self) -> dict[str, Any]:
        return self.service.entry(SALES)

    @property
    def machine(self) -> Machine:
        return next(each for each in self.lab.nodes if each.address == self.entry["node"])


@pytest.fixture
def watched(lab: Lab, tmp_path: Path) -> Iterator[Watched]:
    found = Watched(lab, tmp_path)
    yield found
    found.service.stop()


@pytest.mark.parametrize("way", ["kill_raylet", "cut"])
def test_a_lost_node_has_its_location_elsewhere_after_the_fence_and_never_two(
    watched: Watched, tmp_path: Path, way: str
) -> None:
    lab, before, machine = watched.lab, watched.entry, watched.machine
    with Watcher(SALES, tmp_path) as watcher:
        began = time.monotonic()
        getattr(lab, way)(machine)
        watched.service.until(SALES, lambda its: serving(its) and its["node"] != before["node"])
        up = time.monotonic() - began
    gone = next(at - began for at, count in watcher.seen if count == 0 and at > began)
    print(f"\n{way}: gone after {gone:.1f} s, serves elsewhere after {up:.1f} s, {watcher.most}")
    assert watcher.most == 1, [(round(at - began, 1), count) for at, count in watcher.seen]
    assert not (tmp_path / "violated").exists()
    assert gone < up
    assert up > 30.0
    if way == "cut":
        lab.mend(machine)
    else:
        lab.kill(machine)
        lab.start_node(machine)


def test_a_head_with_redis_behind_it_comes_back_to_the_same_runners(
    watched: Watched, tmp_path: Path
) -> None:
    lab, before = watched.lab, watched.entry
    with Watcher(SALES, tmp_path) as watcher, watched.service.client() as client:
        began = time.monotonic()
        lab.kill(lab.head)
        lab.start_head()
        started = time.monotonic() - began
        said = client.call("call", {"location": SALES, "method": "describe"})
        answered = time.monotonic() - began
        watched.service.until(SALES, serving)
    print(f"\nhead: started after {started:.1f} s, its runner answered at {answered:.1f} s")
    assert said["result"]["definitions"]["asset"] == 1
    entry = watched.entry
    assert (entry["pid"], entry["restarts"]) == (before["pid"], 0)
    assert (watcher.most, {count for _, count in watcher.seen}) == (1, {1})
