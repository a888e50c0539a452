"""Unix sockets at paths of any length."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from codelocd.rpc import unix, unix_address

LENGTHS = (40, 100, 103, 104, 107, 108, 400, 2000)


@pytest.fixture
def of_length(tmp_path: Path):
    """A path of about this many bytes, in a folder that exists."""

    def make(length: int) -> Path:
        folder = tmp_path
        while length - len(str(folder)) > 60:
            folder = folder / ("d" * min(50, length - len(str(folder)) - 10))
        folder.mkdir(parents=True, exist_ok=True)
        return folder / ("s" * max(1, length - len(str(folder)) - 1))

    return make


@pytest.fixture(params=["descriptors", "links"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Linux's way to long paths, and that of other systems."""
    if request.param == "links":
        monkeypatch.setattr(unix_address, "_DESCRIPTORS", str(tmp_path / "missing"))
    elif sys.platform != "linux":
        pytest.skip("only Linux has /proc/self/fd")


def exchange(listener: socket.socket, path: Path) -> bytes:
    with unix.connect(path) as client:
        accepted, _ = listener.accept()
        with accepted:
            client.send(b"hello")
            return accepted.recv(5)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("length", LENGTHS)
def test_a_path_of_any_length_works(length: int, of_length) -> None:
    path = of_length(length)
    with unix.listen(path) as listener:
        assert exchange(listener, path) == b"hello"


@pytest.mark.usefixtures("way")
def test_a_name_longer_than_an_address_works(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    with unix.listen(path) as listener:
        assert exchange(listener, path) == b"hello"


@pytest.mark.usefixtures("way")
def test_long_paths_leave_nothing_behind(of_length, monkeypatch: pytest.MonkeyPatch) -> None:
    path = of_length(300)
    made, mkdir = list[str](), os.mkdir

    def noted(name: str, mode: int) -> None:
        made.append(name)
        mkdir(name, mode)

    monkeypatch.setattr(os, "mkdir", noted)
    before = open_descriptors()
    with unix.listen(path) as listener:
        exchange(listener, path)
    assert open_descriptors() == before
    assert not any(map(os.path.exists, made))
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("length", [60, 300])
def test_a_socket_that_is_not_there_is_not_found(length: int, of_length) -> None:
    with pytest.raises(FileNotFoundError):
        unix.connect(of_length(length))


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_a_socket_has_the_permissions_asked_for(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with unix.listen(path, mode=mode, group=os.getgid()):
        status = path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (mode, os.getgid())


@pytest.mark.parametrize("length", [60, 300])
def test_a_socket_that_nobody_answers_on_is_replaced(length: int, of_length) -> None:
    path = of_length(length)
    unix.listen(path).close()
    with pytest.raises(ConnectionRefusedError):
        unix.connect(path)
    with unix.listen(path) as listener:
        assert exchange(listener, path) == b"hello"


@pytest.mark.parametrize("length", [60, 300])
def test_a_socket_that_somebody_answers_on_is_left_alone(length: int, of_length) -> None:
    path = of_length(length)
    with unix.listen(path) as first:
        with pytest.raises(OSError, match="another process listens there already") as caught:
            unix.listen(path)
        assert caught.value.errno == errno.EADDRINUSE
        first.accept()[0].close()  # the question whether a process listens
        assert exchange(first, path) == b"hello"


def test_a_listener_too_busy_to_accept_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "BACKLOG", 0)
    path = tmp_path / "s"
    with unix.listen(path), unix.connect(path):
        with pytest.raises(BlockingIOError):
            unix.connect(path)
        with pytest.raises(OSError, match="another process listens there already"):
            unix.listen(path)


def test_a_file_that_is_no_socket_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        unix.listen(path)
    assert path.read_text() == "precious"


def test_of_many_starts_at_once_exactly_one_listens(tmp_path: Path) -> None:
    path = tmp_path / "s"
    unix.listen(path).close()
    program = (
        "import sys; from pathlib import Path; from codelocd.rpc import unix\n"
        "sys.stdin.read(1)\n"
        "try: listener = unix.listen(Path(sys.argv[1])); print('listens', flush=True)\n"
        "except OSError as error: print('taken', flush=True)\n"
        "sys.stdin.read()"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    try:
        for start in starts:
            assert start.stdin is not None
            start.stdin.write(b"x")
            start.stdin.flush()
        answers = sorted(start.stdout.readline() for start in starts if start.stdout is not None)
    finally:
        for start in starts:
            start.communicate(timeout=30)
    assert answers == [b"listens\n"] + [b"taken\n"] * 5


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))
