"""What asks codelocd's daemon from a process of another program, with the bundle on its path."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from codelocd.rpc.messages import pack
from codelocd.runners.bundle import make_bundle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the path is a long one")

ASK = """
from codeloc_runner.control import NotCarriedOut, Unanswered, ask
try:
    print("answer", ask("run", {"location": "shop"}))
except NotCarriedOut as error:
    print("refused", error.kind, error)
except Unanswered as error:
    print("unanswered", error)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def asked(bundle: Path, tmp_path: Path) -> Iterator[Callable[[Callable[[Any], bytes]], str]]:
    """`asked(answer)`: what it says of a daemon that answers so, behind a long path."""
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    short = Path("/proc/self/fd", str(os.open(folder, os.O_RDONLY)))
    listener = socket.socket(socket.AF_UNIX)

    def asked(answer: Callable[[Any], bytes]) -> str:
        listener.bind(str(short / "control.sock"))
        listener.listen()
        served = threading.Thread(target=serve, args=(listener, answer))
        served.start()
        said = ask(bundle, folder / "control.sock")
        served.join()
        return said

    yield asked
    listener.close()
    os.close(int(short.name))


def serve(listener: socket.socket, answer: Callable[[Any], bytes]) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(answer(msgpack.unpackb(connection.recv(65536))))


def ask(bundle: Path, control: Path) -> str:
    environ = {"PYTHONPATH": str(bundle), "CODELOCD_SOCKET": str(control)}
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_answer_is_a_map_and_an_error_has_its_kind(
    asked: Callable[[Callable[[Any], bytes]], str],
) -> None:
    def answer(request: Any) -> bytes:
        assert request == [0, 1, "run", [{"location": "shop"}]]
        event, result = [2, "event", [{}]], [1, 1, None, {"id": 17}]
        return pack(event) + pack(result)

    assert asked(answer) == "answer {'id': 17}"


def test_a_refusal_says_why(asked: Callable[[Callable[[Any], bytes]], str]) -> None:
    error = {"kind": "down", "message": "nothing is served", "data": None}
    said = asked(lambda _request: pack([1, 1, error, None]))
    assert said == "refused down nothing is served"


def test_a_connection_that_ends_is_no_refusal(
    asked: Callable[[Callable[[Any], bytes]], str],
) -> None:
    said = asked(lambda _request: b"")
    assert said.startswith("unanswered codelocd has not answered")


def test_no_daemon_is_a_refusal(bundle: Path, tmp_path: Path) -> None:
    said = ask(bundle, tmp_path / "none.sock")
    assert said.startswith("refused None codelocd does not answer")
