"""The book of runs and their folders, on a real disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.core.shapes import WrongShape
from codelocd.runs import folder as folder_module
from codelocd.runs.book import BookProblem, RunBook
from codelocd.runs.book_format import MIGRATIONS
from codelocd.runs.folder import AttemptFiles, RunFolders, checked_result
from codelocd.runs.model import RunAttempt, RunId, RunPolicy, RunRecord, RunState, RunWish
from codelocd.runs.tick_book import TickBook
from codelocd.runs.ticks import SchedulePlace

POLICY = RunPolicy(retries=2, limits={"db": 1})
WISH = RunWish("sales", job="nightly", params={"day": "x"}, tags={"a": "b"}, policy=POLICY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "book.db"


@pytest.fixture
def book(path: Path):
    book = RunBook(path)
    yield book
    book.close()


def finished(run: RunRecord, at: float, *made: str) -> RunRecord:
    steps = tuple({"kind": "asset", "name": name, "state": "succeeded"} for name in made)
    return replace(run, state=RunState.SUCCEEDED, ended=at, steps=steps, generation=3)


def change(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql)
    connection.close()


def test_a_run_is_kept_as_it_is_and_found_by_the_next_daemon(path: Path) -> None:
    book = RunBook(path)
    run, is_new = book.add(WISH, 5.0).result()
    assert (is_new, run.id, run.wish) == (True, 1, WISH)
    changed = replace(run, state=RunState.RUNNING, attempts=(RunAttempt(1, pid=3),))
    book.save([changed]).result()
    book.close()

    again = RunBook(path)
    assert again.unfinished().result() == [changed]
    assert again.run(RunId(1)).result() == changed
    assert again.run(RunId(2)).result() is None
    again.close()


def test_what_is_answered_is_on_the_disk(book: RunBook) -> None:
    """As SQLite calls it: FULL, by which a write-ahead log outlives the machine's end, too."""
    asked = ("PRAGMA synchronous", "PRAGMA journal_mode")
    found = book.carry_out(lambda opened: [opened.execute(each).fetchone()[0] for each in asked])
    assert found.result() == [2, "wal"]


def test_the_same_key_of_a_location_is_the_same_run(book: RunBook) -> None:
    first, _ = book.add(replace(WISH, key="k"), 1.0).result()
    second, is_new = book.add(replace(WISH, key="k"), 2.0).result()
    other, _ = book.add(replace(WISH, key="k", location="x"), 3.0).result()

    assert (second, is_new) == (first, False)
    assert other.id != first.id


def test_runs_are_listed_page_by_page_the_newest_first(book: RunBook) -> None:
    for number in range(5):
        run, _ = book.add(replace(WISH, location="ab"[number % 2]), float(number)).result()
        if number == 2:
            book.save([finished(run, 9.0)]).result()

    def numbers(**chosen: Any) -> list[int]:
        return [each.id for each in book.listed(**chosen).result()]

    assert numbers() == [5, 4, 3, 2, 1]
    assert numbers(limit=2, before=RunId(4)) == [3, 2]
    assert numbers(locations=["b"]) == [4, 2]
    assert numbers(states=[RunState.SUCCEEDED]) == [3]


def test_the_newest_run_that_made_an_asset_is_known_after_it_is_left_out(book: RunBook) -> None:
    first, _ = book.add(WISH, 1.0).result()
    second, _ = book.add(WISH, 2.0).result()
    book.save([finished(second, 20.0, "a")]).result()
    book.save([finished(first, 30.0, "a", "b")]).result()
    assert book.prune(100.0, seconds=10.0).result() == [1, 2]
    assert book.listed().result() == []
    made = book.last_made("sales", "__repository__", "a").result()
    assert made is not None
    assert (made.run, made.at, made.generation) == (2, 20.0, 3)
    assert book.last_made("sales", "__repository__", "b").result() is not None
    assert book.last_made("sales", "__repository__", "c").result() is None


def test_what_is_old_or_too_many_is_left_out_and_what_runs_is_not(book: RunBook) -> None:
    for number in range(6):
        run, _ = book.add(WISH, float(number)).result()
        if number != 1:
            book.save([finished(run, float(number))]).result()
    assert book.prune(10.0, seconds=1000.0, runs=3).result() == [1, 3]
    assert book.prune(1003.5, seconds=1000.0, runs=3).result() == [4]
    assert [each.id for each in book.listed().result()] == [6, 5, 2]
    assert book.add(WISH, 9.0).result()[0].id == 7


