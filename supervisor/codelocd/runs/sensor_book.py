"""What the book of runs has of sensors: their cursors, and how the newest evaluation went.

A cursor is written in one transaction with the runs that its evaluation has asked for. So a daemon
that is killed at any moment leaves both or nothing, and the next one asks again, with the cursor
from before.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future

from codelocd.runs.book import RunBook, transaction
from codelocd.runs.model import RunRecord, RunWish
from codelocd.runs.sensing import KeptSensor, decoded_sensor, encoded_sensor
from codelocd.runs.ticks import SchedulePlace

KEPT_SECONDS = 30 * 86400.0
"""For which the cursor of a sensor stays that is defined no more."""

Outcome = tuple[KeptSensor, list[RunRecord]]
"""What is kept of a sensor from now on, and the runs that are new."""


class SensorBook:
    """The part of the book that is about sensors. Its futures raise BookProblem."""

    def __init__(self, book: RunBook) -> None:
        self._book = book

    def sensors(self) -> Future[dict[SchedulePlace, KeptSensor]]:
        return self._book.carry_out(_sensors)

    def evaluated(
        self,
        place: SchedulePlace,
        wishes: Sequence[RunWish],
        kept: Callable[[Sequence[RunRecord]], KeptSensor],
        now: float,
    ) -> Future[Outcome]:
        """Add these runs, but for those whose key is known, and keep what `kept` makes of those
        that are new: all of it or nothing."""

        def also(connection: sqlite3.Connection, new: Sequence[RunRecord]) -> KeptSensor:
            found = kept(new)
            _keep(connection, place, found, now)
            return found

        return self._book.add_all(wishes, now, also)

    def keep(self, place: SchedulePlace, kept: KeptSensor, now: float) -> Future[None]:
        return self._book.carry_out(lambda connection: _keep(connection, place, kept, now))

    def prune(self, now: float, listed: Collection[SchedulePlace]) -> Future[None]:
        """Leave out what is too old; `listed`: the sensors that are defined now."""
        return self._book.carry_out(lambda connection: _prune(connection, now, listed))


def _sensors(connection: sqlite3.Connection) -> dict[SchedulePlace, KeptSensor]:
    """Those that can be read: another version may have written what this one cannot."""
    found = {}
    for *place, text in connection.execute("SELECT location, repository, name, kept FROM sensors"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found[SchedulePlace(*place)] = decoded_sensor(json.loads(text))
    return found


def _keep(
    connection: sqlite3.Connection, place: SchedulePlace, kept: KeptSensor, now: float
) -> None:
    text = json.dumps(encoded_sensor(kept), separators=(",", ":"))
    insert = "INSERT OR REPLACE INTO sensors VALUES (?,?,?,?,?)"
    connection.execute(insert, (*place, text, now))


def _prune(connection: sqlite3.Connection, now: float, listed: Collection[SchedulePlace]) -> None:
    with transaction(connection):
        connection.executemany(
            "UPDATE sensors SET seen = ? WHERE location = ? AND repository = ? AND name = ?",
            [(now, *place) for place in listed],
        )
        connection.execute("DELETE FROM sensors WHERE seen < ?", (now - KEPT_SECONDS,))
