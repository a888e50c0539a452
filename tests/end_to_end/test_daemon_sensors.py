"""Sensors of a daemon: asked by themselves, whatever becomes of their code and of the daemon."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from codelocd.client import RpcError
from tests.end_to_end.daemons import Dev, native, stale, wait_for

CONFIG = """
[runs]
max_concurrent = 4
tags = { one = 1 }
"""
LOCATION = """
[location.NAME]
python_file = "NAME.py"
"""
CODE = """
import os, pathlib, subprocess, time
from codeloc import Definitions, Run, Skip, job, sensor

PLACE = pathlib.Path(__file__).parent

@job
def refresh(file: str = ""):
    with open(PLACE / "effects", "a") as effects:
        effects.write(f"VERSION {file}\\n")

@job
def waits(name: str = ""):
    (PLACE / f"begun-{name}").touch()
    while not (PLACE / f"go-{name}").exists():
        time.sleep(0.01)

@sensor(job=refresh, minimum_interval=1)
def files(context):
    seen = context.cursor or []
    context.cursor = sorted(file.name for file in (PLACE / "inbox").glob("*"))
    new = [name for name in context.cursor if name not in seen]
    return [Run(key=name, params={"file": name}) for name in new] or Skip("nothing new")

@sensor(job=refresh, minimum_interval=1)
def again(context):
    # the same key each time: it forgets what it has seen
    context.cursor = (context.cursor or 0) + 1
    return Run(key="once", params={"file": "once"}) if (PLACE / "again").exists() else None

@sensor(job=refresh, minimum_interval=1, enabled=False)
def counts(context):
    # a run without a key for each step of its cursor
    context.cursor = (context.cursor or 0) + 1
    return Run(params={"file": f"count {context.cursor}"})

