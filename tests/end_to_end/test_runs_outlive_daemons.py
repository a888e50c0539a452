"""The daemon dies or is upgraded; its runs go on under the next one."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from codelocd.client import DaemonUnreachable, RpcError
from tests import commands
from tests.end_to_end.daemons import DEADLINE, Dev, Service, serving, wait_for
from tests.end_to_end.test_adoption import Place

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has a holder, which runs outlive a daemon by"
)
CODE = """
import itertools, os, sys, time
from codeloc import Definitions, asset, job
@asset
def before(): return 1
@asset
def counts(context, before):
    context.add_metadata(pid=os.getpid())
    for number in itertools.count():
        print("line", number, flush=True)
        if os.path.exists("go"):
            break
        time.sleep(0.005)
    sys.stdout.write("the last")  # without an end
defs = Definitions(assets=[before, counts])
"""


@pytest.fixture
def place(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_TEST_HOME", str(tmp_path))
    place = Place(project, tmp_path)
    place.config("one")
    place.write("one", CODE)
    yield place
    place.end()


class Counting:
    """A run that prints numbered lines until the file `go` is there."""

    def __init__(self, project: Path, daemon: Service | Dev, **more: Any) -> None:
        self.project = project
        self.daemon = daemon
        daemon.until_serving("one")
        with daemon.client() as client:
            params = {"location": "one", "select": ["counts"], "upstream": True, **more}
            self.id = client.call("run", params)["id"]
        wait_for(lambda: len(self.lines()) > 20)
        self.pid = self.shown()["attempts"][-1]["pid"]

    def shown(self) -> dict[str, Any]:
        with self.daemon.client() as client:
            shown: dict[str, Any] = client.call("run_show", {"id": self.id})["run"]
            return shown

    def lines(self) -> list[str]:
        with self.daemon.client() as client:
            found = client.call("run_logs", {"id": self.id, "lines": 100_000})
        return [line["text"] for line in found["lines"] if line["stream"] == "stdout"]

    def go(self) -> None:
        (self.project / "go").touch()

    def gone(self) -> None:
        wait_for(lambda: not psutil.pid_exists(self.pid) or is_zombie(self.pid))

    def ended(self) -> dict[str, Any]:
        wait_for(lambda: self.shown()["ended"] is not None)
        return self.shown()

    def has_all_lines(self) -> None:
        *lines, last = self.lines()
        assert lines == [f"line {number}" for number in range(len(lines))], "none lost or doubled"
        assert last == "the last"


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_run_goes_on_where_the_daemon_is_killed(place: Place) -> None:
    counting = Counting(place.project, place.start())
    for _ in range(2):
        before = len(counting.lines())
        place.kill()
        counting.daemon = place.start()
        shown = counting.shown()
        assert (shown["state"], shown["attempts"][-1]["pid"]) == ("running", counting.pid)
        wait_for(partial(has_more, counting, before))
    counting.go()
    run = counting.ended()
    assert run["state"] == "succeeded", run
    assert [step["name"] for step in run["steps"]] == ["before", "counts"]
    assert {step["state"] for step in run["steps"]} == {"succeeded"}
    assert len(run["attempts"]) == 1
    counting.has_all_lines()


def has_more(counting: Counting, before: int) -> bool:
    return len(counting.lines()) > before + 20


def test_a_run_that_ends_while_there_is_no_daemon_has_its_result(place: Place) -> None:
    counting = Counting(place.project, place.start())
    place.kill()
    counting.go()
    counting.gone()
    counting.daemon = place.start()
    run = counting.ended()
    assert (run["state"], len(run["steps"])) == ("succeeded", 2)
    counting.has_all_lines()


def test_a_run_of_a_location_that_is_gone_meanwhile_is_adopted(place: Place) -> None:
    counting = Counting(place.project, place.start())
    place.kill()
    place.config("two")
    place.write("two", CODE)
    counting.daemon = place.start()
    counting.daemon.until("two", serving)
    assert counting.shown()["state"] == "running"
    with counting.daemon.client() as client:
        client.call("run_cancel", {"id": counting.id})
    assert counting.ended()["state"] == "cancelled"
    counting.gone()


def test_a_run_goes_on_across_an_upgrade(place: Place) -> None:
    counting = Counting(place.project, place.start())
    before = len(counting.lines())
    done = commands.run(["upgrade"], environ=counting.daemon.environ)
    assert done.returncode == 0, done.stderr
    wait_for(partial(has_more, counting, before))
    assert counting.shown()["attempts"][-1]["pid"] == counting.pid
    counting.go()
    run = counting.ended()
    assert (run["state"], run["attempts"][0]["exit"]) == ("succeeded", 0)
    counting.has_all_lines()


DIES = """
import os, signal, sys, time
from codelocd.daemon.runs.event_pipe import GoAhead
from codelocd.process.child import Children

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def hold(self, pid, record):
    if record.get("kind") == "run":
        end = time.monotonic() + 1.0  # it has all the time to claim what it must not yet
        while time.monotonic() < end and not os.path.exists({begun!r}):
            time.sleep(0.01)
        die()
    held(self, pid, record)

def say(self):
    said(self)
    die()

