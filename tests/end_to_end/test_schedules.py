"""Schedules of a real daemon, whose clock alone is the test's."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codelocd.client import RpcError
from tests.end_to_end.daemons import Dev, Service, wait_for

HOUR, DAY = 3600.0, 86400.0
CLOCK = Path(__file__).parents[1] / "faults" / "clock"
CODE = """
from codeloc import Definitions, Run, Skip, job, schedule

@job
def report(hour: str = ""):
    print("report of", hour, flush=True)

@schedule(cron="0 * * * *", job=report, timezone="Europe/Oslo")
def hourly(context):
    return Run(params={"hour": context.scheduled_for.strftime("%H")})

@schedule(cron="0 * * * *", job=report)
def plain(): ...

@schedule(cron="0 * * * *", job=report)
def quiet(context):
    return Skip("nothing new")

@schedule(cron="0 * * * *", job=report)
def broken(context):
    raise KeyError("day")

@schedule(cron="0 * * * *", job=report, enabled=False)
def off(context): ...

schedules = [hourly, plain, quiet, broken, off]
defs = Definitions(jobs=[report], schedules=schedules)
"""

Schedule = dict[str, Any]


class Ticking:
    """A project, and `codelocd dev` in it: one after another, by one clock."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._home = home
        self._clock = home / "clock"
        self._clock.write_bytes(bytes(8))
        (folder / "sales.py").write_text(CODE)
        (folder / "codelocd.toml").write_text('[location.sales]\npython_file = "sales.py"\n')
        self.ahead = 0.0

    def begin(self, *arguments: str) -> None:
        fake = f"PYTHONPATH={CLOCK}", f"CODELOCD_FAKE_CLOCK={self._clock}"
        self.dev = Dev(self._folder, self._home, arguments, ("env", *fake))
        self.dev.until_serving("sales")

    def set_clock(self, seconds: float) -> None:
        """Later than now by so much."""
        self.ahead += seconds
        with self._clock.open("r+b") as clock:  # never empty: the daemon has it in its memory
            clock.write(struct.pack("d", self.ahead))

    def until_hour(self, seconds: float) -> None:
        """So many seconds before the next full hour; the daemon looks at once."""
        now = time.time() + self.ahead
        self.set_clock(HOUR - now % HOUR - seconds)
        self.dev.cli("reload", "sales")

    def ask(self, method: str, **params: Any) -> Any:
        with self.dev.client() as client:
            return client.call(method, params)

    def schedule(self, name: str) -> Schedule:
        (found,) = self.ask("schedules", name=name, ticks=100)["schedules"]
        return dict(found)

    def until(self, name: str, holds: Callable[[Schedule], bool]) -> Schedule:
        def looked() -> Schedule:
            found = self.schedule(name)
            return found if holds(found) else {}

        return wait_for(looked)


@pytest.fixture(scope="module")
def ticking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ticking]:
    folder = tmp_path_factory.mktemp("project")
    world = Ticking(folder, tmp_path_factory.mktemp("home"))
    world.begin("--tick")
    yield world
    world.dev.stop()


def settled(found: Schedule) -> bool:
    return found["last"] is not None and found["last"]["state"] != "waiting"


def test_what_its_functions_say_becomes_of_each_tick(ticking: Ticking) -> None:
    before = ticking.schedule("hourly")
    assert (before["enabled"], before["ticks"], before["why"]) == (True, True, None)
    ticking.until_hour(1.0)
    hourly, plain = ticking.until("hourly", settled), ticking.until("plain", settled)
    (tick,) = hourly["newest"]
    assert tick["state"] == "run"
    assert tick["scheduled_for"] % HOUR == 0
    assert 0 <= tick["at"] - tick["scheduled_for"] < 60
    assert hourly["upcoming"][0] == tick["scheduled_for"] + HOUR == hourly["next"]
    run = wait_for(lambda: ended(ticking, hourly["last"]["run"]))
    assert run["state"] == "succeeded"
    assert run["by"] == {
        "kind": "schedule",
        "name": "hourly",
        "repository": "__repository__",
        "scheduled_for": tick["scheduled_for"],
        "timezone": "Europe/Oslo",
    }
    assert run["params"]["hour"] in {f"{hour:02}" for hour in range(24)}
    assert wait_for(lambda: ended(ticking, plain["last"]["run"]))["state"] == "succeeded"
    quiet, broken = ticking.until("quiet", settled), ticking.until("broken", settled)
    assert (quiet["last"]["state"], quiet["last"]["why"]) == ("skipped", "nothing new")
    assert broken["last"]["state"] == "failed"
    assert "KeyError" in broken["last"]["why"]
    assert ticking.schedule("off")["last"] is None


