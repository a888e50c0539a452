"""What every engine has to do, as stories that a real daemon plays with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codelocd.runners.api import Launcher, LoadedOutcome
from codelocd.runners.engine import EngineRefuses
from codelocd.runners.epochs import StaleStart
from tests.conformance.engines import EngineSetting, Place, caller, pid_of, start_order
from tests.end_to_end.daemons import DEADLINE, failed, native, serving, stale, wait_for
from tests.pythons import EXTREMES, interpreter

CRASHING = """
import os, pathlib, threading, time

def crash():
    mark = pathlib.Path(os.environ["FOLDER"], "crash")
    while not mark.exists():
        time.sleep(0.01)
    mark.unlink()
    os._exit(7)

threading.Thread(target=crash, daemon=True).start()
"""

HANGING = """
import os, pathlib, sys, threading, time

def hang():
    mark = pathlib.Path(os.environ["FOLDER"], "hang")
    while not mark.exists():
        time.sleep(0.01)
    seconds = float(mark.read_text())
    mark.unlink()
    sys.setswitchinterval(1000)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    sys.setswitchinterval(0.005)

threading.Thread(target=hang, daemon=True).start()
"""

TALKING = """
import os, pathlib, sys, threading, time

def talk():
    mark = pathlib.Path(os.environ["FOLDER"], "talk")
    while not mark.exists():
        time.sleep(0.01)
    mark.unlink()
    for number in range(500):
        print(f"line {number} " + "x" * 1000)
    sys.stdout.write("the last words")
    sys.stdout.flush()
    os._exit(3)

