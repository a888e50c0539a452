"""The socket that a service manager passes lets in no more than one of our own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codelocd.daemon.systemd import refuse_unsafe

OWN = os.getgid()
CODELOCD = Path(sys.executable).with_name("codelocd")
ACTIVATED = f"""
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv({str(CODELOCD)!r}, ["codelocd", "serve", "-c", sys.argv[2]])
"""


@pytest.fixture
def passed(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        yield listener


@pytest.mark.parametrize(
    ("mode", "group", "wrong"),
    [
        (0o600, None, ""),
        (0o600, OWN + 1, ""),
        (0o660, OWN, ""),
        (0o660, None, ""),
        (0o660, OWN + 1, f"is for group {OWN}, not for socket_group"),
        (0o666, None, "has mode 0666: set SocketMode=0600"),
        (0o666, OWN, "has mode 0666: set SocketMode=0600"),
        (0o602, OWN, "has mode 0602"),
    ],
)
def test_a_passed_socket_is_checked_by_its_mode_and_group(
    passed: socket.socket, mode: int, group: int | None, wrong: str
) -> None:
    os.chmod(passed.getsockname(), mode)
    os.chown(passed.getsockname(), -1, OWN)
    if not wrong:
        return refuse_unsafe(passed, group)
    with pytest.raises(PermissionError, match=re.escape(wrong)):
        refuse_unsafe(passed, group)
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to another user")
def test_a_passed_socket_of_another_user_is_refused(passed: socket.socket) -> None:
    os.chown(passed.getsockname(), 12345, -1)
    with pytest.raises(PermissionError, match="belongs to user 12345; set SocketUser="):
        refuse_unsafe(passed, None)


def test_what_took_the_place_of_a_passed_socket_is_not_taken_for_it(passed: socket.socket) -> None:
    path = Path(passed.getsockname())
    path.unlink()
    path.symlink_to("elsewhere")
    with pytest.raises(PermissionError, match="is no socket any more"):
        refuse_unsafe(passed, None)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_of_another_kind_is_refused(kind: socket.SocketKind) -> None:
    family = socket.AF_INET if kind == socket.SOCK_STREAM else socket.AF_UNIX
    is_refused = pytest.raises(PermissionError, match="is no Unix stream socket")
    with socket.socket(family, kind) as other, is_refused:
        refuse_unsafe(other, OWN)


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_a_socket_without_a_path_is_refused() -> None:
    for name in ("", f"\0codelocd-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX) as other:
            if name:
                other.bind(name)
            with pytest.raises(PermissionError, match="has no path"):
                refuse_unsafe(other, OWN)


def test_a_daemon_that_is_passed_a_tcp_socket_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "codelocd.toml"
    config.write_text('[daemon]\nstate_dir = "state"\nstore = "store"\nsocket = "a.sock"\n')
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = subprocess.run(
            [sys.executable, "-c", ACTIVATED, str(listener.fileno()), str(config)],
            pass_fds=[listener.fileno()],
            env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert "codelocd: the socket that was passed is no Unix stream socket" in done.stderr
