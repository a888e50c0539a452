"""What is relied on in watchdog's InotifyFD, which it does not document."""

import ctypes
import errno
import os
import queue
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("inotify is Linux's own", allow_module_level=True)

from watchdog.observers import inotify_c

from codelocd.watch.backends.inotify import Inotify
from codelocd.watch.notices import Kind, Notice

DEADLINE = 10.0


@pytest.fixture
def notices() -> "queue.Queue[Notice]":
    return queue.Queue()


@pytest.fixture
def inotify(notices: "queue.Queue[Notice]") -> Iterator[Inotify]:
    inotify = Inotify(notices.put)
    yield inotify
    inotify.close()


def test_each_event_of_an_entry_is_a_notice_at_once_moves_too(
    inotify: Inotify, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    folder, aside = tmp_path / "a", tmp_path / "b"
    folder.mkdir()
    aside.mkdir()
    inotify.add(str(folder))
    (folder / "x.py").write_text("x")
    (folder / "x.py").rename(aside / "x.py")
    (aside / "x.py").rename(folder / "y.py")
    (folder / "sub").mkdir()
    (folder / "y.py").unlink()
    expected = [
        ("x.py", Kind.UNSETTLED),
        ("x.py", Kind.WRITTEN),
        ("x.py", Kind.UNSETTLED),
        ("y.py", Kind.WRITTEN),
        ("sub", Kind.FOLDER),
        ("y.py", Kind.UNSETTLED),
    ]
    found = [notices.get(timeout=DEADLINE) for _ in expected]
    assert found == [Notice(str(folder), name, kind) for name, kind in expected]


def test_reading_and_touching_are_no_events(
    inotify: Inotify, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    path = tmp_path / "x.py"
    path.write_text("x")
    inotify.add(str(tmp_path))
    path.read_text()
    os.utime(path)
    path.chmod(0o600)
    (tmp_path / "last").mkdir()
    assert notices.get(timeout=DEADLINE).name == "last"


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_folder_that_goes_is_gone(
    inotify: Inotify, notices: "queue.Queue[Notice]", tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    inotify.add(str(folder))
    if how == "removed":
        folder.rmdir()
    else:
        folder.rename(tmp_path / "b")
    assert notices.get(timeout=DEADLINE) == Notice(str(folder), "", Kind.GONE)


def test_a_folder_that_is_discarded_is_silent_and_may_be_added_again(
    inotify: Inotify, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        inotify.add(str(tmp_path / name))
    inotify.discard(str(tmp_path / "a"))
    inotify.discard("/never/added")
    (tmp_path / "a" / "x").mkdir()
    inotify.add(str(tmp_path / "a"))
    (tmp_path / "a" / "y").mkdir()
    assert notices.get(timeout=DEADLINE).name == "y"


def test_an_overflow_of_the_kernels_queue_is_a_notice(
    inotify: Inotify, notices: "queue.Queue[Notice]", tmp_path: Path
) -> None:
    """The kernel's own overflow event, with watchdog's own reader and dispatch."""
    inotify.add(str(tmp_path))
    header = struct.pack("iIII", -1, inotify_c.InotifyConstants.IN_Q_OVERFLOW, 0, 0)
    instance = inotify._instance
    instance._read_event_buffer = lambda size: header  # type: ignore[method-assign]  # no event
    for event in instance.read_events():
        instance.handle_event(event)
    assert notices.get(timeout=DEADLINE) == Notice("", "", Kind.LOST)


@pytest.mark.parametrize("missing", ["nothing", "file"])
def test_what_is_no_folder_is_an_error(inotify: Inotify, tmp_path: Path, missing: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        inotify.add(str(tmp_path / missing))


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, OSError), (errno.EACCES, PermissionError)]
)
def test_an_exhausted_limit_or_a_refusal_is_an_error(
    inotify: Inotify,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[OSError],
) -> None:
    def refuse(*_: object) -> int:
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr(inotify_c, "inotify_add_watch", refuse)
    with pytest.raises(error) as caught:
        inotify.add(str(tmp_path))
    assert caught.value.errno == number


def test_no_child_inherits_the_instance(inotify: Inotify) -> None:
    command = "ls -l /proc/self/fd"
    listing = subprocess.run(
        command, shell=True, close_fds=False, capture_output=True, text=True, check=True
    )
    assert "anon_inode:inotify" not in listing.stdout


def test_watchdog_is_the_version_these_tests_are_about() -> None:
    from watchdog.version import VERSION_INFO

    assert VERSION_INFO[:2] == (7, 1)
