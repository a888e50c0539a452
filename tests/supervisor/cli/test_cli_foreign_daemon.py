"""Another user's process at the other end of the socket: it is asked nothing, and never obeyed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codelocd.client import AsyncClient, Client, DaemonUnreachable
from codelocd.rpc import starting
from tests import commands

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux",
    reason="only root can start a listener of another user",
)

DEADLINE = 60.0
OTHER = 12345
LISTENER = f"""
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
os.setgroups([]); os.setgid({OTHER}); os.setuid({OTHER})
listener.listen()
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    print(len(connection.recv(1000)), flush=True)
    connection.close()
"""
ANNOUNCER = """
import os, sys
from codelocd.rpc import starting
user = int(sys.argv[2])
os.setgroups([]); os.setgid(user); os.setuid(user)
starting.announce(sys.argv[1])
print("announced", flush=True)
sys.stdin.read()
"""
Heard = Callable[[], int]


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[tuple[Path, Heard]]:
    """A socket on which another user listens, and how many bytes came by the next connection."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        process = subprocess.Popen(
            [sys.executable, "-c", LISTENER, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
    assert process.stdout is not None
    out = process.stdout
    assert out.readline() == "listening\n"
    yield path, lambda: int(out.readline())
    process.kill()
    process.wait()
    out.close()


@contextmanager
def announced(control: Path, user: int) -> Iterator[None]:
    """While that user says that a daemon is going to listen there."""
    command = [sys.executable, "-c", ANNOUNCER, str(control), str(user)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "announced\n"
        yield
        process.communicate()


def test_no_other_user_has_commands_wait_for_a_daemon(tmp_path: Path) -> None:
    control = tmp_path / "control.sock"
    with announced(control, OTHER):
        assert starting.outcome(str(control), DEADLINE) == "none"
        assert not starting.is_announced(str(control))
        os.chown(tmp_path, OTHER, -1)  # a service of that user
        assert starting.is_announced(str(control))
        os.chown(tmp_path, OTHER + 1, -1)
    with announced(control, 0):
        assert starting.is_announced(str(control))


def test_the_client_asks_another_users_daemon_nothing(foreign: tuple[Path, Heard]) -> None:
    path, heard = foreign
    with pytest.raises(DaemonUnreachable, match=f"user {OTHER} listens on the socket") as caught:
        Client(path)
    assert caught.value.reason == "foreign"
    assert heard() == 0
    with Client(path, foreign=True) as client:
        assert client.uid == OTHER
        with pytest.raises(DaemonUnreachable):
            client.call("status")
    assert heard() > 0


async def test_the_async_client_asks_it_nothing_either(foreign: tuple[Path, Heard]) -> None:
    path, heard = foreign
    with pytest.raises(DaemonUnreachable, match=f"user {OTHER} listens on the socket"):
        await AsyncClient.connect(path)
    assert heard() == 0
    async with await AsyncClient.connect(path, foreign=True) as client:
        assert client.uid == OTHER


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if k != "CODELOCD_SOCKET"}
    return commands.run(arguments, cwd=folder, environ=environ)


@pytest.mark.parametrize("command", [["status"], ["definitions"], ["exec", "a", "--", "python"]])
def test_a_config_that_names_another_users_socket_leads_to_no_question(
    foreign: tuple[Path, Heard], tmp_path: Path, command: list[str]
) -> None:
    path, heard = foreign
    (tmp_path / "codelocd.toml").write_text(f'[daemon]\nsocket = "{path}"\n')
    done = run(tmp_path, *command)
    assert done.returncode == 3
    assert f"user {OTHER} listens on the socket {path}, neither you nor root" in done.stderr
    assert "name it with --socket PATH" in done.stderr
    assert heard() == 0


def test_exec_does_not_obey_a_daemon_that_was_named(
    foreign: tuple[Path, Heard], tmp_path: Path
) -> None:
    path, heard = foreign
    done = run(tmp_path, "exec", "--socket", str(path), "a", "--", "python")
    assert done.returncode == 1
    assert f"belongs to user {OTHER}, who would decide what is run as you" in done.stderr
    assert heard() == 0


def test_another_command_asks_a_daemon_that_was_named(
    foreign: tuple[Path, Heard], tmp_path: Path
) -> None:
    path, heard = foreign
    run(tmp_path, "status", "--socket", str(path))
    assert heard() > 0