threading.Thread(target=talk, daemon=True).start()
"""


IMPATIENT = """
ping_interval = "1s"
ping_timeout = "2s"
"""
"""For a runner that is to be found hanging. The others are asked once a minute: one of a busy
machine would be replaced otherwise, and counted."""


class EngineStories:
    """Subclass it, with a fixture `engine`. Each story has a daemon and a project of its own."""

    @pytest.fixture
    def place(self, engine: EngineSetting, tmp_path: Path) -> Iterator[Place]:
        project, home = tmp_path / "project", tmp_path / "home"
        project.mkdir()
        home.mkdir()
        found = Place(project, home, engine)
        yield found
        found.end()

    def test_a_location_serves_its_definitions(self, place):
        place.write("a", native("orders"))
        place.config("a")
        place.start()
        entry = place.until_listed("orders")
        assert entry["generation"] == 1
        assert (entry["node"] is None) == (not place.engine.table)

    def test_an_error_of_the_code_is_told_with_its_place(self, place):
        place.write("a", "def nothing(): ...\n\n1 / 0\n")
        place.config("a")
        entry = place.start().until("a", failed)
        assert entry["problem"]["kind"] == "load"
        assert "ZeroDivisionError" in entry["problem"]["summary"]
        assert str(place.project / "a.py") in entry["problem"]["detail"]

    def test_a_broken_save_leaves_the_last_good_definitions(self, place):
        place.write("a", native("orders"))
        place.config("a")
        daemon = place.start()
        before = place.until_listed("orders")
        place.write("a", "import missing_thing\n")
        entry = daemon.until("a", stale)
        assert (entry["pid"], place.assets()) == (before["pid"], ["orders"])
        place.write("a", native("orders", "customers"))
        after = place.until_listed("orders", "customers")
        assert after["generation"] == 2

    def test_no_call_fails_while_another_runner_takes_over(self, place):
        place.write("a", native("asset_0"))
        place.config("a")
        daemon = place.start()
        place.until_listed("asset_0")
        with caller(daemon.client) as failures:
            for number in range(1, 6):
                place.write("a", native(f"asset_{number}"))
                place.until_listed(f"asset_{number}")
        assert failures == []

    def test_a_runner_that_crashes_is_started_again(self, place):
        place.write("a", native("orders", before=CRASHING))
        place.config("a")
        daemon = place.start()
        before = place.until_listed("orders")
        (place.home / "crash").touch()
        entry = daemon.until("a", lambda its: serving(its) and its["restarts"] == 1)
        assert (entry["generation"], entry["last_exit"]["status"]) == (2, 7)
        assert entry["pid"] != before["pid"] or entry["node"] != before["node"]

    def test_a_runner_that_hangs_is_replaced(self, place):
        place.write("a", native("orders", before=HANGING))
        place.config("a", more=IMPATIENT)
        daemon = place.start()
        before = place.until_listed("orders")
        (place.home / "hang").write_text("1000")
        # On a busy machine it may look hung before, or the next one may: there is no "exactly one".
        newer = before["generation"] + 1
        entry = daemon.until("a", lambda its: serving(its) and its["generation"] >= newer)
        assert entry["last_failure"]["kind"] == "unresponsive"

    def test_what_it_prints_is_logged_to_the_last_byte(self, place):
        place.write("a", native("orders", before=TALKING))
        place.config("a")
        daemon = place.start()
        place.until_listed("orders")
        (place.home / "talk").touch()
        daemon.until("a", lambda its: serving(its) and its["restarts"] == 1)
        wait_for(lambda: any("the last words" in line for line in place.lines("a")))
        lines = place.lines("a")
        numbers = [int(line.split()[1]) for line in lines if line.startswith("line ")]
        assert numbers == list(range(500))

    def test_a_call_under_way_is_answered_by_the_runner_that_leaves(self, place):
        place.write("a", native("orders", before=HANGING))
        place.config("a")
        daemon = place.start()
        place.until_listed("orders")
        mark = place.home / "hang"
        mark.write_text("2")
        wait_for(lambda: not mark.exists())
        with ThreadPoolExecutor() as pool, daemon.client() as client:
            asked = {"location": "a", "method": "describe"}
            answer = pool.submit(client.call, "call", asked)
            place.write("a", native("customers"))
            place.until_listed("customers")
            assert answer.result()["result"]["definitions"]["asset"] == 1

    def test_a_daemon_goes_on_with_what_a_killed_one_has_left(self, place):
        place.write("a", native("orders", before=CRASHING))
        place.config("a")
        place.start()
        before = place.until_listed("orders")
        place.kill()
        daemon = place.start()
        entry = place.until_listed("orders")
        assert pid_of(entry) == pid_of(before)
        assert (entry["generation"], entry["node"]) == (1, before["node"])
        (place.home / "crash").touch()
        daemon.until("a", lambda its: serving(its) and its["restarts"] == 1)

    def test_an_environment_of_another_python_is_made_where_it_runs(self, place):
        interpreter(EXTREMES[0])
        place.write("a", native("orders"))
        place.config("a", more=f'environment = {{ python = "{EXTREMES[0]}" }}')
        place.start()
        entry = place.until_listed("orders")
        assert entry["environment"]["python"].startswith(f"{EXTREMES[0]}.")

    def test_a_command_runs_as_the_location_does(self, place):
        place.write("a", native("orders"))
        place.config("a")
        place.start()
        place.until_listed("orders")
        shows = "import a, os, sys; print(a.__name__, os.environ['FOLDER'], sys.stdin.read())"
        more = "; print('why', file=sys.stderr); sys.exit(7)"
        done = place.codelocd("exec", "a", "--", "python", "-c", shows + more, given="words")
        assert (done.returncode, done.stderr) == (7, "why\n")
        assert done.stdout == f"a {place.home} words\n"

    def test_a_stopped_location_leaves_nothing(self, place):
        place.write("a", native("orders"))
        place.config("a")
        daemon = place.start()
        place.until_listed("orders")
        with daemon.client() as client:
            client.call("stop", {"locations": ["a"]})
            assert client.call("status")["locations"][0]["state"] == "stopped"
            client.call("start", {"locations": ["a"]})
        assert place.until_listed("orders")["state"] == "serving"


class LauncherStories:
    """What starts runners, with no daemon around it: subclass it, with a fixture `launcher`."""

    async def test_a_start_is_made_once_and_an_older_one_is_refused(
        self, launcher: Launcher, tmp_path: Path
    ) -> None:
        epoch = time.time_ns() // 1_000_000
        first = await launcher.start(start_order(tmp_path, epoch))
        assert isinstance(await first.load(), LoadedOutcome)
        again = await launcher.start(start_order(tmp_path, epoch))
        assert (again.pid, again.node) == (first.pid, first.node)
        with pytest.raises((StaleStart, EngineRefuses), match="older than"):
            await launcher.start(start_order(tmp_path, epoch - 1))
        newer = await launcher.start(start_order(tmp_path, epoch + 1))
        assert isinstance(await newer.load(), LoadedOutcome)
        assert (newer.pid, newer.node) != (first.pid, first.node)
        async with asyncio.timeout(DEADLINE):
            for each in (first, newer):
                each.kill()
                await each.exited
