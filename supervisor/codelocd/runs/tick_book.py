"""What the book of runs has of schedules: their ticks, how far each has come, and what is off.

A tick's row and the cursor of its schedule are written in one transaction, before anything is
started for it. So a daemon that is killed at any moment leaves either nothing of a tick, which the
next one finds due, or a row that the next one carries out.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from codelocd.runs.book import RunBook, transaction
from codelocd.runs.model import RunId
from codelocd.runs.ticks import NewTick, SchedulePlace, Tick

KEPT_SECONDS = 30 * 86400.0
"""After which old ticks are left out, and what is known of a schedule that is defined no more."""
COLUMNS = "id, location, repository, schedule, scheduled_for, at, state, why, runs, count"
"""All, in their order."""


@dataclass(frozen=True, slots=True)
class KeptSchedule:
    """`cursor`: all ticks up to it are dealt with. `rule`: cron and zone that it is of. `enabled`:
    whether it ticked. `seen`: when it was defined last. Times in Unix seconds."""

    cursor: float
    rule: str
    enabled: bool
    seen: float


class TickBook:
    """The part of the book that is about schedules. Its futures raise BookProblem."""

    def __init__(self, book: RunBook) -> None:
        self._book = book

    def schedules(self) -> Future[dict[SchedulePlace, KeptSchedule]]:
        return self._book.carry_out(_schedules)

    def switches(self) -> Future[dict[SchedulePlace, bool]]:
        """What was switched on or off, of schedules and of sensors."""
        return self._book.carry_out(_switches)

    def switch(self, place: SchedulePlace, enabled: bool, now: float) -> Future[None]:
        insert = "INSERT OR REPLACE INTO switches VALUES (?,?,?,?,?)"
        return self._book.carry_out(lambda c: _execute(c, insert, [(*place, int(enabled), now)]))

    def write(
        self, kept: Mapping[SchedulePlace, KeptSchedule], ticks: Sequence[NewTick], now: float
    ) -> Future[list[Tick]]:
        """All of it or nothing; the ticks that are new. Of one time a schedule has one tick."""
        return self._book.carry_out(lambda connection: _write(connection, kept, ticks, now))

    def settle(self, ticks: Sequence[Tick]) -> Future[None]:
        """The rows as they are now."""
        update = "UPDATE ticks SET state = ?, why = ?, runs = ? WHERE id = ?"
        values = [(each.state, each.why, json.dumps(each.runs), each.id) for each in ticks]
        return self._book.carry_out(lambda connection: _execute(connection, update, values))

    def open_ticks(self) -> Future[list[Tick]]:
        """Those that are still to be carried out, the oldest first."""
        return self._book.carry_out(
            lambda c: _ticks(c, "state IN ('due', 'waiting') ORDER BY id", ())
        )

    def last(self) -> Future[dict[SchedulePlace, list[Tick]]]:
        """Of each schedule the rows of its newest tick, and of what was left out with it."""
        return self._book.carry_out(_last)

    def ticks(self, place: SchedulePlace, limit: int) -> Future[list[Tick]]:
        """The newest first."""
        condition = "location = ? AND repository = ? AND schedule = ? ORDER BY id DESC LIMIT ?"
        return self._book.carry_out(lambda c: _ticks(c, condition, (*place, limit)))

    def last_run(self, place: SchedulePlace) -> Future[RunId | None]:
        """The newest run that the schedule has started."""
        return self._book.carry_out(lambda connection: _last_run(connection, place))

    def prune(self, now: float, listed: Collection[SchedulePlace]) -> Future[None]:
        """Leave out what is too old; `listed`: the schedules and sensors that are defined now."""
        return self._book.carry_out(lambda connection: _prune(connection, now, listed))


def _schedules(connection: sqlite3.Connection) -> dict[SchedulePlace, KeptSchedule]:
    query = "SELECT location, repository, name, cursor, rule, enabled, seen FROM schedules"
    return {
        SchedulePlace(*row[:3]): KeptSchedule(row[3], row[4], bool(row[5]), row[6])
        for row in connection.execute(query)
    }


def _switches(connection: sqlite3.Connection) -> dict[SchedulePlace, bool]:
    query = "SELECT location, repository, name, enabled FROM switches"
    return {SchedulePlace(*row[:3]): bool(row[3]) for row in connection.execute(query)}


def _execute(connection: sqlite3.Connection, statement: str, values: Sequence[Any]) -> None:
    with transaction(connection):
        connection.executemany(statement, values)


def _write(
    connection: sqlite3.Connection,
    kept: Mapping[SchedulePlace, KeptSchedule],
    ticks: Sequence[NewTick],
    now: float,
) -> list[Tick]:
    keep = "INSERT OR REPLACE INTO schedules VALUES (?,?,?,?,?,?,?)"
    insert = (
        "INSERT INTO ticks (location, repository, schedule, scheduled_for, at, state, why, runs,"
        " count) VALUES (?,?,?,?,?,?,?,'[]',?) ON CONFLICT DO NOTHING RETURNING *"
    )
    written = []
    with transaction(connection):
        rows = [(*p, k.cursor, k.rule, int(k.enabled), k.seen) for p, k in kept.items()]
        connection.executemany(keep, rows)
        for tick in ticks:
            values = (*tick.place, tick.scheduled_for, now, tick.state, tick.why, tick.count)
            written += [_tick(row) for row in connection.execute(insert, values)]
    return written


def _ticks(connection: sqlite3.Connection, condition: str, values: Sequence[Any]) -> list[Tick]:
    """Those that can be read."""
    query = f"SELECT {COLUMNS} FROM ticks WHERE {condition}"  # noqa: S608  values are bound
    found = []
    for row in connection.execute(query, values):
        with contextlib.suppress(ValueError, TypeError):
            found.append(_tick(row))
    return found


def _tick(row: Sequence[Any]) -> Tick:
    number, location, repository, name, scheduled_for, at, state, why, runs, count = row
    place, known = SchedulePlace(location, repository, name), tuple(json.loads(runs))
    return Tick(number, place, scheduled_for, at, state, why, known, count)


def _last(connection: sqlite3.Connection) -> dict[SchedulePlace, list[Tick]]:
    """What one look of the ticker wrote has the same `at`."""
    newest = (
        "(location, repository, schedule, at) IN (SELECT location, repository, schedule, at FROM"
        " ticks WHERE id IN (SELECT MAX(id) FROM ticks GROUP BY location, repository, schedule))"
        " ORDER BY id"
    )
    found: dict[SchedulePlace, list[Tick]] = {}
    for tick in _ticks(connection, newest, ()):
        found.setdefault(tick.place, []).append(tick)
    return found


def _last_run(connection: sqlite3.Connection, place: SchedulePlace) -> RunId | None:
    started = (
        "location = ? AND repository = ? AND schedule = ? AND runs != '[]' ORDER BY id DESC LIMIT 1"
    )
    found = _ticks(connection, started, place)
    return RunId(found[0].runs[-1]) if found else None


def _prune(connection: sqlite3.Connection, now: float, listed: Collection[SchedulePlace]) -> None:
    """The newest tick of each schedule stays."""
    before = now - KEPT_SECONDS
    with transaction(connection):
        connection.executemany(
            "UPDATE schedules SET seen = ? WHERE location = ? AND repository = ? AND name = ?",
            [(now, *place) for place in listed],
        )
        connection.executemany(
            "UPDATE switches SET at = ? WHERE location = ? AND repository = ? AND name = ?",
            [(now, *place) for place in listed],
        )
        connection.execute("DELETE FROM schedules WHERE seen < ?", (before,))
        connection.execute("DELETE FROM switches WHERE at < ?", (before,))
        connection.execute(
            "DELETE FROM ticks WHERE at < ? AND id NOT IN"
            " (SELECT MAX(id) FROM ticks GROUP BY location, repository, schedule)",
            (before,),
        )
        connection.execute(
            "DELETE FROM ticks WHERE at < ? AND (location, repository, schedule) NOT IN"
            " (SELECT location, repository, name FROM schedules)",
            (before,),
        )