@sensor(job=refresh, minimum_interval=1, timeout="2s", enabled=False)
def hangs(context):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    with open(PLACE / "hangs", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    time.sleep(1000)

@sensor(job=refresh, minimum_interval=1, enabled=False)
def broken(context):
    context.cursor = 1
    raise ValueError("no such folder")

defs = Definitions(jobs=[refresh, waits], sensors=[files, again, counts, hangs, broken])
"""

Document = dict[str, Any]


class Shop:
    """A project with a location, `sales`, and its daemon."""

    def __init__(self, folder: Path, home: Path, *arguments: str) -> None:
        self.folder = folder
        self.home = home
        (folder / "inbox").mkdir(exist_ok=True)
        self.configure("sales")
        self.save(CODE)
        self.begin(*arguments)

    def begin(self, *arguments: str) -> None:
        self.dev = Dev(self.folder, self.home, arguments)
        self.dev.until_serving("sales")
        self.client = self.dev.client()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.client.close()
        self.dev.stop(number)

    def configure(self, *names: str) -> None:
        tables = [LOCATION.replace("NAME", name) for name in names]
        (self.folder / "codelocd.toml").write_text(CONFIG + "".join(tables))

    def save(self, code: str, version: str = "first", name: str = "sales") -> None:
        (self.folder / f"{name}.py").write_text(code.replace("VERSION", version))

    def comes(self, name: str) -> None:
        (self.folder / "inbox" / name).touch()

    def effects(self) -> list[str]:
        file = self.folder / "effects"
        return file.read_text().splitlines() if file.exists() else []

    def sensor(self, name: str, **params: Any) -> Document:
        found: list[Document] = self.client.call("schedules", {"name": name, **params})["schedules"]
        return found[0]

    def switch(self, name: str, *, enabled: bool) -> Document:
        params = {"location": "sales", "name": name, "enabled": enabled}
        found: Document = self.client.call("schedule_set", params)["schedule"]
        return found

    def last(self, name: str, state: str, since: float = 0.0) -> Document:
        """The newest evaluation that came to this, as soon as there is one."""

        def found() -> Document | None:
            last: Document | None = self.sensor(name)["last"]
            fits = last is not None and last["state"] == state and last["at"] > since
            return last if fits else None

        last = wait_for(found)
        assert last is not None
        return last

    def asked_again(self, name: str) -> Document:
        """Its newest evaluation, once there has been another one."""
        before = self.sensor(name)["last"]
        at = 0.0 if before is None else before["at"]
        wait_for(lambda: (self.sensor(name)["last"] or {"at": 0.0})["at"] > at)
        last: Document = self.sensor(name)["last"]
        return last

    def seen(self) -> list[str]:
        """The cursor of `files`, once it has been asked."""
        self.last("files", "skipped")
        return list(self.sensor("files")["cursor"])

    def run_of(self, key: str) -> Document:
        """The run that a sensor has started for it, once it has ended."""

        def found() -> Document | None:
            runs = self.client.call("runs", {"limit": 1000})["runs"]
            its = [run for run in runs if str(run["key"]).endswith(f": {key}")]
            assert len(its) <= 1
            return its[0] if its and its[0]["ended"] is not None else None

        run = wait_for(found)
        assert run is not None
        return run


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("sensors")
    (folder / "project").mkdir()
    made = Shop(folder / "project", folder / "home", "--tick")
    yield made
    made.end()


def test_what_a_sensor_finds_is_run_once_and_its_cursor_is_kept(shop: Shop) -> None:
    assert shop.last("files", "skipped")["why"] == "nothing new"
    shop.comes("a.csv")
    run = shop.run_of("a.csv")
    assert (run["state"], run["job"], run["params"]) == ("succeeded", "refresh", {"file": "a.csv"})
    assert run["by"] == {"kind": "sensor", "name": "files", "repository": "__repository__"}
    assert run["key"] == "sensor __repository__/files: a.csv"
    shop.asked_again("files")
    shown = shop.sensor("files")
    assert (shown["kind"], shown["minimum_interval"], shown["job"]) == ("sensor", 1.0, "refresh")
    assert (shown["enabled"], shown["ticks"], shown["why"]) == (True, True, None)
    assert "a.csv" in shown["cursor"]
    assert shop.effects().count("first a.csv") == 1


def test_a_key_starts_once_however_often_it_is_asked_for(shop: Shop) -> None:
    (shop.folder / "again").touch()
    run = shop.run_of("once")
    cursor = shop.sensor("again")["cursor"]
    wait_for(lambda: shop.sensor("again")["cursor"] >= cursor + 2)
    assert shop.run_of("once")["id"] == run["id"]
    assert shop.effects().count("first once") == 1
    (shop.folder / "again").unlink()


def test_one_that_hangs_is_ended_with_its_children_and_delays_no_other(shop: Shop) -> None:
    shop.switch("hangs", enabled=True)
    wait_for(lambda: (shop.folder / "hangs").exists() and (shop.folder / "hangs").read_text())
    shop.asked_again("files")
    last = shop.last("hangs", "failed")
    assert last["why"] == "it took longer than 2 s, and was ended"
    pids = [int(pid) for pid in (shop.folder / "hangs").read_text().split()]
    off = shop.switch("hangs", enabled=False)
    assert (off["enabled"], off["next"]) == (False, None)
    wait_for(lambda: not any(map(psutil.pid_exists, pids)))


def test_one_that_fails_is_shown_keeps_its_cursor_and_is_asked_less_often(shop: Shop) -> None:
    shop.switch("broken", enabled=True)
    last = shop.last("broken", "failed")
    assert last["why"].startswith("ValueError: no such folder (sales.py:")
    shown = shop.sensor("broken")
    assert shown["cursor"] is None
    assert shown["failures"] >= 1
    lines = shop.client.call("logs", {"locations": ["sales"], "lines": 200})["lines"]
    assert any("ValueError: no such folder" in line["text"] for line in lines)
    wait_for(lambda: shop.sensor("broken")["failures"] >= 2)
    shop.switch("broken", enabled=False)


def test_one_that_is_switched_off_is_not_asked(shop: Shop) -> None:
    seen = shop.seen()
    shop.switch("files", enabled=False)
    shop.comes("off.csv")
    shop.asked_again("again")
    shop.asked_again("again")
    assert shop.sensor("files")["cursor"] == seen
    with pytest.raises(RpcError, match="no schedule and no sensor 'file'"):
        shop.switch("file", enabled=True)
    shop.switch("files", enabled=True)
    assert shop.run_of("off.csv")["state"] == "succeeded"


def test_a_save_that_breaks_the_location_leaves_its_sensors_the_last_good_code(shop: Shop) -> None:
    """What they start runs that code, too."""
    good, seen = (shop.folder / "sales.py").read_text(), shop.seen()
    generation = shop.dev.entry("sales")["generation"]
    shop.save("raise ValueError('broken')\n")
    shop.dev.until("sales", stale)
    shop.asked_again("files")
    shop.comes("broken.csv")
    run = shop.run_of("broken.csv")
    assert (run["state"], run["code"]["generation"]) == ("succeeded", generation)
    shown = shop.client.call("run_show", {"id": run["id"], "code": True})
    assert shown["code"] == {str(shop.folder / "sales.py"): good}
    assert run["code"]["late"] == []

    shop.save(CODE, "second")
    shop.dev.until_serving("sales")
    shop.comes("mended.csv")
    run = shop.run_of("mended.csv")
    assert run["code"]["generation"] > generation
    assert "second mended.csv" in shop.effects()
    wait_for(lambda: shop.seen() == sorted([*seen, "broken.csv", "mended.csv"]))


@pytest.mark.parametrize("how", ["stopped", "removed"])
def test_a_location_that_is_stopped_or_removed_is_asked_nothing(shop: Shop, how: str) -> None:
    """Runs that wait are cancelled, those that go on go on; back again it goes on from before."""
    (shop.folder / "again").unlink(missing_ok=True)
    begun = [
        shop.client.call(
            "run",
            {
                "location": "sales",
                "names": ["waits"],
                "params": {"name": f"{how}{number}"},
                "tags": {"one": "x"},
            },
        )["id"]
        for number in range(2)
    ]
    wait_for((shop.folder / f"begun-{how}0").exists)
    seen = shop.seen()
    if how == "stopped":
        shop.client.call("stop", {"locations": ["sales"]})
        shop.dev.until("sales", lambda entry: entry["state"] == "stopped")
    else:
        shop.configure("other")
        shop.save(native("orders"), name="other")
        shop.dev.until_serving("other")
    wait_for(lambda: shop.client.call("run_show", {"id": begun[1]})["run"]["ended"])
    told = [shop.client.call("run_show", {"id": number})["run"] for number in begun]
    assert [run["state"] for run in told] == ["running", "cancelled"]
    why = {"stopped": "sales was stopped", "removed": "there is no location sales any more"}
    assert told[1]["summary"] == why[how]
    shop.comes(f"{how}.csv")
    (shop.folder / f"go-{how}0").touch()
    wait_for(lambda: shop.client.call("run_show", {"id": begun[0]})["run"]["ended"])
    assert shop.client.call("run_show", {"id": begun[0]})["run"]["state"] == "succeeded"
    assert not any(how in line for line in shop.effects())
    if how == "stopped":
        shop.client.call("start", {"locations": ["sales"]})
    else:
        shop.configure("sales")
    shop.dev.until_serving("sales")
    assert shop.run_of(f"{how}.csv")["state"] == "succeeded"
    wait_for(lambda: shop.seen() == sorted([*seen, f"{how}.csv"]))


def test_a_daemon_that_is_killed_loses_no_cursor_and_starts_nothing_twice(shop: Shop) -> None:
    shop.comes("before.csv")
    run = shop.run_of("before.csv")
    wait_for(lambda: "before.csv" in shop.seen())
    seen = shop.seen()
    shop.end(signal.SIGKILL)
    shop.comes("meanwhile.csv")
    shop.begin("--tick")
    assert shop.run_of("meanwhile.csv")["state"] == "succeeded"
    assert shop.run_of("before.csv")["id"] == run["id"]
    wait_for(lambda: shop.seen() == sorted([*seen, "meanwhile.csv"]))
    assert len(shop.effects()) == len(set(shop.effects()))
    assert shop.sensor("hangs")["enabled"] is False


@pytest.mark.slow
def test_runs_and_cursor_are_of_one_piece_however_often_the_daemon_is_killed(shop: Shop) -> None:
    """Each evaluation adds one run and one to the cursor, at whatever moment the daemon dies."""
    shop.switch("counts", enabled=True)
    for _ in range(6):
        shop.asked_again("counts")
        shop.end(signal.SIGKILL)
        shop.begin("--tick")
    cursor = shop.sensor("counts")["cursor"]
    wait_for(lambda: shop.sensor("counts")["cursor"] > cursor)
    shop.switch("counts", enabled=False)
    cursor = shop.sensor("counts")["cursor"]
    runs = shop.client.call("runs", {"limit": 1000})["runs"]
    asked = [run["params"]["file"] for run in runs if run["by"].get("name") == "counts"]
    assert sorted(asked) == sorted(f"count {number}" for number in range(1, cursor + 1))


def test_dev_asks_nothing_unless_it_is_told_to_tick(shop: Shop) -> None:
    """It lists what is known of before."""
    seen = shop.seen()
    shop.end()
    shop.begin()
    try:
        shown = shop.sensor("files")
        assert (shown["ticks"], shown["cursor"], shown["next"]) == (False, seen, None)
        assert shown["why"] == "dev does not tick; start it with --tick"
        assert shown["last"]["state"] in ("run", "skipped")
    finally:
        shop.end()
        shop.begin("--tick")
