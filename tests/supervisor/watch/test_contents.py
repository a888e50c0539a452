"""A file's digest is taken again exactly where its stat may hide a change."""

import os
from pathlib import Path

from codelocd.watch import files
from codelocd.watch.files import DIRECTORY, LARGE, Content, Contents, digest

LONG_AGO = 1_600_000_000_000_000_000
LATER = 4_000_000_000_000_000_000


def look(path: str, known: Content | None = None) -> Content:
    return files.look({path: known})[path]


def settled(content: Content) -> Content:
    """As if it had been looked at long after the file was written."""
    return Content(content.digest, content.stamp, LATER)


def test_a_look_gives_the_digest_that_the_runner_reports(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1")
    assert look(str(path)).digest == digest(b"x = 1")
    assert len(digest(b"")) == 32


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1")
    known = settled(look(str(path)))
    assert look(str(path), known) is known


def test_a_write_in_the_same_tick_of_the_clock_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1")
    first = look(str(path))
    path.write_text("x = 2")
    os.utime(path, ns=(LONG_AGO, first.stamp[0] if first.stamp else 0))
    assert look(str(path), first).digest == digest(b"x = 2")


def test_a_write_that_restores_time_and_size_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    known = settled(look(str(path)))
    path.write_text("x = 2")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    assert look(str(path), known).digest == digest(b"x = 2")


def test_a_stamp_in_whole_seconds_is_trusted_only_two_seconds_later() -> None:
    second = 1_000_000_000
    stamp = (LONG_AGO, LONG_AGO, 1, 1)
    assert not Content("x", stamp, LONG_AGO + second).holds(stamp)
    assert Content("x", stamp, LONG_AGO + 3 * second).holds(stamp)


def test_what_is_no_readable_file_has_no_digest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "pipe", "a\0b"):
        assert look(str(tmp_path / name)).digest is None


def test_a_folder_counts_by_being_there(tmp_path: Path) -> None:
    before = look(str(tmp_path)).digest
    (tmp_path / "new").touch()
    assert before == look(str(tmp_path)).digest == DIRECTORY


def test_a_huge_file_is_judged_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("wb") as file:
        file.truncate(LARGE)
    before = look(str(path)).digest
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    assert look(str(path)).digest != before


def test_an_older_look_never_replaces_a_younger_one() -> None:
    contents = Contents()
    contents.store({"/a": Content("new", None, 2)})
    contents.store({"/a": Content("old", None, 1)})
    assert contents.digest("/a") == "new"


def test_only_what_is_kept_stays_known() -> None:
    contents = Contents()
    contents.store({"/a": Content("a", None, 1), "/b": Content("b", None, 1)})
    contents.keep({"/a"})
    assert (contents.digest("/a"), contents.digest("/b")) == ("a", None)
