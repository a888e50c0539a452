"""Runs read from the tables of a book, also while no daemon writes it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from codelocd.runs.encoding import decoded
from codelocd.runs.model import RunId, RunRecord, RunState

PATIENCE = 1.0
"""Seconds for a daemon that writes."""


def listing(
    locations: Collection[str] | None,
    states: Collection[RunState],
    before: int | None,
    limit: int,
) -> tuple[str, list[Any]]:
    """What follows WHERE, and its values: the newest first; `before`: only lower numbers."""
    conditions, values = ["TRUE"], list[Any]()
    if locations is not None:
        conditions.append(f"location IN ({', '.join('?' * len(locations))})")
        values += locations
    if states:
        conditions.append(f"state IN ({', '.join('?' * len(states))})")
        values += [state.value for state in states]
    if before is not None:
        conditions.append("id < ?")
        values.append(before)
    return f"{' AND '.join(conditions)} ORDER BY id DESC LIMIT ?", [*values, limit]


def selected(
    connection: sqlite3.Connection, condition: str, values: Sequence[Any]
) -> list[RunRecord]:
    """Those that can be read: another version may have written what this one cannot."""
    found = []
    query = f"SELECT document FROM runs WHERE {condition}"  # noqa: S608  values are bound
    for (text,) in connection.execute(query, values):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found.append(decoded(text))
    return found


class LeftBook:
    """The book at `path`, of which nothing is changed. Raises OSError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def listed(
        self,
        locations: Collection[str] | None,
        states: Collection[RunState],
        before: int | None,
        limit: int,
    ) -> list[RunRecord]:
        with self._connected() as connection:
            return selected(connection, *listing(locations, states, before, limit))

    def run(self, number: int) -> RunRecord | None:
        with self._connected() as connection:
            found = selected(connection, "id = ?", [RunId(number)])
        return found[0] if found else None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        address = f"file:{quote(str(self._path))}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(address, PATIENCE, uri=True)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise OSError(None, str(error), str(self._path)) from None
