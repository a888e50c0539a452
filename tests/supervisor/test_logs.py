"""What runners print."""

from __future__ import annotations

import gzip
import os
import re
import resource
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codelocd.daemon import history
from codelocd.daemon.locations import Locations
from codelocd.model import LocationSpec
from codelocd.rpc.errors import RpcError
from codelocd.storage import logs as log_module
from codelocd.storage.journal import Journal
from codelocd.storage.log_files import LogFiles
from codelocd.storage.log_lines import Block, Splitter
from codelocd.storage.logs import RECENT_LINES, LogQuery, Logs
from codelocd.storage.paths import file_name

NOON = 1_700_000_000.125


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def logs(folder: Path, clock: Clock) -> Iterator[Logs]:
    with_small_files = Logs(folder, clock=clock, file_bytes=2000, kept_bytes=2000)
    yield with_small_files
    with_small_files.close()


def texts(logs: Logs, location: str = "sales", n: int = 10_000) -> list[str]:
    return [line.text for line in logs.lines([location], n)]


def stored(folder: Path, name: str = "sales.log") -> bytes:
    return (folder / name).read_bytes()


# --- lines ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n")), max_size=9),
    st.integers(1, 7),
)
def test_however_output_is_cut_its_lines_arrive_whole(lines: list[str], step: int) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    splitter = Splitter()
    found = [line for i in range(0, len(data), step) for line in splitter.feed(data[i : i + step])]
    assert found == lines
    assert splitter.close() == []


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 9), st.integers(4, 20))
def test_however_long_lines_are_nothing_is_lost(data: bytes, step: int, longest: int) -> None:
    splitter = Splitter(longest)
    found = [line for i in range(0, len(data), step) for line in splitter.feed(data[i : i + step])]
    found += splitter.close()
    expected = "".join(line.decode("utf-8", "backslashreplace") for line in data.split(b"\n"))
    assert "".join(found).replace("\\x", "") == expected.replace("\\x", "")
    assert all(len(line.encode()) <= longest * 4 for line in found)


def test_a_line_that_is_too_long_is_split_between_characters() -> None:
    splitter = Splitter(longest=10)
    assert splitter.feed("é".encode() * 12 + b"\nshort\n") == ["é" * 5, "é" * 5, "éé", "short"]
    assert splitter.feed(b"a" + "é".encode() * 12) == ["aéééé", "ééééé"]
    assert splitter.close() == ["ééé"]


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert Splitter().feed(b"caf\xe9 \xff\n") == ["caf\\xe9 \\xff"]


def test_only_a_newline_ends_a_line() -> None:
    assert Splitter().feed("a\rb\x0bc\u2028d\x00\n\n".encode()) == ["a\rb\x0bc\u2028d\x00", ""]


# --- what is kept --------------------------------------------------------------------------------


def test_lines_say_when_where_and_from_whom_they_came(logs: Logs, clock: Clock) -> None:
    out = logs.output("sales", 3)
    out("stdout", b"one\n")
    clock.now += 1
    out("stderr", b"two\n")
    logs.output("sales", None)("stdout", b"three\n")
    assert [line.document() for line in logs.lines(["sales"], 10)] == [
        {
            "seq": 1,
            "at": NOON,
            "location": "sales",
            "stream": "stdout",
            "text": "one",
            "generation": 3,
        },
        {
            "seq": 2,
            "at": NOON + 1,
            "location": "sales",
            "stream": "stderr",
            "text": "two",
            "generation": 3,
        },
        {
            "seq": 3,
            "at": NOON + 1,
            "location": "sales",
            "stream": "stdout",
            "text": "three",
            "generation": None,
        },
    ]


def test_the_streams_of_a_runner_do_not_mix_within_a_line(logs: Logs) -> None:
    out = logs.output("sales", 1)
    out("stdout", b"out")
    out("stderr", b"err\n")
    out("stdout", b"put\n")
    assert texts(logs) == ["err", "output"]


def test_a_last_line_without_an_end_is_kept(logs: Logs) -> None:
    out = logs.output("sales", 1)
    out("stdout", b"one\nlast words")
    assert texts(logs) == ["one"]
    out("stdout", b"")
    out("stdout", b"")
    assert texts(logs) == ["one", "last words"]


