"""The kernel's own events, read by the event loop."""

import asyncio
import ctypes
import errno
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("inotify is Linux's own", allow_module_level=True)

from codelocd.watch.inotify import Inotify
from codelocd.watch.notices import Kind, Notice

DEADLINE = 60.0


class Notices:
    """What was delivered, in order."""

    def __init__(self) -> None:
        self.queue = asyncio.Queue[Notice]()

    def take(self, notices: Collection[Notice]) -> None:
        for notice in notices:
            self.queue.put_nowait(notice)

    async def get(self) -> Notice:
        async with asyncio.timeout(DEADLINE):
            return await self.queue.get()


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
async def inotify(notices: Notices) -> AsyncIterator[Inotify]:
    inotify = Inotify(asyncio.get_running_loop(), notices.take)
    yield inotify
    inotify.close()


async def test_each_event_of_an_entry_is_a_notice_at_once_moves_too(
    inotify: Inotify, notices: Notices, tmp_path: Path
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
    found = [await notices.get() for _ in expected]
    assert found == [Notice(str(folder), name, kind) for name, kind in expected]


async def test_reading_and_touching_are_no_events(
    inotify: Inotify, notices: Notices, tmp_path: Path
) -> None:
    path = tmp_path / "x.py"
    path.write_text("x")
    inotify.add(str(tmp_path))
    path.read_text()
    os.utime(path)
    path.chmod(0o600)
    (tmp_path / "last").mkdir()
    assert (await notices.get()).name == "last"


@pytest.mark.parametrize("how", ["removed", "moved"])
async def test_a_folder_that_goes_is_gone(
    inotify: Inotify, notices: Notices, tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    inotify.add(str(folder))
    if how == "removed":
        folder.rmdir()
    else:
        folder.rename(tmp_path / "b")
    assert await notices.get() == Notice(str(folder), "", Kind.GONE)


async def test_a_folder_that_is_discarded_is_silent_and_may_be_added_again(
    inotify: Inotify, notices: Notices, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        inotify.add(str(tmp_path / name))
    inotify.discard(str(tmp_path / "a"))
    inotify.discard("/never/added")
    (tmp_path / "a" / "x").mkdir()
    inotify.add(str(tmp_path / "a"))
    (tmp_path / "a" / "y").mkdir()
    assert (await notices.get()).name == "y"


async def test_an_overflow_of_the_kernels_queue_is_a_notice(
    inotify: Inotify, notices: Notices, tmp_path: Path
) -> None:
    inotify.add(str(tmp_path))
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(limit + 1):  # the loop reads none meanwhile
        (tmp_path / f"{number}").mkdir()
    while await notices.get() != Notice("", "", Kind.LOST):
        pass
    (tmp_path / "last").mkdir()
    assert await notices.get() == Notice(str(tmp_path), "last", Kind.FOLDER)


async def test_a_folder_with_two_paths_is_told_of_by_both_until_both_are_discarded(
    inotify: Inotify, notices: Notices, tmp_path: Path
) -> None:
    """A mount elsewhere gives one folder two real paths; the kernel has one watch for it."""
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.symlink_to(folder)
    for path in (folder, other):
        inotify.add(str(path))
    (folder / "a").mkdir()
    assert {await notices.get(), await notices.get()} == {
        Notice(str(path), "a", Kind.FOLDER) for path in (folder, other)
    }
    inotify.discard(str(other))
    (folder / "b").mkdir()
    inotify.discard(str(folder))
    inotify.add(str(tmp_path))
    (folder / "c").mkdir()
    (tmp_path / "last").mkdir()
    assert await notices.get() == Notice(str(tmp_path), "last", Kind.FOLDER)


async def test_names_that_are_no_utf8_are_those_that_python_uses(
    inotify: Inotify, notices: Notices, tmp_path: Path
) -> None:
    inotify.add(str(tmp_path))
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).mkdir()
    assert await notices.get() == Notice(str(tmp_path), name, Kind.FOLDER)


async def test_it_needs_no_thread_for_any_number_of_folders(
    notices: Notices, tmp_path: Path
) -> None:
    before = threading.active_count()
    inotify = Inotify(asyncio.get_running_loop(), notices.take)
    for number in range(50):
        (tmp_path / f"{number}").mkdir()
        inotify.add(str(tmp_path / f"{number}"))
    assert threading.active_count() == before
    inotify.close()


@pytest.mark.parametrize("missing", ["nothing", "file"])
async def test_what_is_no_folder_is_an_error(
    inotify: Inotify, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        inotify.add(str(tmp_path / missing))


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, OSError), (errno.EACCES, PermissionError)]
)
async def test_an_exhausted_limit_or_a_refusal_is_an_error(
    inotify: Inotify,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[OSError],
) -> None:
    def refuse(*_: object) -> int:
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr(inotify._libc, "inotify_add_watch", refuse)
    with pytest.raises(error) as caught:
        inotify.add(str(tmp_path))
    assert caught.value.errno == number
    assert caught.value.filename == str(tmp_path)


async def test_no_child_inherits_the_instance(inotify: Inotify) -> None:
    command = "ls -l /proc/self/fd"
    listing = subprocess.run(
        command, shell=True, close_fds=False, capture_output=True, text=True, check=True
    )
    assert "anon_inode:inotify" not in listing.stdout
