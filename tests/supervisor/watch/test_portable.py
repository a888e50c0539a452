"""The watcher of other systems, with watchdog's own observers of this one."""

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from codelocd.watch.notices import Kind, Notice
from codelocd.watch.portable import Portable

DEADLINE = 60.0


def quick_polling() -> BaseObserver:
    return PollingObserver(timeout=0.01)


@pytest.fixture
def notices() -> "queue.Queue[Notice]":
    return queue.Queue()


@pytest.fixture(params=[Observer, quick_polling], ids=["native", "polling"])
def portable(request: pytest.FixtureRequest, notices: "queue.Queue[Notice]") -> Iterator[Portable]:
    portable = Portable(notices.put, request.param)
    yield portable
    portable.close()


def until(notices: "queue.Queue[Notice]", wanted: Notice) -> Notice:
    while True:
        notice = notices.get(timeout=DEADLINE)
        if notice == wanted:
            return notice


def test_saves_moves_deletions_and_folders_are_noticed(
    portable: Portable, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    folder = str(tmp_path)
    path = tmp_path / "a.py"
    path.write_text("old")
    portable.add(folder)
    path.write_text("new and longer")
    assert until(notices, Notice(folder, "a.py", Kind.WRITTEN))
    path.rename(tmp_path / "b.py")
    assert until(notices, Notice(folder, "b.py", Kind.WRITTEN))
    (tmp_path / "b.py").unlink()
    assert until(notices, Notice(folder, "b.py", Kind.UNSETTLED))
    (tmp_path / "sub").mkdir()
    assert until(notices, Notice(folder, "sub", Kind.FOLDER))


def test_a_watched_folder_that_goes_is_gone(
    portable: Portable, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    portable.add(str(folder))
    folder.rmdir()
    assert until(notices, Notice(str(folder), "", Kind.GONE))
    portable.discard(str(folder))
    portable.discard(str(folder))