def test_the_last_lines_of_several_locations_come_in_order_of_time(
    logs: Logs, clock: Clock
) -> None:
    for number in range(6):
        logs.output("sales" if number % 2 else "ingest", 1)("stdout", b"%d\n" % number)
        clock.now += 1
    assert [line.text for line in logs.lines(["ingest", "sales"], 4)] == ["2", "3", "4", "5"]
    assert texts(logs, n=2) == ["3", "5"]
    assert texts(logs, n=0) == []
    assert texts(logs, "unknown") == []


def test_followers_get_lines_in_blocks(folder: Path, clock: Clock) -> None:
    heard: list[Block] = []
    logs = Logs(folder, follow=heard.append, clock=clock)
    out = logs.output("sales", 2)
    for chunk in (b"one\ntwo\nth", b"r", b"ee\n"):
        out("stdout", chunk)
    assert [(block.texts, block.stream, block.generation) for block in heard] == [
        (["one", "two"], "stdout", 2),
        (["three"], "stdout", 2),
    ]
    assert [(line.seq, line.text) for line in heard[0].lines()] == [(1, "one"), (2, "two")]
    assert (heard[0].last, heard[1].seq) == (2, 3)
    logs.close()


def test_the_last_lines_survive_a_restart_of_the_daemon(
    logs: Logs, folder: Path, clock: Clock
) -> None:
    logs.output("sales", 3)("stdout", "one\ntwo é \\xff\n\n".encode() + b"\xfe\n")
    logs.output("sales", None)("stderr", b"three\n")
    before = logs.lines(["sales"], 10)
    logs.close()
    again = Logs(folder, clock=clock)
    assert again.lines(["sales"], 10) == before
    again.output("sales", 1)("stdout", b"four\n")
    assert texts(again) == ["one", "two é \\xff", "", "\\xfe", "three", "four"]
    assert texts(again, n=2) == ["three", "four"]
    again.close()


def test_more_lines_than_memory_holds_come_from_the_files(folder: Path) -> None:
    logs = Logs(folder)
    out = logs.output("sales", 1)
    for number in range(RECENT_LINES * 3):
        out("stdout", b"%d\n" % number)
    for n in (1, RECENT_LINES, RECENT_LINES + 1, RECENT_LINES * 3, RECENT_LINES * 4):
        expected = list(map(str, range(RECENT_LINES * 3)))[-n:]
        assert texts(logs, n=n) == expected
    logs.close()


def test_a_line_in_a_file_that_somebody_edited_is_passed_over(logs: Logs, folder: Path) -> None:
    folder.mkdir()
    (folder / "sales.log").write_bytes(
        b"nonsense\n7 2026-01-31T06:00:00.000Z 3 stdout good\n"
        b"8 2026-01-31T06:00:00Z x stdout y\n\xff"
    )
    assert texts(logs) == ["good"]
    logs.output("sales", 1)("stdout", b"new\n")
    assert texts(logs) == ["good", "new"]


# --- files ---------------------------------------------------------------------------------------


def test_files_are_set_aside_between_lines_compressed_and_bounded(logs: Logs, folder: Path) -> None:
    out = logs.output("sales", 1)
    for number in range(1000):
        out("stdout", b"line %d %d\n" % (number, hash(str(number))))
    kept = texts(logs)
    logs.close()
    names = sorted(os.listdir(folder))
    assert names[0] == "sales.log"
    assert all(re.fullmatch(r"sales\.log\.\d{12}\.gz", name) for name in names[1:])
    assert sum((folder / name).stat().st_size for name in names[1:]) <= 2000
    numbers = [int(line.split()[1]) for line in kept]
    assert numbers == list(range(1000 - len(numbers), 1000))
    old = [gzip.decompress(stored(folder, name)) for name in names[1:]]
    assert all(each.endswith(b"\n") for each in (*old, stored(folder)))
    last = [int(each.splitlines()[-1].split()[0]) for each in old]
    assert last == [int(name.split(".")[2]) for name in names[1:]]


def test_files_are_for_their_owner_alone(logs: Logs, folder: Path) -> None:
    logs.output("sales", 1)("stdout", b"secret\n")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "sales.log").stat().st_mode & 0o777 == 0o600


def test_every_name_of_a_location_has_a_file_of_its_own() -> None:
    names = [
        "sales",
        "Sales",
        "SALES",
        "a.py:defs",
        "a.py_defs",
        ".",
        "..",
        "é",
        "x" * 300,
        " ",
        "-",
    ]
    files = {file_name(name).casefold() for name in names}
    assert len(files) == len(names)
    assert all(len(file) < 120 and "/" not in file and file[0] != "." for file in files)
    assert file_name("sales") == "sales"