def test_what_was_answered_outlives_a_process_that_is_killed(path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from codelocd.runs.book import RunBook
from codelocd.runs.model import RunWish
book = RunBook(Path({str(path)!r}))
for number in range(20):
    book.add(RunWish("sales", key=str(number)), 1.0).result()
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    book = RunBook(path)
    assert len(book.unfinished().result()) == len(done.stdout.split()) == 20
    book.close()


def test_a_damaged_book_is_set_aside_and_told(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)
    book = RunBook(path)
    assert book.set_aside is not None
    assert book.set_aside.read_bytes().endswith(b"nonsense")
    assert book.add(WISH, 1.0).result()[0].id == 1
    book.close()


def test_a_book_that_is_removed_while_it_is_open_is_put_back_as_it_was(path: Path) -> None:
    book = RunBook(path)
    first, _ = book.add(WISH, 5.0).result()
    for _ in range(2):
        shutil.rmtree(path.parent)
        book.save([replace(first, state=RunState.RUNNING)]).result()
    second, _ = book.add(WISH, 6.0).result()
    book.close()
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    book = RunBook(path)
    assert book.set_aside is None
    assert [(each.id, each.state) for each in book.listed().result()] == [
        (second.id, RunState.QUEUED),
        (first.id, RunState.RUNNING),
    ]
    book.close()


def test_a_book_that_is_removed_is_there_again_without_any_run_and_after_its_end(
    path: Path,
) -> None:
    book = RunBook(path)
    first, _ = book.add(WISH, 5.0).result()
    shutil.rmtree(path.parent)
    book.put_back().result()
    with contextlib.closing(sqlite3.connect(path)) as copy:  # as after a kill -9
        assert copy.execute("SELECT id FROM runs").fetchall() == [(first.id,)]
    shutil.rmtree(path.parent)
    book.close()
    book = RunBook(path)
    assert [each.id for each in book.listed().result()] == [first.id]
    book.close()


def test_a_book_that_cannot_be_put_back_yet_is_later(path: Path) -> None:
    book = RunBook(path)
    first, _ = book.add(WISH, 5.0).result()
    shutil.rmtree(path.parent)
    path.parent.write_text("")
    for _ in range(2):
        with pytest.raises(BookProblem):
            book.add(WISH, 6.0).result()
    path.parent.unlink()
    second, _ = book.add(WISH, 7.0).result()
    book.close()
    assert [path.name] == [each.name for each in path.parent.iterdir()]
    book = RunBook(path)
    assert [each.id for each in book.listed().result()] == [second.id, first.id]
    book.close()


def test_a_book_of_a_newer_version_is_left_as_it_is(path: Path) -> None:
    RunBook(path).close()
    change(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(BookProblem, match="start the newer codelocd that wrote it"):
        RunBook(path)
    assert path.exists()


BOOKS = Path(__file__).parent / "books"
"""Books as the codelocd of then has written them, one for each earlier format, as SQL."""


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_a_book_of_each_earlier_version_is_brought_to_the_newest(path: Path, version: int) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    if version:
        connection.executescript((BOOKS / f"format-{version}.sql").read_text())
    connection.close()
    book = RunBook(path)
    assert book.add(WISH, 1.0).result()[1]
    if version:
        done, waits = book.run(RunId(1)).result(), book.run(RunId(2)).result()
        assert done is not None
        assert waits is not None
        assert (done.state, done.wish.params) == (RunState.SUCCEEDED, {"day": "2026-11-27"})
        assert (done.wish.policy.limits, done.steps[0]["metadata"]) == ({"db": 1}, {"rows": 1204})
        assert (waits.state, waits.wish.select) == (RunState.QUEUED, ("orders",))
        assert book.add(replace(WISH, key="2026-11-27"), 1.0).result() == (done, False)
        made = book.last_made("sales", "__repository__", "orders").result()
        assert made is not None
        assert made.run == 1
    ticks = TickBook(book).ticks(SchedulePlace("sales", "__repository__", "every_morning"), 9)
    assert [tick.count for tick in ticks.result()] == [71] * (version > 1)
    book.close()


def test_a_book_of_100_000_runs_is_not_read_through(path: Path) -> None:
    """Neither for a page of it, whatever it is of, nor to find what is no longer kept."""
    book = RunBook(path)
    for location in ("a", "b"):
        run, _ = book.add(replace(WISH, location=location), 1.0).result()
        book.save([finished(run, 2.0)]).result()
    change(
        path,
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50000)"
        " INSERT INTO runs (location, state, queued, ended, document)"
        " SELECT location, state, queued, ended, document FROM runs, n",
    )
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def watch(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(count, 1000)

    book.carry_out(watch).result()
    for locations in (None, ["a"], ["a", "b"], ["c"]):
        book.listed(locations=locations).result()
    for states in ([RunState.SUCCEEDED], [RunState.FAILED], [RunState.FAILED, RunState.LOST]):
        book.listed(states=states).result()
    book.unfinished().result()
    book.last_made("a", "__repository__", "x").result()
    assert steps < 50, "what reads all of them takes 300 at least"
    before = bytes_read()
    for states in ([RunState.SUCCEEDED], [RunState.FAILED], [RunState.FAILED, RunState.LOST]):
        for locations in (["a"], ["a", "b"], ["c"]):
            book.listed(locations=locations, states=states).result()
    assert bytes_read() - before < path.stat().st_size / 4, "an index is a thirtieth"
    steps = 0
    book.prune(3.0, seconds=1000.0, runs=200_000).result()
    book.close()
    assert steps < 500, "what reads the end of each takes 1000"


def bytes_read() -> int:
    """By this process until now (proc(5), `rchar`)."""
    first = Path("/proc/self/io").read_text().splitlines()[0]
    return int(first.removeprefix("rchar: "))


def test_an_entry_that_cannot_be_read_hides_no_other(book: RunBook, path: Path) -> None:
    for _ in range(2):
        book.add(WISH, 1.0).result()
    change(path, "UPDATE runs SET document = '{\"id\": 1}' WHERE id = 1")
    assert [each.id for each in book.listed().result()] == [2]


def test_a_book_that_cannot_be_written_says_so_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(BookProblem, match=r"book of runs .* cannot be opened") as caught:
        RunBook(tmp_path / "runs" / "book.db")
    assert "\n" not in str(caught.value)


# --- folders ---------------------------------------------------------------------------------

RUN = RunId(7)
STEP = {"kind": "asset", "name": "a", "state": "succeeded"}
GOOD = {"state": "succeeded", "steps": [STEP]}


def test_the_files_of_an_attempt_are_looked_at(tmp_path: Path) -> None:
    folders = RunFolders(tmp_path / "runs")
    gone = f"its folder {folders.of(RUN)} was removed while it ran"
    assert folders.look(RUN, 1) == AttemptFiles(damage=gone)
    order = folders.write_order(RUN, 1, {"run": 7})
    assert folders.look(RUN, 1) == AttemptFiles()
    assert json.loads(order.read_text()) == {"run": 7, "folder": str(order.parent)}
    (order.parent / "lock.1").touch()
    (order.parent / "begun.1").touch()
    with open(order.parent / "lock.1", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert folders.look(RUN, 1) == AttemptFiles(lives=True, begun=True)
    (order.parent / "result.1").write_text(json.dumps(GOOD))
    found = folders.look(RUN, 1)
    assert (found.lives, found.begun, found.damage) == (False, True, None)
    assert found.result is not None
    assert found.result["steps"][0]["checks"] == []
    (order.parent / "result.1").write_text("{")
    assert (folders.look(RUN, 1).damage or "").startswith("its result cannot be read: ")
    assert folders.numbers() == [7]
    folders.remove(RUN)
    assert folders.numbers() == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"state": "well"}, "state is not one of"),
        ({"steps": {}}, "steps is no list"),
        ({"steps": [3]}, "a step is no object"),
        ({"steps": [{"kind": "asset", "name": "a"}]}, "state is nothing, not a text"),
        ({"steps": [{**STEP, "checks": 3}]}, "checks is no list"),
        ({"steps": [{**STEP, "checks": [{}]}]}, "name is nothing, not a text"),
        ({"late": {"a": 3}}, "late has a value that is no digest"),
        ({"why": 3}, "why is no text"),
        ({"memory_peak": "x"}, "memory_peak is no number of bytes"),
        ({"ended": True}, "ended is no number of seconds"),
        ({"clock": 10**400}, "clock is no number of seconds"),
    ],
)
def test_a_result_is_not_believed_before_it_is_checked(
    changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(WrongShape, match=complaint):
        checked_result(json.dumps({**GOOD, **changed}).encode())


def test_a_look_waits_for_what_the_machine_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor nothing is known of an attempt: it may live, and have succeeded."""
    folders = RunFolders(tmp_path)
    folder = folders.of(RunId(1))
    folder.mkdir()
    (folder / "begun.1").touch()
    (folder / "result.1").write_text('{"state": "succeeded", "steps": []}')
    lacks = iter([OSError(errno.EMFILE, "too many"), OSError(errno.ENFILE, "too many")])
    opened = os.open

    def short(*arguments: Any, **named: Any) -> int:
        if (error := next(lacks, None)) is not None:
            raise error
        return opened(*arguments, **named)

    monkeypatch.setattr(os, "open", short)
    monkeypatch.setattr(folder_module, "AGAIN", 0.0)
    files = folders.look(RunId(1), 1)
    assert files.result is not None
    assert next(lacks, None) is None
