"""Runs of a daemon, asked for on its control socket."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codelocd.client import Client, DaemonUnreachable, RpcError
from codelocd.render.text import duration
from tests.end_to_end.daemons import CODELOCD, Dev, stale, wait_for

CONFIG = """
[runs]
max_concurrent = 4
tags = { db = 1 }

[location.sales]
python_file = "sales.py"
stop_timeout = "2s"

[location.broken]
python_file = "broken.py"

[location.quiet]
python_file = "quiet.py"
"""

SALES = """
import os, pathlib, time
from codeloc import Definitions, asset, job

PLACE = pathlib.Path(__file__).parent

def wait(name):
    (PLACE / f"begun-{name}").write_text(str(os.getpid()))
    while not (PLACE / f"go-{name}").exists():
        time.sleep(0.01)

@asset
def raw():
    return 20

@asset
def orders(raw):
    print("orders from", raw, flush=True)
    return raw + 1

@job
def nightly(day: str = "today"):
    print("day", day, flush=True)

@job
def waits(name: str = ""):
    try:
        wait(name)
    finally:
        (PLACE / f"left-{name}").touch()

@job
def short(seconds: float = 0.05):
    time.sleep(seconds)

@job(retries=1, retry_delay=0.01)
def second():
    if not (PLACE / "tried").exists():
        (PLACE / "tried").touch()
        raise ValueError("the first time")

defs = Definitions(assets=[raw, orders], jobs=[nightly, waits, short, second])
"""

Document = dict[str, Any]


CLOCK = Path(__file__).parents[1] / "faults" / "clock"
HOUR = 3600.0


class Project:
    """A daemon with runs, and its files. The test sets the daemon's clock."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        (folder / "codelocd.toml").write_text(CONFIG)
        (folder / "sales.py").write_text(SALES)
        (folder / "broken.py").write_text("raise ValueError('no')\n")
        (folder / "quiet.py").write_text(SALES)
        home.mkdir()
        self._clock = home / "clock"
        self._clock.write_bytes(bytes(8))
        fake = f"PYTHONPATH={CLOCK}", f"CODELOCD_FAKE_CLOCK={self._clock}"
        self.dev = Dev(folder, home, (), ("env", *fake))
        self.dev.until_serving("sales", "quiet")
        self.client: Client = self.dev.client()

    def set_clock(self, ahead: float) -> None:
        with self._clock.open("r+b") as clock:  # never empty: the daemon has it in its memory
            clock.write(struct.pack("d", ahead))

    def run(self, *names: str, **params: Any) -> Document:
        asked = {"location": "sales", "names": list(names), "wait": True, **params}
        run: Document = self.client.call("run", asked)["run"]
        return run

    def begin(self, *names: str, **params: Any) -> int:
        number: int = self.client.call("run", {"location": "sales", "names": [*names], **params})[
            "id"
        ]
        return number

    def show(self, number: int) -> Document:
        run: Document = self.client.call("run_show", {"id": number})["run"]
        return run

    def begun(self, name: str) -> int:
        """The process of the job `waits` of that name, once its code runs."""
        file = self.folder / f"begun-{name}"
        return int(wait_for(lambda: file.exists() and file.read_text()))

    def go(self, name: str) -> None:
        (self.folder / f"go-{name}").touch()

    def ended(self, number: int) -> Document:
        def final() -> Document | None:
            run = self.show(number)
            return run if run["ended"] is not None else None

        found = wait_for(final)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "project").mkdir()
    made = Project(folder / "project", folder / "home")
    try:
        yield made
    finally:
        made.client.close()
        made.dev.stop()