def test_a_full_disk_loses_output_but_never_raises_and_ends_by_itself(
    logs: Logs, folder: Path
) -> None:
    folder.mkdir()
    (folder / "sales.log").symlink_to("/dev/full")
    out = logs.output("sales", 1)
    out("stdout", b"lost on disk\n")
    lost = len(b"1 2023-11-14T22:13:20.125Z 1 stdout lost on disk\n")
    assert logs.dropped == {"sales": {"bytes": lost, "why": "No space left on device"}}
    assert texts(logs) == ["lost on disk"]
    (folder / "sales.log").unlink()
    out("stdout", b"back again\n")
    assert stored(folder).endswith(b" 1 stdout back again\n")
    assert texts(logs) == ["lost on disk", "back again"]


def log_file(path: Path) -> LogFiles:
    return LogFiles(path, 1000, 3000, lambda work: work())


def test_a_disk_that_fills_up_within_a_line_leaves_whole_lines(tmp_path: Path) -> None:
    """A limit on the size of files makes a write fall short as a full disk does."""
    file = log_file(tmp_path / "x.log")
    assert file.append(b"first line\n", 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15, hard))
    try:
        assert not file.append(b"second line\n", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (file.dropped, file.why) == (len(b"second line\n"), "File too large")
    assert file.append(b"third line\n", 3)
    assert (tmp_path / "x.log").read_bytes() == b"first line\nthird line\n"
    file.close()


def test_a_line_that_a_power_cut_left_without_an_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"whole\nhal")
    file = log_file(tmp_path / "x.log")
    assert file.append(b"next\n", 1)
    assert (tmp_path / "x.log").read_bytes() == b"whole\nhal\nnext\n"
    file.close()


def test_a_folder_that_cannot_be_made_loses_output_on_disk_only(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    logs = Logs(tmp_path / "logs")
    logs.output("sales", 1)("stdout", b"one\n")
    assert logs.dropped
    assert texts(logs) == ["one"]


def test_a_location_that_is_gone_leaves_its_files(logs: Logs, folder: Path) -> None:
    logs.output("sales", 1)("stdout", b"one\n")
    logs.forget("sales")
    logs.forget("sales")
    assert texts(logs) == ["one"]
    assert stored(folder).endswith(b"one\n")


def test_memory_and_disk_stay_bounded_however_much_is_printed(folder: Path) -> None:
    logs = Logs(folder, file_bytes=1_000_000, kept_bytes=1_000_000)
    out = logs.output("sales", 1)
    chunk = (b"x" * 60_000 + b"\n") + b"y\n" * 2000
    tracemalloc.start()
    try:
        for _ in range(200):
            out("stdout", chunk)
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()
    logs.close()
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 2_000_000


def test_a_file_that_was_removed_is_begun_anew(tmp_path: Path) -> None:
    file = log_file(tmp_path / "logs" / "sales.log")
    assert file.append(b"one\n", 1)
    (tmp_path / "logs" / "sales.log").unlink()
    (tmp_path / "logs").rmdir()
    assert file.append(b"two\n", 2)
    assert (tmp_path / "logs" / "sales.log").read_bytes() == b"two\n"
    file.close()


# --- numbers -------------------------------------------------------------------------------------


def test_numbers_go_on_where_an_earlier_daemon_ended(folder: Path, clock: Clock) -> None:
    for first in (1, 3, 5):
        logs = Logs(folder, clock=clock)
        logs.output("sales", 1)("stdout", b"same line\nsame line\n")
        found = [line.seq for line in logs.lines(["sales"], 10)]
        assert found == list(range(1, first + 2))
        assert logs.last_numbers(["sales", "quiet"]) == {"sales": first + 1, "quiet": 0}
        logs.close()


def test_numbers_go_on_behind_files_that_were_set_aside(folder: Path) -> None:
    logs = Logs(folder, file_bytes=200)
    for _ in range(20):
        logs.output("sales", 1)("stdout", b"one\ntwo\n")
    logs.close()
    (folder / "sales.log").unlink()
    [*_, newest] = sorted(os.listdir(folder))
    again = Logs(folder)
    assert again.last_numbers(["sales"]) == {"sales": int(newest.split(".")[2])}
    again.close()


# --- asking for a part ---------------------------------------------------------------------------


@pytest.fixture
def month(folder: Path, clock: Clock) -> Iterator[Logs]:
    """Three thousand lines, a second apart, most of them in files that were set aside."""
    logs = Logs(folder, clock=clock, file_bytes=20_000)
    out = logs.output("sales", 1)
    for number in range(3000):
        out("stderr" if number % 10 == 0 else "stdout", b"line %d.\n" % number)
        clock.now += 1
    yield logs
    logs.close()


def numbers(logs: Logs, query: LogQuery) -> list[int]:
    _, read = logs.reading(["sales"], query)
    found, more = read()
    assert not more
    return [line.seq for line in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (LogQuery(3), range(2998, 3001)),
        (LogQuery(3, before={"sales": 100}), range(97, 100)),
        (LogQuery(3, before={"other": 100}), range(2998, 3001)),
        (LogQuery(3, after={}), range(1, 4)),
        (LogQuery(3, after={"sales": 100}), range(101, 104)),
        (LogQuery(3, after={"sales": 2998}), range(2999, 3001)),
        (LogQuery(9, after={"sales": 3000}), range(0)),
        (LogQuery(9, since=NOON + 2995), range(2996, 3001)),
        (LogQuery(9, since=NOON + 2994.5), range(2996, 3001)),
        (LogQuery(3, until=NOON + 50), range(48, 51)),
        (LogQuery(9, since=NOON + 50, until=NOON + 53), range(51, 54)),
        (LogQuery(3, after={}, since=NOON + 50), range(51, 54)),
        (LogQuery(3, stream="stderr"), range(2971, 3000, 10)),
        (LogQuery(3, stream="stderr", until=NOON + 50), range(21, 50, 10)),
        (LogQuery(9, contains="line 77."), [78]),
        (LogQuery(9, contains="stdout"), []),
        (LogQuery(0), []),
        (LogQuery(0, after={}), []),
    ],
)
def test_lines_are_found_by_number_time_stream_and_text(
    month: Logs, query: LogQuery, expected: Sequence[int]
) -> None:
    assert numbers(month, query) == list(expected)


