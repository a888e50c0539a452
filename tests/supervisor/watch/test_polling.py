"""Polling says what the kernel would have said, and rests where there is nothing to poll."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from codelocd.watch.notices import Kind, Notice
from codelocd.watch.polling import Poller

DEADLINE = 60.0


@pytest.fixture
def notices() -> "queue.Queue[Notice]":
    return queue.Queue()


@pytest.fixture
def poller(notices: "queue.Queue[Notice]") -> Iterator[Poller]:
    poller = Poller(notices.put, interval=0.005)
    yield poller
    poller.close()


def next_one(notices: "queue.Queue[Notice]") -> tuple[str, Kind]:
    notice = notices.get(timeout=DEADLINE)
    return notice.name, notice.kind


def test_a_file_that_is_made_changed_and_removed_is_noticed(
    poller: Poller, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    poller.add(str(tmp_path))
    path = tmp_path / "a.py"
    path.symlink_to("nothing")
    assert next_one(notices) == ("a.py", Kind.WRITTEN)
    path.unlink()
    assert next_one(notices) == ("a.py", Kind.UNSETTLED)


def test_a_folder_that_comes_or_goes_is_noticed_but_not_what_is_in_it(
    poller: Poller, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    poller.add(str(tmp_path))
    (tmp_path / "sub").mkdir()
    assert next_one(notices) == ("sub", Kind.FOLDER)
    (tmp_path / "sub" / "a.py").touch()
    (tmp_path / "last").mkdir()
    assert next_one(notices) == ("last", Kind.FOLDER)


def test_a_polled_folder_that_goes_is_gone(
    poller: Poller, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    poller.add(str(folder))
    folder.rmdir()
    assert notices.get(timeout=DEADLINE) == Notice(str(folder), "", Kind.GONE)


def test_there_is_a_thread_only_while_there_is_something_to_poll(
    poller: Poller, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "watch-poll"}

    before = threads()
    poller.add(str(tmp_path))
    (first,) = threads() - before
    poller.discard(str(tmp_path))
    first.join(DEADLINE)
    assert threads() == before
    poller.add(str(tmp_path))
    (tmp_path / "sub").mkdir()
    assert next_one(notices) == ("sub", Kind.FOLDER)
