"""Ticks of a location whose code is broken, stopped or taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import native, stale, wait_for
from tests.end_to_end.test_schedules import HOUR, Schedule, Ticking, settled

CONFIG = '[location.NAME]\npython_file = "NAME.py"\n'
CODE = """
from codeloc import Definitions, Run, job, schedule

@job
def report(said: str = ""):
    print(said, "of the first")

@schedule(cron="0 * * * *", job=report)
def hourly(context):
    return Run(params={"said": "the tick"})

defs = Definitions(jobs=[report], schedules=[hourly])
"""


class Lost(Ticking):
    """A location, `sales`, whose files the test takes away."""

    def __init__(self, folder: Path, home: Path) -> None:
        super().__init__(folder, home)
        self.folder = folder
        (folder / "sales.py").write_text(CODE)
        (folder / "other.py").write_text(native("orders"))

    def configure(self, name: str) -> None:
        (self.folder / "codelocd.toml").write_text(CONFIG.replace("NAME", name))

    def run(self, number: int) -> dict[str, Any]:
        def ended() -> dict[str, Any]:
            run: dict[str, Any] = self.ask("run_show", id=number)["run"]
            return run if run["ended"] is not None else {}

        return wait_for(ended)

    def after(self, before: Schedule) -> Schedule:
        """The schedule, as soon as it has ticked since and all of that has come to something."""

        def holds(found: Schedule) -> bool:
            is_new = len(found["newest"]) > len(before["newest"])
            return is_new and settled(found) and found["newest"][0]["state"] != "waiting"

        return self.until("hourly", holds)


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    world = Lost(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home"))
    world.begin("--tick")
    yield world
    world.dev.stop()


def test_a_tick_of_a_location_whose_save_is_broken_runs_the_last_good_code(lost: Lost) -> None:
    before = lost.schedule("hourly")
    generation = lost.dev.entry("sales")["generation"]
    (lost.folder / "sales.py").write_text("raise ValueError('broken')\n")
    lost.dev.until("sales", stale)
    lost.until_hour(1.0)
    run = lost.run(lost.after(before)["last"]["run"])
    assert (run["state"], run["params"]) == ("succeeded", {"said": "the tick"})
    assert run["code"] == {**run["code"], "generation": generation, "late": []}
    shown = lost.ask("run_show", id=run["id"], code=True)
    assert shown["code"] == {str(lost.folder / "sales.py"): CODE}
    lines = lost.ask("run_logs", id=run["id"])["lines"]
    assert [line["text"] for line in lines] == ["the tick of the first"]
    (lost.folder / "sales.py").write_text(CODE)
    lost.dev.until_serving("sales")


@pytest.mark.parametrize("how", ["stopped", "removed"])
def test_ticks_of_a_location_that_is_away_are_missed_and_the_newest_is_made_up(
    lost: Lost, how: str
) -> None:
    before = lost.schedule("hourly")
    if how == "stopped":
        lost.ask("stop", locations=["sales"])
        lost.dev.until("sales", lambda entry: entry["state"] == "stopped")
    else:
        lost.configure("other")
        lost.dev.until_serving("other")
    runs = len(lost.ask("runs", limit=1000)["runs"])
    lost.set_clock(3 * HOUR)
    if how == "stopped":
        lost.ask("start", locations=["sales"])
    else:
        lost.configure("sales")
    lost.dev.until_serving("sales")
    after = lost.after(before)
    assert [each["state"] for each in after["newest"][:2]] == ["run", "missed"]
    assert after["missed"] == after["newest"][1]["count"] == 2
    assert lost.run(after["last"]["run"])["state"] == "succeeded"
    assert len(lost.ask("runs", limit=1000)["runs"]) == runs + 1