def ended(ticking: Ticking, number: int) -> dict[str, Any]:
    run: dict[str, Any] = ticking.ask("run_show", id=number)["run"]
    return run if run["ended"] is not None else {}


def test_three_days_without_a_daemon_and_what_is_off_stays_off(ticking: Ticking) -> None:
    if ticking.schedule("hourly")["last"] is None:  # this test comes first, on a worker of its own
        ticking.until_hour(1.0)
    for name, enabled in (("plain", False), ("off", True)):
        ticking.ask("schedule_set", location="sales", name=name, enabled=enabled)
    before = ticking.until("hourly", settled)["newest"]
    ticking.dev.stop()
    ticking.set_clock(3 * DAY)
    ticking.begin("--tick")
    hourly = ticking.until("hourly", lambda found: len(found["newest"]) > len(before))
    hourly = ticking.until("hourly", settled)
    assert [each["state"] for each in hourly["newest"][:2]] == ["run", "missed"]
    assert hourly["missed"] == hourly["newest"][1]["count"] in (71, 72)
    assert len(hourly["newest"]) == len(before) + 2
    plain, off = ticking.schedule("plain"), ticking.until("off", settled)
    assert (plain["enabled"], plain["next"], off["enabled"]) == (False, None, True)
    assert "missed" in ticking.dev.cli("schedules").stdout


def test_dev_ticks_with_the_option_alone_and_says_so(ticking: Ticking) -> None:
    ticking.dev.stop()
    ticking.begin()
    why = "dev does not tick; start it with --tick"
    ticking.dev.until_printed(f"schedules and sensors start nothing: {why}")
    shown = ticking.schedule("hourly")
    assert (shown["ticks"], shown["why"], shown["next"]) == (False, why, None)
    switched = ticking.ask("schedule_set", location="sales", name="hourly", enabled=False)
    assert switched["schedule"]["enabled"] is False
    with pytest.raises(RpcError, match="no schedule and no sensor 'hourli' in sales"):
        ticking.ask("schedule_set", location="sales", name="hourli", enabled=False)


@pytest.mark.slow
def test_a_service_whose_config_says_so_starts_nothing_by_itself(tmp_path: Path) -> None:
    """Until the config says otherwise, and from then on again."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "sales.py").write_text(CODE)
    config, why = project / "codelocd.toml", "the config says tick = false in [runs]"

    def configure(tick: str) -> None:
        runs = f"[daemon]\nlog_format = 'json'\n[runs]\ntick = {tick}\n"
        config.write_text(f"{runs}[location.sales]\npython_file = 'sales.py'\n")

    configure("false")
    service = Service(project, tmp_path)

    def hourly() -> Schedule:
        with service.client() as client:
            (found,) = client.call("schedules", {"name": "hourly"})["schedules"]
        return dict(found)

    def apply(tick: str) -> None:
        configure(tick)
        with service.client() as client:
            client.call("apply")

    try:
        service.until_logged(f"schedules and sensors start nothing: {why}")
        service.until_serving("sales")
        assert not [*(tmp_path / "state").rglob("book*")]
        off = hourly()
        assert (off["ticks"], off["why"], off["next"]) == (False, why, None)
        apply("true")
        on = wait_for(lambda: hourly() if hourly()["next"] is not None else {})
        assert (on["ticks"], on["why"]) == (True, None)
        apply("false")
        wait_for(lambda: hourly()["next"] is None)
        assert hourly()["why"] == why
        apply("true")
        assert wait_for(lambda: hourly()["next"]) == on["next"]
    finally:
        service.stop()
