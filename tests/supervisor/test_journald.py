"""What a service writes to systemd's journal; the journal is a socket of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon import journald
from codelocd.daemon.journald import Journald


class Journal:
    """Reads entries as journald does."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "journal")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def entries(self) -> list[dict[str, str]]:
        found = []
        while True:
            try:
                found.append(self._fields(self._socket.recv(1 << 20)))
            except BlockingIOError:
                return found

    def _fields(self, data: bytes) -> dict[str, str]:
        fields = {}
        while data:
            name, separator, rest = data.partition(b"\n")
            if b"=" in name:
                key, _, value = name.partition(b"=")
                data = rest
            else:
                size = int.from_bytes(rest[:8], "little")
                key, value, data = name, rest[8 : 8 + size], rest[8 + size + 1 :]
            assert separator
            fields[key.decode()] = value.decode()
        return fields

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def status(event: str, detail: str | None = None, problem: Any = None) -> Any:
    what = {"event": event, "location": "sales", "after": "serving", "generation": 3}
    location = {"name": "sales", "generation": 3, "pid": 77, "problem": problem}
    data = {"event": {**what, "detail": detail}, "location": location}
    return {"topic": "status", "data": data}


def printed(*texts: str, generation: int = 3) -> Any:
    block = {"location": "sales", "stream": "stderr", "texts": list(texts)}
    return {"topic": "logs", "data": {**block, "generation": generation}}


def test_an_event_has_fields_to_search_by_and_no_time_of_its_own(journal: Journal) -> None:
    Journald(journal.path).observe(status("loaded"))
    assert journal.entries() == [
        {
            "MESSAGE": "sales: loaded (serving)",
            "PRIORITY": "6",
            "SYSLOG_IDENTIFIER": "codelocd",
            "CODELOCD_LOCATION": "sales",
            "CODELOCD_EVENT": "loaded",
            "CODELOCD_STATE": "serving",
            "CODELOCD_GENERATION": "3",
            "CODELOCD_PID": "77",
        }
    ]


def test_a_problem_is_a_warning_with_its_traceback(journal: Journal) -> None:
    problem = {"detail": "Traceback:\n  File 1\nSyntaxError: no\n"}
    Journald(journal.path).observe(status("load-failed", "SyntaxError: no", problem))
    [entry] = journal.entries()
    assert entry["PRIORITY"] == "4"
    assert entry["MESSAGE"] == (
        "sales: load-failed (serving): SyntaxError: no\nTraceback:\n  File 1\nSyntaxError: no"
    )


def test_output_names_location_generation_stream_and_runner(journal: Journal) -> None:
    journald = Journald(journal.path)
    journald.observe(status("loaded"))
    journald.observe(printed("one", "two"))
    journald.observe(printed("of another runner", generation=4))
    _, one, two, other = journal.entries()
    assert (one["MESSAGE"], two["MESSAGE"]) == ("sales: one", "sales: two")
    names = ("LOCATION", "GENERATION", "STREAM", "PID")
    assert [one[f"CODELOCD_{name}"] for name in names] == ["sales", "3", "stderr", "77"]
    assert "CODELOCD_PID" not in other


def test_a_flood_is_cut_and_says_where_the_rest_is(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codelocd.daemon.journald.LINES_A_SECOND", 5)
    monkeypatch.setattr("codelocd.daemon.journald.time.monotonic", lambda: 10.0)
    Journald(journal.path).observe(printed(*map(str, range(100))))
    *lines, last = [each["MESSAGE"] for each in journal.entries()]
    assert lines == [f"sales: {number}" for number in range(5)]
    assert last == "sales: 95 or more lines in this second; codelocd logs sales has them"


def test_what_the_journal_does_not_take_is_counted_in_the_next_entry(tmp_path: Path) -> None:
    late = Journald(str(tmp_path / "journal"))
    for _ in range(3):
        late.remark("warning", "nobody hears this")
    journal = Journal(tmp_path)
    late.remark("error", "this is heard", where="control")
    late.remark("info", "so is this")
    first, second = journal.entries()
    assert (first["CODELOCD_LOST"], first["PRIORITY"]) == ("3", "3")
    assert first["CODELOCD_WHERE"] == "control"
    assert "CODELOCD_LOST" not in second
    journal.close()


def test_the_longest_line_fits(journal: Journal) -> None:
    Journald(journal.path).remark("info", "x" * 1_000_000)
    [entry] = journal.entries()
    assert len(entry["MESSAGE"]) == journald.LONGEST


def test_the_journal_is_used_where_stdout_goes_there_alone(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        found = os.fstat(out.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert journald.is_where_we_write(environ, out.fileno())
        assert not journald.is_where_we_write({"JOURNAL_STREAM": "1:2"}, out.fileno())
        assert not journald.is_where_we_write({}, out.fileno())
