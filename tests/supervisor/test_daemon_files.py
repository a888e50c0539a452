"""What a daemon keeps in its state directory: wanted states, the journal, the lock."""

import json
import os
from pathlib import Path

import pytest

from codelocd import journal
from codelocd.journal import Journal
from codelocd.lock import Busy, held
from codelocd.wanted import Wanted


def test_a_stop_holds_for_the_next_daemon(tmp_path: Path) -> None:
    Wanted(tmp_path / "wanted.json").unwant("sales")
    again = Wanted(tmp_path / "wanted.json")
    assert not again.is_wanted("sales")
    assert again.is_wanted("ingest")


def test_a_start_ends_the_stop(tmp_path: Path) -> None:
    wanted = Wanted(tmp_path / "wanted.json")
    wanted.unwant("sales")
    wanted.want("sales")
    assert Wanted(tmp_path / "wanted.json").is_wanted("sales")


def test_a_broken_file_of_wanted_states_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "wanted.json").write_text("{")
    assert Wanted(tmp_path / "wanted.json").is_wanted("sales")
    assert (tmp_path / "wanted.broken").read_text() == "{"


def test_journal_entries_are_numbered_and_written_down(tmp_path: Path) -> None:
    entries = Journal(tmp_path / "events.jsonl", clock=lambda: 12.5)
    entries.write("started", "sales", before="stopped", after="building")
    entries.write("loaded", "sales", generation=1)
    assert [entry.seq for entry in entries.last(10)] == [1, 2]
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {
        "seq": 1,
        "at": 12.5,
        "location": "sales",
        "event": "started",
        "before": "stopped",
        "after": "building",
        "generation": None,
        "detail": None,
    }


def test_the_journal_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ROTATE_BYTES", 100)
    entries = Journal(tmp_path / "events.jsonl", clock=lambda: 0.0)
    for _ in range(5):
        entries.write("started")
    assert (tmp_path / "events.1").exists()
    assert (tmp_path / "events.jsonl").stat().st_size < 300


def test_a_journal_that_cannot_be_written_keeps_its_entries(tmp_path: Path) -> None:
    entries = Journal(tmp_path / "missing" / "events.jsonl", clock=lambda: 0.0)
    entries.write("started")
    assert len(entries.last(5)) == 1


def test_a_second_daemon_on_the_same_state_is_told_whose_it_is(tmp_path: Path) -> None:
    path, holder = tmp_path / "lock", f"pid {os.getpid()}"
    with held(path), pytest.raises(Busy, match=holder), held(path):
        pass
    with held(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