def refused(project: Project, method: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(RpcError) as error:
        project.client.call(method, params)
    assert "\n" not in error.value.message
    return error.value.kind, error.value.message


def test_nothing_of_runs_is_there_before_the_first(tmp_path: Path) -> None:
    (tmp_path / "codelocd.toml").write_text('[location.sales]\npython_file = "sales.py"\n')
    (tmp_path / "sales.py").write_text(SALES)
    own_start = ("env",)  # no fork of what has imported all: what it has imported counts
    dev = Dev(tmp_path, tmp_path / "home", (), own_start)
    try:
        dev.until_serving("sales")
        with dev.client() as client:
            assert client.call("runs") == {"runs": [], "more": False}
            shown = client.call("show", {"location": "sales", "name": "orders"})
            assert shown["last_made"] is None
            with pytest.raises(RpcError, match="there is no run 1; `codelocd runs` lists"):
                client.call("run_show", {"id": 1})
        assert dev.entry("sales")["runs"] == {"running": 0, "queued": 0}
        (lock,) = (tmp_path / "home").rglob("daemons/*/lock")
        assert not (lock.parent / "runs").exists()
        assert "_sqlite3" not in Path(f"/proc/{dev.process.pid}/maps").read_text()
    finally:
        dev.stop()


def test_a_run_is_told_with_its_code_its_steps_and_its_output(project: Project) -> None:
    run = project.run("orders", upstream=True, by={"name": "a test"}, tags={"size": "small"})
    assert (run["state"], run["select"], run["tags"]) == (
        "succeeded",
        ["orders"],
        {"size": "small"},
    )
    assert [(each["name"], each["state"]) for each in run["steps"]] == [
        ("raw", "succeeded"),
        ("orders", "succeeded"),
    ]
    assert run["by"]["kind"] == "client"
    assert run["by"]["name"] == "a test"
    assert run["attempts"][0]["exit"] == 0
    shown = project.client.call("run_show", {"id": run["id"], "code": True})
    assert shown["run"] == run
    assert shown["code"] == {str(project.folder / "sales.py"): SALES}
    logs = project.client.call("run_logs", {"id": run["id"]})
    (line,) = logs["lines"]
    assert (line["text"], line["run"], line["attempt"]) == ("orders from 20", run["id"], 1)
    assert logs["last"] == 1


def test_parameters_are_those_of_the_job_and_the_newest_runs_come_first(project: Project) -> None:
    run = project.run("sales/nightly", params={"day": "2026-11-27"})
    (line,) = project.client.call("run_logs", {"id": run["id"], "after": 0})["lines"]
    assert line["text"] == "day 2026-11-27"
    found = project.client.call("runs", {"limit": 1, "states": ["succeeded"]})
    assert found["runs"] == [run]
    wrong = project.run("nightly", params={"dy": "x"})
    assert (wrong["state"], wrong["why"]) == ("failed", "usage")


def test_the_same_key_is_the_same_run(project: Project) -> None:
    first = project.client.call("run", {"location": "sales", "names": ["nightly"], "key": "k"})
    again = project.client.call("run", {"location": "sales", "names": ["nightly"], "key": "k"})
    assert (first["new"], again["new"]) == (True, False)
    assert first["id"] == again["id"]


def test_what_cannot_be_run_is_refused_in_one_line(project: Project) -> None:
    assert refused(project, "run", location="sales") == (
        "usage",
        "name a job, or assets, of sales; there are: nightly, second, short, waits",
    )
    assert refused(project, "run", location="sale", names=["x"])[0] == "unknown"
    assert refused(project, "run", location="sales", names=["nightl"]) == (
        "unknown",
        "sales has no job and no asset 'nightl'; did you mean \"nightly\"?",
    )
    kind, text = refused(project, "run", location="broken", names=["x"])
    assert (kind, text) == ("down", "broken has not loaded: ValueError: no (broken.py:1)")
    wrong = {"names": ["nightly"], "location": "sales"}
    assert refused(project, "run", **wrong, tags={"a": 1})[0] == "usage"
    assert refused(project, "run", **wrong, timeout=0)[0] == "usage"
    assert refused(project, "run", **wrong, checks="some")[0] == "usage"
    assert refused(project, "run", **wrong, key="")[0] == "usage"
    assert refused(project, "run_show") == ("usage", "id is missing")
    assert refused(project, "run_cancel", id=10**6)[0] == "unknown"
    assert refused(project, "runs", states=["gone"])[0] == "usage"


def test_cancel_lets_code_clean_up_and_is_in_the_journal(project: Project) -> None:
    number = project.begin("waits", params={"name": "cancel"})
    project.begun("cancel")
    assert project.dev.entry("sales")["runs"]["running"] >= 1
    project.client.call("run_cancel", {"id": number})
    run = project.ended(number)
    assert (run["state"], run["why"]) == ("cancelled", None)
    assert (project.folder / "left-cancel").exists()

    def told() -> set[tuple[str, str]]:
        entries = project.client.call("events", {"locations": ["sales"]})["events"]
        return {(each["event"], each["detail"]) for each in entries}

    wait_for(lambda: ("run-ended", f"run {number}: waits cancelled") in told())
    assert ("run-started", f"run {number}: waits") in told()
    assert project.client.call("run_cancel", {"id": number})["run"] == run


def test_a_client_that_goes_away_leaves_its_runs(project: Project) -> None:
    for name in ("one", "other"):
        project.begin("waits", params={"name": name}, key=name, tags={"db": "x"})
        asked = {"location": "sales", "names": ["waits"], "key": name, "wait": True}
        with project.dev.client() as client, contextlib.suppress(DaemonUnreachable):
            client.call("run", asked, timeout=0.1)
    project.begun("one")
    first, second = (
        project.client.call("run", {"location": "sales", "names": ["waits"], "key": key})
        for key in ("one", "other")
    )
    assert first["run"]["state"] in ("starting", "running")
    assert second["run"]["state"] == "queued"
    project.go("one")
    project.go("other")
    assert project.ended(first["id"])["state"] == "succeeded"
    assert project.ended(second["id"])["state"] == "succeeded"


def test_what_waits_is_run_although_the_client_that_asked_for_it_has_gone(
    project: Project,
) -> None:
    first = project.begin("waits", params={"name": "full"}, tags={"db": "x"})
    project.begun("full")

    def waiting(key: str) -> int:
        def found() -> list[int]:
            queued = project.client.call("runs", {"states": ["queued"]})["runs"]
            return [run["id"] for run in queued if run["key"] == key]

        (number,) = wait_for(found)
        return number

    asked = ("run", "sales/waits", "--param", "name=killed", "--tag", "db=x", "--key", "killed")
    command = subprocess.Popen([CODELOCD, *asked], cwd=project.folder, env=project.dev.environ)
    numbers = [waiting("killed")]
    command.kill()
    command.wait()
    with project.dev.client() as client, contextlib.suppress(DaemonUnreachable):
        asks = {"names": ["waits"], "params": {"name": "cut"}, "tags": {"db": "x"}, "key": "cut"}
        client.call("run", {"location": "sales", **asks, "wait": True}, timeout=0.1)
    numbers.append(waiting("cut"))
    for name in ("full", "killed", "cut"):
        project.go(name)
    assert project.ended(first)["state"] == "succeeded"
    for number in numbers:
        run = project.ended(number)
        assert (run["state"], len(run["attempts"])) == ("succeeded", 1)


def test_a_clock_that_is_set_by_an_hour_is_in_no_duration_and_in_no_timeout(
    project: Project,
) -> None:
    begins = time.monotonic()
    number = project.begin("waits", params={"name": "timed"}, timeout=HOUR / 2)
    project.begun("timed")
    try:
        project.set_clock(HOUR)
        project.client.call("status")
        assert 0 < project.show(number)["seconds"] < HOUR / 2, "it goes on, for so long"
        project.go("timed")
        run = project.ended(number)
        most = time.monotonic() - begins
        assert run["ended"] - run["started"] > HOUR, "by the clock"
        assert (run["state"], run["why"]) == ("succeeded", None)
        assert 0 < run["seconds"] <= most
        assert 0 < run["attempts"][0]["seconds"] <= run["seconds"]
        shown = project.dev.cli("runs", "show", str(number)).stdout
        assert f", took {duration(run['seconds'])}" in shown
        late = project.begin("waits", params={"name": "late"}, timeout=1.0)
        project.begun("late")
        project.set_clock(-HOUR)
        run = project.ended(late)
        assert (run["state"], run["why"]) == ("failed", "timeout")
        assert 1.0 <= run["attempts"][0]["seconds"] <= time.monotonic() - begins
    finally:
        project.set_clock(0.0)


def test_kill_waits_for_nothing(project: Project) -> None:
    number = project.begin("waits", params={"name": "kill"})
    project.begun("kill")
    project.client.call("run_cancel", {"id": number, "kill": True})
    run = project.ended(number)
    assert (run["state"], run["attempts"][0]["signal"]) == ("cancelled", signal.SIGKILL)
    assert not (project.folder / "left-kill").exists()


def test_a_failed_attempt_is_tried_again_and_a_retry_is_a_new_run(project: Project) -> None:
    run = project.run("second")
    assert [each["state"] for each in run["attempts"]] == ["failed", "succeeded"]
    again = project.client.call("run_retry", {"id": run["id"]})
    assert (again["run"]["retry_of"], again["run"]["job"]) == (run["id"], "second")
    assert project.ended(again["id"])["state"] == "succeeded"


def test_a_client_hears_all_of_a_run_in_its_order(project: Project) -> None:
    with project.dev.client() as other:
        events = other.subscribe(["runs", "run_logs"])
        full: Any = {event["topic"]: event["data"] for event in (next(events), next(events))}
        assert full["run_logs"].keys() == {"full", "missed"}
        assert [each["id"] for each in full["runs"]["runs"]] == sorted(
            (each["id"] for each in full["runs"]["runs"]), reverse=True
        )
        number = project.run("nightly")["id"]
        heard = []
        for event in events:
            data: Any = event["data"]
            if event["topic"] == "run_logs":
                heard.append(data["text"])
            elif data["event"] == "run" and data["run"]["id"] == number:
                heard.append(data["run"]["state"])
                if data["run"]["ended"]:
                    assert data["run"]["counts"] == {"succeeded": 1}
                    break
            elif data["event"] == "told" and data["id"] == number:
                heard.append(data["told"]["event"])
    states = [each for each in heard if each in ("queued", "starting", "succeeded")]
    assert states[0] == "queued"
    assert heard[-1] == "succeeded"
    assert "day today" in heard
    assert {"begun", "step"} <= {*heard}


def test_two_of_a_tag_with_limit_1_never_go_on_at_a_time(project: Project) -> None:
    tagged = [project.begin("short", tags={"db": "main"}) for _ in range(5)]
    others = [project.begin("short") for _ in range(8)]
    ended = {number: project.ended(number) for number in (*tagged, *others)}
    assert {run["state"] for run in ended.values()} == {"succeeded"}
    spans = sorted((ended[number]["started"], ended[number]["ended"]) for number in tagged)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    last = max(ended[number]["started"] for number in others)
    assert last < spans[-1][1], "others did not wait for those of the tag"


@pytest.mark.slow
def test_50_of_a_tag_among_200_others_hold_up_none_of_them(project: Project) -> None:
    tagged: list[int] = []
    others: list[int] = []
    for number in range(250):
        tags = {"db": "main"} if number % 5 == 0 else {}
        begun = project.begin("short", params={"seconds": 0.02}, tags=tags)
        (tagged if tags else others).append(begun)
    ended = {number: project.ended(number) for number in (*tagged, *others)}
    assert {run["state"] for run in ended.values()} == {"succeeded"}
    spans = sorted((ended[number]["started"], ended[number]["ended"]) for number in tagged)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    starts = [ended[number]["started"] for number in others]
    assert starts == sorted(starts), "each in its turn"
    busiest = max(
        sum(run["started"] <= at < run["ended"] for run in ended.values()) for at in starts
    )
    assert busiest == 4, "and four at a time, as the limit has it"


def test_a_limit_is_free_as_soon_as_its_process_is_killed(project: Project) -> None:
    tags = {"db": "main"}
    first = project.begin("waits", params={"name": "held"}, tags=tags)
    pid = project.begun("held")
    second = project.begin("short", params={"seconds": 0.0}, tags=tags)
    assert project.show(second)["state"] == "queued"
    os.kill(pid, signal.SIGKILL)
    run, next_one = project.ended(first), project.ended(second)
    assert (run["state"], run["why"]) == ("failed", "signal")
    assert 0 <= next_one["started"] - run["ended"] < 0.1


def test_a_stale_location_runs_its_last_good_code_and_assets_know_their_code(
    project: Project,
) -> None:
    project.run("raw")
    shown = project.client.call("show", {"location": "sales", "name": "raw"})
    assert shown["last_made"]["code_current"] is True
    goes_on = project.begin("waits", params={"name": "stale"})
    project.begun("stale")
    file = project.folder / "sales.py"
    try:
        file.write_text(SALES + "\nraise ValueError('half a save')\n")
        project.dev.until("sales", stale)
        run = project.run("raw")
        assert run["state"] == "succeeded"
        texts = project.client.call("run_show", {"id": run["id"], "code": True})["code"]
        assert texts == {str(file): SALES}
        assert project.show(goes_on)["state"] == "running"
        project.go("stale")
        assert project.ended(goes_on)["state"] == "succeeded"
    finally:
        file.write_text(SALES.replace("return 20", "return 30"))
    project.dev.until_serving("sales")
    shown = project.client.call("show", {"location": "sales", "name": "raw"})
    assert shown["last_made"]["run"] == run["id"]
    assert shown["last_made"]["code_current"] is False
    file.write_text(SALES)
    project.dev.until_serving("sales")


def test_what_waits_for_a_location_that_is_stopped_is_cancelled_and_what_runs_goes_on(
    project: Project,
) -> None:
    goes_on = project.begin("waits", location="quiet", params={"name": "on"}, tags={"db": "x"})
    project.begun("on")
    waits = project.begin("short", location="quiet", tags={"db": "x"})
    project.client.call("stop", {"locations": ["quiet"]})
    run = project.ended(waits)
    assert (run["state"], run["summary"]) == ("cancelled", "quiet was stopped")
    assert refused(project, "run", location="quiet", names=["short"]) == (
        "down",
        "quiet is stopped: `codelocd start quiet`",
    )
    project.go("on")
    assert project.ended(goes_on)["state"] == "succeeded"
    project.client.call("start", {"locations": ["quiet"]})
    with contextlib.suppress(FileNotFoundError):
        (project.folder / "go-on").unlink()


def test_what_waits_for_a_location_that_is_removed_is_cancelled_and_what_runs_goes_on(
    project: Project,
) -> None:
    holds = project.begin("waits", params={"name": "holds"}, tags={"db": "x"})
    project.begun("holds")
    goes_on = project.begin("waits", location="quiet", params={"name": "removed"})
    project.begun("removed")
    waits = project.begin("short", location="quiet", tags={"db": "x"})
    config = project.folder / "codelocd.toml"
    config.write_text(CONFIG.split("[location.quiet]")[0])
    try:
        run = project.ended(waits)
        assert (run["state"], run["summary"]) == (
            "cancelled",
            "there is no location quiet any more",
        )
        assert project.client.call("runs", {"locations": ["quiet"]})["runs"][0] == run
        assert project.show(goes_on)["state"] == "running"
        project.go("removed")
        assert project.ended(goes_on)["state"] == "succeeded"
    finally:
        config.write_text(CONFIG)
        project.go("holds")
    project.dev.until_serving("quiet")
    assert project.ended(holds)["state"] == "succeeded"


def test_limits_of_a_config_that_is_saved_hold_at_once(project: Project) -> None:
    holds = project.begin("waits", params={"name": "first"}, tags={"db": "x"})
    project.begun("first")
    second = project.begin("waits", params={"name": "second"}, tags={"db": "x"})
    config = project.folder / "codelocd.toml"
    config.write_text(CONFIG.replace("db = 1", "db = 2"))
    try:
        project.begun("second")
    finally:
        config.write_text(CONFIG)
        project.go("first")
        project.go("second")
    assert {project.ended(each)["state"] for each in (holds, second)} == {"succeeded"}


@pytest.mark.slow
def test_a_damaged_book_is_set_aside_and_locations_are_served(tmp_path: Path) -> None:
    (tmp_path / "codelocd.toml").write_text('[location.sales]\npython_file = "sales.py"\n')
    (tmp_path / "sales.py").write_text(SALES)

    def started() -> Dev:
        dev = Dev(tmp_path, tmp_path / "home", ())
        dev.until_serving("sales")
        return dev

    dev = started()
    with dev.client() as client:
        asked = {"location": "sales", "names": ["nightly"], "wait": True}
        assert client.call("run", asked)["id"] == 1
    dev.stop()
    (book,) = (tmp_path / "home").rglob("book.sqlite")
    for file in book.parent.glob("book.sqlite-*"):
        file.unlink()
    book.write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)
    dev = started()
    try:
        dev.until_printed("the book of runs was damaged: a new one was begun, see ")
        with dev.client() as client:
            assert client.call("runs")["runs"] == []
            assert client.call("run", asked)["run"]["state"] == "succeeded"
    finally:
        dev.stop()
