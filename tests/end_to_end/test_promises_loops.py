"""Loads that a location causes itself: noticed, named, and ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.daemons import Dev, StartDev, native, serving

WRITES = """
import pathlib, time
made = pathlib.Path(__file__).with_name("made.json")
{how}
"""

AT_LOAD = WRITES.format(how="made.write_text(str(time.time()))")

LATER = WRITES.format(
    how="""
import threading
def write():
    while True:
        time.sleep(0.3)
        draft = made.with_name("draft.txt")
        draft.write_text(str(time.time()))
        draft.replace(made)
threading.Thread(target=write, daemon=True).start()
"""
)

BY_A_CHILD = WRITES.format(
    how="""
import subprocess
subprocess.run(["sh", "-c", f"date +%s%N > {made}"], check=True)
"""
)


def write(project: Path, code: str, more: str = "watch = ['*.json']\n") -> None:
    (project / "made.json").write_text("{}")
    (project / "sales.py").write_text(native("x", before=code))
    (project / "codelocd.toml").write_text(f'[location.sales]\npython_file = "sales.py"\n{more}')


def launches(daemon: Dev) -> int:
    """Runners that were started so far."""
    with daemon.client() as client:
        found = client.call("events", {"locations": ["sales"], "lines": 1000})["events"]
    return sum(each["event"] == "launched" for each in found)


@pytest.mark.parametrize("code", [AT_LOAD, LATER], ids=["at load", "later"])
def test_promise_20_a_file_that_the_runner_itself_writes_starts_no_loads_without_end(
    dev: StartDev, project: Path, code: str
) -> None:
    write(project, code)
    daemon = dev()
    made = str(project / "made.json")
    entry = daemon.until("sales", lambda each: made in [*each["left_out"], *_written(daemon)])
    daemon.until("sales", serving)
    count = launches(daemon)
    assert count <= 14
    assert entry["changed_by"] == made
    assert made in daemon.cli("show", "sales").stdout.replace("\n", "")
    (project / "other.json").write_text("by hand")
    by_hand = str(project / "other.json")
    daemon.until("sales", lambda each: each["changed_by"] == by_hand and serving(each))
    assert launches(daemon) <= count + 3


def _written(daemon: Dev) -> list[str]:
    with daemon.client() as client:
        found: list[str] = client.call("show", {"location": "sales"})["own_writes"]
    return found


def test_promise_20_what_is_left_out_counts_again_after_a_reload(
    dev: StartDev, project: Path
) -> None:
    write(project, LATER)
    daemon = dev()
    made = str(project / "made.json")
    daemon.until("sales", lambda each: made in each["left_out"])
    line, *_ = daemon.status()["daemon"]["warnings"]
    assert line.startswith(f"sales: {made} is written by its own runner")
    (project / "sales.py").write_text(native("y"))
    daemon.until_printed("+ asset sales/y")
    daemon.cli("reload", "sales")
    entry = daemon.until("sales", serving)
    assert entry["left_out"] == []
    (project / "made.json").write_text("by hand")
    daemon.until("sales", lambda each: each["changed_by"] == made and serving(each))


def test_promise_20_a_load_whose_child_writes_what_is_watched_comes_to_rest(
    dev: StartDev, project: Path
) -> None:
    write(project, BY_A_CHILD)
    daemon = dev()
    daemon.until_printed("so they are taken to write it")
    daemon.until("sales", serving)
    assert launches(daemon) <= 14


def test_promise_20_a_load_that_rewrites_what_its_environment_is_made_of_comes_to_rest(
    dev: StartDev, project: Path
) -> None:
    requirements = project / "requirements.txt"
    requirements.write_text("# none\n")
    how = "made = made.with_name('requirements.txt')\nmade.write_text(f'# {time.time()}\\n')"
    write(project, WRITES.format(how=how), more="")
    daemon = dev()
    path = str(requirements)
    daemon.until("sales", lambda each: path in [*each["left_out"], *_written(daemon)])
    daemon.until("sales", serving)
    assert launches(daemon) <= 14


def test_promise_20_somebody_who_saves_often_is_not_taken_for_a_loop(
    dev: StartDev, project: Path
) -> None:
    write(project, "")
    daemon = dev()
    daemon.until("sales", serving)
    for number in range(9):
        (project / "sales.py").write_text(native(f"save_{number}"))
        daemon.until_printed(f"+ asset sales/save_{number}")
    entry = daemon.until("sales", serving)
    assert entry["left_out"] == []
    assert entry["changed_by"] == str(project / "sales.py")