def test_a_row_of_pages_has_every_line_once_in_either_direction(month: Logs) -> None:
    everything = list(range(1, 3001))
    forwards: list[int] = []
    while page := numbers(month, LogQuery(700, after={"sales": forwards[-1] if forwards else 0})):
        forwards += page
    backwards: list[int] = []
    while page := numbers(month, LogQuery(700, before={"sales": (backwards or [9999])[0]})):
        backwards[:0] = page
    assert forwards == backwards == everything


def test_an_answer_is_bounded_and_says_so(month: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "ANSWER_BYTES", 100)
    for query, first in ((LogQuery(50), 2991), (LogQuery(50, after={}), 1)):
        found, more = month.reading(["sales"], query)[1]()
        assert (found[0].seq, more) == (first, True)


def test_memory_answers_what_it_can_and_files_the_rest(month: Logs) -> None:
    asked = {
        False: [LogQuery(1000), LogQuery(5, after={"sales": 2500})],
        True: [LogQuery(2000), LogQuery(5, after={"sales": 1500}), LogQuery(5, contains="x")],
    }
    for slow, queries in asked.items():
        assert [month.reading(["sales"], query)[0] for query in queries] == [slow] * len(queries)


def test_a_file_that_is_damaged_gives_what_comes_before_the_damage(
    month: Logs, folder: Path
) -> None:
    month.close()
    oldest = min(path for path in folder.iterdir() if path.suffix == ".gz")
    oldest.write_bytes(oldest.read_bytes()[:-200])
    again = Logs(folder)
    found = numbers(again, LogQuery(9999))
    assert found[0] == 1
    assert found[-1] == 3000
    assert 2500 < len(found) < 3000
    again.close()


@pytest.mark.parametrize("lines", [history.MOST_LINES + 1, 2**63])
async def test_no_more_lines_are_given_at_once_than_the_bound(tmp_path: Path, lines: int) -> None:
    logs, journal = Logs(tmp_path / "logs"), Journal(tmp_path / "journal", lambda: 0.0)
    for asked in (
        history.logs(logs, [], {"lines": lines}),
        history.events(journal, None, {"lines": lines}),
    ):
        with pytest.raises(RpcError, match="lines must be at most 100000") as caught:
            await asked
        assert caught.value.kind == "usage"
    most: dict[str, Any] = {"lines": history.MOST_LINES}
    assert (await history.logs(logs, [], most))["lines"] == []
    assert (await history.events(journal, None, most))["events"] == []


def test_a_name_that_is_asked_for_many_times_counts_once() -> None:
    locations = Locations()
    locations.external["a"] = LocationSpec.__new__(LocationSpec)
    assert locations.known(["a"] * 60_000) == ["a"]
