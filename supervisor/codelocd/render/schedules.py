"""Schedules and sensors as text: the list of them, and one in full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from codelocd.render.text import Cell, Column, Screen, duration, interval, one_line, table

if TYPE_CHECKING:
    from codelocd.documents.schedules import ScheduleDocument, SchedulesDocument, TickDocument

TITLES = (
    Column("NAME"),
    Column("CRON", 2),
    Column("ZONE", 3),
    Column("NEXT", 1),
    Column("LAST"),
    Column("STATE", least=10),
)
TICK_TITLES = (Column("FOR"), Column("STATE"), Column("RUNS"), Column("WHY", least=20))
LONGEST = 200
"""Characters of a cursor that are shown."""
STYLES = {"failed": "red", "skipped": "yellow", "missed": "yellow", "run": "green"}


def schedules(document: SchedulesDocument, now: float, screen: Screen) -> str:
    """The `schedules --json` document as a table. `now` is Unix time."""
    rows = [_row(each, now) for each in document["schedules"]]
    return table(TITLES, rows, screen) if rows else "no schedules and no sensors"


def _row(each: ScheduleDocument, now: float) -> list[Cell]:
    return [
        (f"{one_line(each['location'])}/{one_line(each['name'])}", "bold"),
        _cron(each),
        one_line(each["timezone"] or "-"),
        _next(each, now),
        _last(each),
        _state(each),
    ]


def _cron(each: ScheduleDocument) -> str:
    if each["kind"] == "sensor":
        return f"every {interval(each['minimum_interval'])}"
    cron = each["cron"]
    return one_line(", ".join(cron) if isinstance(cron, list) else cron or "-")


def _next(each: ScheduleDocument, now: float) -> str:
    return "-" if each["next"] is None else f"in {duration(max(0.0, each['next'] - now))}"


def _last(each: ScheduleDocument) -> Cell:
    last = each["last"]
    if last is None:
        return "-"
    said = f"run {last['run']}" if last["run"] is not None else last["state"]
    if last["state"] == "missed":
        return f"{each['missed']} missed", STYLES["missed"]
    if each["missed"]:
        said = f"{said}, {each['missed']} missed"
    return (said, STYLES[last["state"]]) if last["state"] in ("failed", "skipped") else said


def _state(each: ScheduleDocument) -> Cell:
    if not each["ticks"] and each["why"]:
        return one_line(each["why"])
    if not each["enabled"]:
        return "off", "yellow"
    return ("on", "green") if each["why"] is None else f"on: {one_line(each['why'])}"


def switched(each: ScheduleDocument, now: float) -> str:
    """One line for one that was switched on or off."""
    name = f"{one_line(each['location'])}/{one_line(each['name'])}"
    if not each["enabled"]:
        return f"{name} is off, until `codelocd schedules start {name}`"
    if not each["ticks"]:
        return f"{name} is on, but {one_line(each['why'] or 'it does not tick here')}"
    return f"{name} is on, from now: next {_next(each, now)}"


def schedule(each: ScheduleDocument, zone: tzinfo, screen: Screen) -> str:
    """One in full: what it is, when it is due, what became of its ticks. Times are of `zone`."""
    facts = {
        "cron": f"{_cron(each)}  {one_line(each['timezone'] or '')}".rstrip(),
        "starts": one_line(each["job"] or "-"),
        "state": _plain(_state(each)),
        "next": ", ".join(_time(time, zone) for time in each.get("upcoming") or ()) or "-",
    }
    if each["kind"] == "sensor":
        facts = _of_sensor(each, facts, zone)
    name = f"{one_line(each['location'])}/{one_line(each['name'])}"
    lines = [screen.paint(name, "bold")]
    lines += [f"  {title:6}  {fact}" for title, fact in facts.items()]
    ticks = each.get("newest") or []
    if ticks:
        rows = [list(_tick(tick, zone)) for tick in ticks]
        lines += ["", table(TICK_TITLES, rows, screen)]
    return "\n".join(lines)


def _of_sensor(each: ScheduleDocument, facts: dict[str, str], zone: tzinfo) -> dict[str, str]:
    """What is told of a sensor in place of ticks: its newest evaluation, and its cursor."""
    due, last = each["next"], each["last"]
    found = {"asked": facts["cron"], "starts": facts["starts"], "state": facts["state"]}
    found["next"] = "-" if due is None else _time(due, zone, "%H:%M:%S")
    if last is not None:
        said = f"run {last['run']}" if last["run"] is not None else last["state"]
        why = "" if last["why"] is None else f": {one_line(last['why'])}"
        found["last"] = f"{_time(last['at'], zone, '%H:%M:%S')}  {said}{why}"
    if each.get("failures", 0) > 1:
        found["failed"] = f"{each.get('failures')} times in a row"
    cursor = each.get("cursor")
    if cursor is not None:
        text = json.dumps(cursor)
        found["cursor"] = one_line(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")
    return found


def _tick(tick: TickDocument, zone: tzinfo) -> Iterator[Cell]:
    yield _time(tick["scheduled_for"], zone)
    state = f"{tick['count']} missed" if tick["state"] == "missed" else tick["state"]
    yield state, STYLES.get(tick["state"])
    yield ", ".join(map(str, tick["runs"])) or "-"
    until = "the newest of them" if tick["count"] > 1 else ""
    yield one_line(tick["why"] or until)


def _time(at: float, zone: tzinfo, clock: str = "%H:%M") -> str:
    return datetime.fromtimestamp(at, zone).strftime(f"%Y-%m-%d {clock}%z")


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]
