"""What a daemon keeps in its state directory: wanted states, the journal, the lock."""

import json
import os
import threading
from pathlib import Path

import pytest

from codeloc_envs import files
from codelocd.model import Snapshot
from codelocd.storage import journal
from codelocd.storage.desired_state import DesiredState
from codelocd.storage.journal import Journal, JournalQuery
from codelocd.storage.paths import Busy, held_lock
from codelocd.storage.snapshots import Snapshots


def test_a_stop_holds_for_the_next_daemon(tmp_path: Path) -> None:
    DesiredState(tmp_path / "wanted.json").unwant("sales")
    again = DesiredState(tmp_path / "wanted.json")
    assert not again.is_wanted("sales")
    assert again.is_wanted("ingest")


def test_a_start_ends_the_stop(tmp_path: Path) -> None:
    wanted = DesiredState(tmp_path / "wanted.json")
    wanted.unwant("sales")
    wanted.want("sales")
    assert DesiredState(tmp_path / "wanted.json").is_wanted("sales")


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
        **dict.fromkeys(("generation", "detail", "attempt", "by")),
        **dict.fromkeys(("timing", "added", "changed", "removed")),
    }


def test_entries_of_another_version_are_told_as_far_as_they_are_known(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    known = {"seq": 1, "at": 12.5, "event": "started"}
    lines = [known, {**known, "before": 7, "new": True}, {**known, "at": 1e300}, {"seq": 2}, 7]
    path.write_text("\n".join(map(json.dumps, lines)))
    found = journal.stored(path, JournalQuery(10))
    rest = dict.fromkeys(("location", "before", "after", "generation", "detail", "attempt", "by"))
    rest |= dict.fromkeys(("timing", "added", "changed", "removed"))
    assert found == [{**rest, **known}, {**rest, **known, "new": True}]


def test_a_kept_timing_has_every_stage_and_nothing_but_numbers(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    timing = {"total": 0.5, "import": "long", "event": True, "more": 1}
    entry = {"seq": 1, "at": 12.5, "event": "loaded", "timing": timing}
    path.write_text(json.dumps(entry) + "\n")
    (found,) = journal.stored(path, JournalQuery(10))
    assert found["timing"] == {**dict.fromkeys(journal.STAGES), "total": 0.5}


def test_the_journal_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ROTATE_BYTES", 100)
    entries = Journal(tmp_path / "events.jsonl", clock=lambda: 0.0)
    for _ in range(5):
        entries.write("started")
    assert (tmp_path / "events.1").exists()
    assert (tmp_path / "events.jsonl").stat().st_size < 300


def test_a_journal_that_cannot_be_written_keeps_its_entries(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    entries = Journal(tmp_path / "file" / "events.jsonl", clock=lambda: 0.0)
    entries.write("started")
    assert len(entries.last(5)) == 1


def test_a_journal_goes_on_in_a_folder_that_was_removed(tmp_path: Path) -> None:
    entries = Journal(tmp_path / "removed" / "events.jsonl", clock=lambda: 0.0)
    entries.write("started")
    assert (tmp_path / "removed" / "events.jsonl").read_text().count("started") == 1


def test_a_stop_that_cannot_be_written_down_holds_and_is_written_with_the_next(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    wanted = DesiredState(state / "wanted.json")
    state.touch()  # in the way, as a disk that is full or read-only would be
    wanted.unwant("sales")
    assert not wanted.is_wanted("sales")
    state.unlink()
    wanted.unwant("ingest")
    again = DesiredState(state / "wanted.json")
    assert not again.is_wanted("sales")
    assert not again.is_wanted("ingest")


def test_snapshots_that_cannot_be_kept_or_removed_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    snapshots = Snapshots(tmp_path / "file")
    snapshots.keep("sales", Snapshot("native", "3.12.1", 0.1, (), {}))
    snapshots.forget("sales")
    assert snapshots.last("sales") is None


def test_snapshots_are_kept_in_a_folder_that_was_removed(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "removed" / "snapshots")
    kept = Snapshot("native", "3.12.1", 0.1, (), {})
    snapshots.keep("sales", kept)
    assert snapshots.last("sales") == kept


def test_a_lock_holds_on_a_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with (
        held_lock(tmp_path / "lock"),
        pytest.raises(Busy, match="unknown"),
        held_lock(tmp_path / "lock"),
    ):
        pass


def test_a_second_daemon_on_the_same_state_is_told_whose_it_is(tmp_path: Path) -> None:
    path, holder = tmp_path / "lock", f"pid {os.getpid()}"
    with held_lock(path), pytest.raises(Busy, match=holder), held_lock(path):
        pass
    with held_lock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_snapshot_that_could_not_be_written_is_written_with_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    folder.touch()  # stands in for a full disk: nothing can be written there
    snapshots = Snapshots(folder)
    snapshots.keep("sales", Snapshot("native", "3.12.1", 0.1, (), {}))
    assert snapshots.last("sales") is None
    folder.unlink()
    snapshots.keep("ingest", Snapshot("native", "3.12.1", 0.1, (), {}))
    assert snapshots.last("sales") is not None
    assert snapshots.last("ingest") is not None


def test_the_newest_of_snapshots_that_are_written_on_a_thread_is_what_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small one is asked for while the thread is busy with a large one."""
    goes_on, write = threading.Event(), files.replace_bytes

    def slow(path: Path, data: bytes) -> None:
        goes_on.wait(30)
        write(path, data)

    monkeypatch.setattr("codelocd.storage.snapshots.replace_bytes", slow)
    snapshots = Snapshots(tmp_path)
    large, small = (Snapshot("native", "3.12.1", n, (), {}) for n in (1.0, 2.0))
    for name in ("sales", "gone"):
        snapshots.keep_encoded(name, json.dumps(large.to_json()).encode())
    snapshots.keep("sales", small)
    snapshots.forget("gone")
    goes_on.set()
    snapshots.close()
    assert snapshots.last("sales") == small
    assert snapshots.last("gone") is None
