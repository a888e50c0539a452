"""`codelocd schedules`: what it asks for, what it prints, how it ends."""

from __future__ import annotations

import re
import time
from typing import Any

from codelocd.rpc.errors import RpcError
from tests.supervisor.cli.fake_control import FakeDaemon, Shell

NEXT = 61_380.0
TICK: dict[str, Any] = {
    "scheduled_for": 1_780_000_000.0,
    "at": 1_780_000_000.5,
    "state": "run",
    "why": None,
    "runs": [16],
    "count": 0,
}


def entry(**more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "location": "sales",
        "repository": "__repository__",
        "name": "every_morning",
        "kind": "schedule",
        "cron": "0 6 * * *",
        "timezone": "Europe/Oslo",
        "minimum_interval": None,
        "job": "nightly",
        "enabled": True,
        "ticks": True,
        "why": None,
        "next": time.time() + NEXT,
        "last": {"at": 1.0, "scheduled_for": 1.0, "state": "run", "run": 16, "why": None},
        "missed": 1,
    }
    return {**usual, **more}


def dagsters() -> dict[str, Any]:
    more: dict[str, Any] = {"location": "ingest", "name": "hourly", "timezone": "UTC"}
    why = "Dagster's daemon ticks it"
    return entry(**more, cron="0 * * * *", ticks=False, why=why, next=None, last=None, missed=0)


def test_a_list_of_schedules(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["schedules"] = lambda _: {"schedules": [entry(), dagsters()]}
    done = project.run("schedules")
    assert [re.split(r" {2,}", line) for line in done.stdout.splitlines()] == [
        ["NAME", "CRON", "ZONE", "NEXT", "LAST", "STATE"],
        ["sales/every_morning", "0 6 * * *", "Europe/Oslo", "in 17h 3m", "run 16, 1 missed", "on"],
        ["ingest/hourly", "0 * * * *", "UTC", "-", "-", "Dagster's daemon ticks it"],
    ]
    assert (done.stderr, done.returncode) == ("", 0)
    assert daemon.asked == [("schedules", {})]


def test_the_list_of_some_locations(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["schedules"] = lambda _: {"schedules": []}
    done = project.run("schedules", "list", "sales")
    assert done.stdout == "no schedules and no sensors\n"
    assert daemon.asked == [("schedules", {"locations": ["sales"]})]


def test_what_the_states_say(project: Shell, daemon: FakeDaemon) -> None:
    failed = {"at": 1.0, "scheduled_for": 1.0, "state": "failed", "run": None, "why": "KeyError"}
    sensor = {"kind": "sensor", "cron": None, "timezone": None, "minimum_interval": 30.0}
    shown = [
        entry(enabled=False, next=None, last=failed, missed=0),
        entry(why="nothing of the location is served", last={**failed, "state": "missed"}),
        entry(**sensor, last=None, next=None, missed=0),
    ]
    daemon.answers["schedules"] = lambda _: {"schedules": shown}
    _, off, waits, sensors = project.run("schedules").stdout.splitlines()
    assert off.split("  ")[-1].strip() == "off"
    assert "failed" in off
    assert "1 missed" in waits
    assert waits.endswith("on: nothing of the location is served")
    assert "every 30s" in sensors


def test_one_is_switched(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["schedule_set"] = lambda asked: {"schedule": entry(enabled=asked["enabled"])}
    off = project.run("schedules", "stop", "sales/every_morning")
    again = "`codelocd schedules start sales/every_morning`"
    assert off.stdout == f"sales/every_morning is off, until {again}\n"
    on = project.run("schedules", "start", "sales/every_morning", "--repository", "r")
    assert on.stdout == "sales/every_morning is on, from now: next in 17h 3m\n"
    place = {"location": "sales", "name": "every_morning"}
    assert daemon.asked == [
        ("schedule_set", {**place, "enabled": False}),
        ("schedule_set", {**place, "repository": "r", "enabled": True}),
    ]


def test_one_is_shown_with_its_ticks(project: Shell, daemon: FakeDaemon) -> None:
    missed = {**TICK, "state": "missed", "count": 71, "runs": [], "scheduled_for": 1_779_996_400.0}
    shown = entry(newest=[TICK, missed], upcoming=[1_780_003_600.0])
    daemon.answers["schedules"] = lambda _: {"schedules": [shown]}
    done = project.run("schedules", "show", "sales/every_morning")
    assert done.stdout == (
        "sales/every_morning\n"
        "  cron    0 6 * * *  Europe/Oslo\n"
        "  starts  nightly\n"
        "  state   on\n"
        "  next    2026-05-28 23:26+0200\n"
        "\n"
        "FOR                    STATE      RUNS  WHY\n"
        "2026-05-28 22:26+0200  run        16    -\n"
        "2026-05-28 21:26+0200  71 missed  -     the newest of them\n"
    )
    place = {"locations": ["sales"], "name": "every_morning"}
    assert daemon.asked == [("schedules", {**place, "ticks": 20})]


def test_one_that_is_not_there_is_exit_4(project: Shell, daemon: FakeDaemon) -> None:
    def unknown(_: Any) -> Any:
        raise RpcError("unknown", "there is no schedule and no sensor 'x' in sales")

    daemon.answers["schedule_set"] = unknown
    done = project.run("schedules", "start", "sales/x")
    assert (done.stdout, done.returncode) == ("", 4)
    assert done.stderr == "codelocd: there is no schedule and no sensor 'x' in sales\n"
    assert project.run("schedules", "start", "x").returncode == 2
