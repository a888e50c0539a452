"""The book of runs: one SQLite database, and one thread that reads and writes it.

Write-ahead log, `synchronous=FULL`: what a method has answered is on the disk, also after a power
failure. The daemon's loop never waits for it: each method returns a future.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

from codeloc_envs.files import make_folder
from codelocd.runs.book_format import MIGRATIONS
from codelocd.runs.book_reading import listing, selected
from codelocd.runs.encoding import encoded
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish

T = TypeVar("T")
Also: TypeAlias = Callable[[sqlite3.Connection, Sequence[RunRecord]], T]
Added: TypeAlias = tuple[T, list[RunRecord]]
Change: TypeAlias = Callable[[RunRecord], RunRecord]

KEPT_SECONDS = 30 * 86400.0
KEPT_RUNS = 10_000
"""What is older, or beyond that number, is left out; the newest of each is kept for `made`."""
BATCH = 500
"""Runs that are removed at a time: others are not to wait for long."""
OLDEST = 4 * BATCH
"""Among so many they are looked for; as many as that never are unfinished, or took 30 days."""
SHOWN = 50


class BookProblem(Exception):
    """The book cannot be read or written; `str()` is one line."""


@dataclass(frozen=True, slots=True)
class LastMade:
    """When an asset was last made: by which run, of which code."""

    run: RunId
    at: float
    generation: int | None
    manifest: str | None


class RunBook:
    """`set_aside`: where a damaged file was moved to, if there was one."""

    def __init__(self, path: Path) -> None:
        """Raises BookProblem where there is no book to be had."""
        self.set_aside: Path | None = None
        self._path = path
        self._is_in_memory = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="runs")
        try:
            self._connection = self._thread.submit(self._opened).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def close(self) -> None:
        """After all that was asked for before. A file that was removed is put back."""
        self.put_back()
        self._thread.submit(lambda: self._connection.close())
        self._thread.shutdown()

    def put_back(self) -> Future[None]:
        """Write a file that was removed again; anything else that is asked for does it, too."""
        return self._do(lambda: None)

    def add(
        self, wish: RunWish, queued: float, first: Change | None = None
    ) -> Future[tuple[RunRecord, bool]]:
        """A new run, and True; where one of the same key is there already, that one and False.
        `first`: what happens to a new one before it is in the book."""
        return self._do(lambda: self._add(wish, queued, first))

    def add_all(self, wishes: Sequence[RunWish], queued: float, also: Also[T]) -> Future[Added[T]]:
        """Of all these the runs that are new, and what `also` answers that is given them: what it
        writes is in the book together with them, or nothing is."""
        return self._do(lambda: self._add_all(wishes, queued, also))

    def save(self, runs: Sequence[RunRecord]) -> Future[None]:
        """All of them, or none. An asset that a run has made by now is noted, too."""
        return self._do(lambda: self._save(runs))

    def run(self, number: RunId) -> Future[RunRecord | None]:
        return self._do(lambda: self._run(number))

    def unfinished(self) -> Future[list[RunRecord]]:
        """The oldest first."""
        states = [state.value for state in RunState if not state.is_final]
        return self._do(lambda: self._select("state IN (?, ?, ?) ORDER BY id", states))

    def untold(self) -> Future[list[RunRecord]]:
        """Those that have ended in a way that Dagster does not know yet."""
        return self._do(lambda: self._select("untold AND ended IS NOT NULL ORDER BY id", ()))

    def note(self, number: RunId, told: Callable[[RunRecord], RunRecord]) -> Future[None]:
        """What `told` makes of a run that has ended; nothing where there is none any more."""
        return self._do(lambda: self._save(list(map(told, self._select("id = ?", [number])))))

    def listed(
        self,
        *,
        locations: Collection[str] | None = None,
        states: Collection[RunState] = (),
        before: RunId | None = None,
        limit: int = SHOWN,
    ) -> Future[list[RunRecord]]:
        """The newest first; `before`: only those with a lower number."""
        condition, values = listing(locations, states, before, limit)
        return self._do(lambda: self._select(condition, values))

    def last_made(self, location: str, repository: str, name: str) -> Future[LastMade | None]:
        return self._do(lambda: self._last_made(location, repository, name))

    def kept(self, after: RunId) -> Future[list[tuple[RunId, str | None]]]:
        """Runs of higher numbers, the next BATCH of them: each with the manifest of its code."""
        return self._do(lambda: self._kept(after))

    def prune(
        self, now: float, seconds: float = KEPT_SECONDS, runs: int = KEPT_RUNS
    ) -> Future[list[RunId]]:
        """The numbers of finished runs that are no longer kept: at most BATCH at a time."""
        return self._do(lambda: self._prune(now, seconds, runs))

    def carry_out(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """`work` on the book's thread, in its turn: for the tables of ticks and of sensors."""
        return self._do(lambda: work(self._connection))

    # --- on the thread --------------------------------------------------------------------------

    def _do(self, work: Callable[[], T]) -> Future[T]:
        def told() -> T:
            try:
                self._put_back()
                return work()
            except (OSError, sqlite3.Error) as error:
                raise BookProblem(f"the book of runs {self._path}: {error}") from error

        return self._thread.submit(told)

    def _opened(self) -> sqlite3.Connection:
        try:
            make_folder(self._path.parent)
            try:
                return self._connected()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise  # locked, full, or not to be opened: that is no damage
                self._move_aside()
                return self._connected()
        except (OSError, sqlite3.Error) as error:
            raise BookProblem(f"the book of runs {self._path} cannot be opened: {error}") from error

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection, self._path)
            connection.execute("SELECT document FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_back(self) -> None:
        """A file that was removed under us would take with it what is written from now on. All of
        it is in memory until it is on the disk again."""
        if os.path.lexists(self._path) and not self._is_in_memory:
            return
        if not self._is_in_memory:
            memory = sqlite3.connect(":memory:", isolation_level=None)
            self._connection.backup(memory)
            self._connection.close()  # removes its log by name: before the next one has its own
            self._connection, self._is_in_memory = memory, True
        make_folder(self._path.parent)
        part = self._path.with_name(f"{self._path.name}.part")
        part.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(part)) as copy:
            self._connection.backup(copy)
        written = part.stat().st_ino
        part.rename(self._path)
        opened = self._connected()
        if not os.path.lexists(self._path) or self._path.stat().st_ino != written:
            opened.close()
            raise FileNotFoundError(f"{self._path} was removed again")
        self._connection.close()
        self._connection, self._is_in_memory = opened, False

    def _move_aside(self) -> None:
        self.set_aside = self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}")
        self._path.rename(self.set_aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{suffix}").rename(f"{self.set_aside}{suffix}")

    def _add(self, wish: RunWish, queued: float, first: Change | None) -> tuple[RunRecord, bool]:
        with transaction(self._connection):
            return self._added(wish, queued, first)

    def _add_all(self, wishes: Sequence[RunWish], queued: float, also: Also[T]) -> Added[T]:
        with transaction(self._connection):
            added = [self._added(wish, queued) for wish in wishes]
            new = [run for run, is_new in added if is_new]
            return also(self._connection, new), new

    def _added(
        self, wish: RunWish, queued: float, first: Change | None = None
    ) -> tuple[RunRecord, bool]:
        if wish.key is not None:
            known = self._select("location = ? AND key = ?", [wish.location, wish.key])
            if known:
                return known[0], False
        values = (wish.location, wish.key, RunState.QUEUED.value, queued, "")
        insert = "INSERT INTO runs (location, key, state, queued, document) VALUES (?,?,?,?,?)"
        number = self._connection.execute(insert, values).lastrowid
        run = RunRecord(RunId(number or 0), str(uuid4()), wish, queued)
        run = run if first is None else first(run)
        self._update(run)
        return run, True

    def _save(self, runs: Sequence[RunRecord]) -> None:
        with transaction(self._connection):
            for run in runs:
                self._update(run)
                self._note_made(run)

    def _update(self, run: RunRecord) -> None:
        update = "UPDATE runs SET state = ?, ended = ?, untold = ?, document = ? WHERE id = ?"
        told = (run.state.value, run.ended, len(run.untold), encoded(run))
        self._connection.execute(update, (*told, run.id))

    def _note_made(self, run: RunRecord) -> None:
        """An older run that ends later does not count as the newer."""
        insert = (
            "INSERT INTO made VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
            " run = excluded.run, at = excluded.at, generation = excluded.generation,"
            " manifest = excluded.manifest WHERE excluded.run >= made.run"
        )
        if not run.state.is_final:
            return
        for step in run.steps:
            if step["kind"] == "asset" and step["state"] == "succeeded":
                place = (run.wish.location, run.wish.repository, step["name"])
                code = (run.generation, run.manifest)
                self._connection.execute(insert, (*place, run.id, run.ended, *code))

    def _run(self, number: RunId) -> RunRecord | None:
        found = self._select("id = ?", [number])
        return found[0] if found else None

    def _select(self, condition: str, values: Sequence[Any]) -> list[RunRecord]:
        return selected(self._connection, condition, values)

    def _last_made(self, location: str, repository: str, name: str) -> LastMade | None:
        query = (
            "SELECT run, at, generation, manifest FROM made"
            " WHERE location = ? AND repository = ? AND name = ?"
        )
        row = self._connection.execute(query, (location, repository, name)).fetchone()
        return None if row is None else LastMade(RunId(row[0]), *row[1:])

    def _kept(self, after: RunId) -> list[tuple[RunId, str | None]]:
        query = (
            "SELECT id, json_extract(document, '$.manifest') FROM runs"
            " WHERE id > ? ORDER BY id LIMIT ?"
        )
        return self._connection.execute(query, (after, BATCH)).fetchall()

    def _prune(self, now: float, seconds: float, runs: int) -> list[RunId]:
        final = [state.value for state in RunState if state.is_final]
        query = (
            "SELECT id FROM (SELECT id, state, ended FROM runs ORDER BY id LIMIT ?)"  # noqa: S608
            f" WHERE state IN ({', '.join('?' * len(final))})"
            " AND (ended < ? OR id <= (SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET ?))"
            " ORDER BY id LIMIT ?"
        )
        found = self._connection.execute(
            query, (OLDEST, *final, now - seconds, runs, BATCH)
        ).fetchall()
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM runs WHERE id = ?", found)
        return [RunId(number) for (number,) in found]


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the book to the newest format, one version after the other. Raises BookProblem."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise BookProblem(
            f"the book of runs {path} is of format {version}, and this codelocd knows"
            f" {len(MIGRATIONS)}: start the newer codelocd that wrote it, or move the file away"
        )
    for number in range(version, len(MIGRATIONS)):
        script = f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT"
        connection.executescript(script)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is done meanwhile is in the book, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