held, said = Children.hold, GoAhead.say
{dies}
from codelocd.cli import main
sys.argv[0] = "codelocd"
main()
"""
"""A daemon that is killed as it makes the process of a run."""


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["Children.hold = hold", "GoAhead.say = say"])
def test_a_run_is_not_lost_where_the_daemon_dies_as_it_makes_its_process(
    place: Place, tmp_path: Path, dies: str
) -> None:
    """Before that is in the hands of the holder, and just after."""
    place.write("one", CODE)
    begun = tmp_path / "state" / "runs" / "1" / "begun.1"
    daemon = place.start(DIES.format(begun=str(begun), dies=dies))
    daemon.until_serving("one")
    params = {"location": "one", "select": ["counts"], "upstream": True, "key": "once"}
    with contextlib.suppress(RpcError, DaemonUnreachable), daemon.client() as client:
        client.call("run", params)  # it may die before it answers
    daemon.process.communicate(timeout=DEADLINE)
    daemon.manager.close()
    again = place.start()
    counting = Counting(place.project, again, key="once")
    assert counting.id == 1
    assert counting.shown()["state"] == "running"
    with again.client() as client:
        client.call("run_cancel", {"id": 1})
    run = counting.ended()
    assert (run["state"], len(run["attempts"])) == ("cancelled", 1), run
    assert run["attempts"][0]["pid"] == counting.pid
    assert run["attempts"][0]["start_method"] is not None


def test_a_run_under_dev_ends_with_the_daemon(project: Path, tmp_path: Path) -> None:
    (project / "one.py").write_text(CODE)
    (project / "codelocd.toml").write_text('[location.one]\npython_file = "one.py"\n')
    dev = Dev(project, tmp_path / "home", ())
    try:
        counting = Counting(project, dev)
        dev.process.kill()
        dev.process.wait(DEADLINE)
        counting.gone()
    finally:
        dev.stop()
    again = Dev(project, tmp_path / "home", ())
    try:
        counting.daemon = again
        assert counting.ended()["state"] == "lost"
    finally:
        again.stop()


EFFECTS = """
import random, time
from codeloc import Definitions, job
@job
def work(context):
    for name in ("begun", "ended"):
        with open(name, "a") as file:
            file.write(f"{context.run}\\n")
        for number in range(3):
            print(name, number, flush=True)
            time.sleep(random.random() / 30)
defs = Definitions(jobs=[work])
"""
PRINTED = [f"{name} {number}" for name in ("begun", "ended") for number in range(3)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rounds", [15])
def test_no_run_happens_twice_however_the_daemon_is_killed(place: Place, rounds: int) -> None:
    place.write("one", EFFECTS)
    place.start().until_serving("one")
    wished: dict[str, int] = {}
    for number in range(rounds):
        keys = [f"{number} {each}" for each in range(6)]
        with ThreadPoolExecutor(len(keys)) as asking:
            answers = [asking.submit(asked_until_answered, place, key) for key in keys]
            time.sleep(random.random() * 0.4)  # a moment like any other
            place.kill()
            place.start()
            wished.update(zip(keys, (each.result() for each in answers), strict=True))
    with place.started[-1].client() as client:
        ask = partial(client.call, "runs", {"limit": 1000})
        wait_for(lambda: all(run["ended"] is not None for run in ask()["runs"]))
        runs = {run["id"]: run for run in ask()["runs"]}
        assert set(wished.values()) == set(runs)
        assert len(wished) == len(runs)
        begun, ended = ((place.project / name).read_text().split() for name in ("begun", "ended"))
        assert len(set(begun)) == len(begun), "none twice"
        for number, run in runs.items():
            succeeded = run["state"] == "succeeded"
            assert succeeded or run["state"] == "lost", run
            assert succeeded == (str(number) in ended), "no success is lost, and none invented"
            lines = client.call("run_logs", {"id": number})["lines"]
            assert not succeeded or [line["text"] for line in lines] == PRINTED


def asked_until_answered(place: Place, key: str) -> int:
    """The number of the run with that key, asked for until a daemon says that it has it."""
    params = {"location": "one", "names": ["work"], "key": key}
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            with place.started[-1].client() as client:
                number: int = client.call("run", params)["id"]
                return number
        except (RpcError, DaemonUnreachable):
            time.sleep(0.02)
    raise AssertionError(f"no daemon has taken {key}")


@pytest.mark.slow
def test_a_run_whose_book_cannot_be_opened_goes_on_and_is_adopted_once_it_can_be(
    place: Place,
) -> None:
    counting = Counting(place.project, place.start())
    (book,) = (place.home / "state").rglob("book.sqlite")
    with counting.daemon.client() as client:
        (kept,) = client.call("runs", {})["runs"]
    place.kill()
    known = of_format(book, 99)
    counting.daemon = place.start()
    counting.daemon.until_serving("one")
    assert "is of format 99" in str(counting.daemon.status())
    assert psutil.pid_exists(counting.pid)
    of_format(book, known)
    wait_for(lambda: is_adopted(counting))
    counting.go()
    run = counting.ended()
    assert (run["uuid"], run["state"], len(run["attempts"])) == (kept["uuid"], "succeeded", 1)
    counting.has_all_lines()


def of_format(book: Path, version: int) -> int:
    """Write another format into the book; the one before."""
    with closing(sqlite3.connect(book)) as connection:
        (former,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version}")
    return int(former)


def is_adopted(counting: Counting) -> bool:
    """A client that asks for it has the book tried again."""
    try:
        return bool(counting.shown()["state"] == "running")
    except RpcError:
        return False
