"""A real runner in a real interpreter, asked over its real socket as the daemon would."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgpack
import pytest

from codelocd.runners.bundle import make_bundle
from tests.pythons import EXTREMES, VERSIONS, interpreter
from tests.runner.process.failure import Failure
from tests.runner.process.warm_starts import Fork, WarmInterpreter

DEADLINE_SECONDS = 60


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest) -> str:
    """Every version that a location may have."""
    return str(interpreter(request.param))


@pytest.fixture(params=EXTREMES)
def extreme(request: pytest.FixtureRequest) -> str:
    """The oldest and the newest, for what does not depend on the version."""
    return str(interpreter(request.param))


@pytest.fixture
def newest() -> str:
    """For what only newer versions have."""
    return str(interpreter(VERSIONS[-1]))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


class Connection:
    """MessagePack-RPC over a blocking socket."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.connect(path)
        self.unpacker = msgpack.Unpacker()
        self.numbers = itertools.count()
        self.early: dict[int, list[Any]] = {}

    def send(self, method: str, **params: Any) -> int:
        number = next(self.numbers)
        message = [0, number, method, [params] if params else []]
        self.socket.sendall(cast("bytes", msgpack.packb(message)))
        return number

    def answer(self, number: int) -> Any:
        while number not in self.early:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the runner closed the connection")
            self.unpacker.feed(data)
            self.early.update({message[1]: message for message in self.unpacker})
        _, _, error, result = self.early.pop(number)
        if error:
            raise Failure(error)
        return result

    def call(self, method: str, **params: Any) -> Any:
        return self.answer(self.send(method, **params))

    def is_closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


class Runner:
    """A started runner: what it printed, its answers, its end."""

    def __init__(self, process: subprocess.Popen[bytes] | Fork, path: str) -> None:
        self.process = process
        self.path = path
        self.output: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self.readers = [
            threading.Thread(target=self.drain, args=(name,), daemon=True) for name in self.output
        ]
        for reader in self.readers:
            reader.start()

    def drain(self, name: str) -> None:
        pieces = iter(lambda: getattr(self.process, name).read1(65536), b"")
        for piece in pieces:
            self.output[name] += piece

    def connect(self) -> Connection:
        return Connection(self.path)

    def call(self, method: str, **params: Any) -> Any:
        """On a connection of its own; tried again where user code broke the one before."""
        end = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end:
            try:
                return self.connect().call(method, **params)
            except (EOFError, ConnectionError):
                time.sleep(0.01)
        raise AssertionError(f"{method} was never answered")

    def until(self, happened: Callable[[], Any]) -> Any:
        end = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end:
            if result := happened():
                return result
            time.sleep(0.01)
        raise AssertionError("it never happened")

    def load(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.call("snapshot")["body"])
        return content

    def problem(self) -> dict[str, Any]:
        content = self.load()
        assert "problem" in content, content
        problem: dict[str, Any] = content["problem"]
        return problem

    def assets(self) -> list[str]:
        content = self.load()
        assert "definitions" in content, content["problem"]["detail"]
        return [one["name"] for one in content["definitions"] if one["kind"] == "asset"]

    def wait(self) -> int:
        status = self.process.wait(DEADLINE_SECONDS)
        for reader in self.readers:
            reader.join(DEADLINE_SECONDS)
        return status

    def stop(self) -> int:
        self.connect().call("stop")
        return self.wait()

    def printed(self) -> str:
        """Everything on standard output, once the runner has been stopped."""
        assert self.stop() == 0
        return self.output["stdout"].decode()


class Starter:
    """Starts runners as the daemon does; ends them all.

    `warm`: what gives the interpreter to fork them from; without it each starts on its own.
    """

    def __init__(
        self, bundle: Path, folder: Path, warm: Callable[[str], WarmInterpreter] | None = None
    ) -> None:
        self.bundle = bundle
        self.folder = folder
        self.warm = warm
        self.runners: list[Runner] = []

    def __call__(
        self,
        python: str,
        value: Path | str,
        *,
        kind: str = "python_file",
        directory: Path | None = None,
        attribute: str | None = None,
        options: tuple[str, ...] = (),
        lock: Path | None = None,
        code: Path | None = None,
        **variables: str,
    ) -> Runner:
        """`lock`: the file of the lock that it holds while it serves; `code`: the folder in which
        it keeps the texts of what it loads."""
        directory = directory or Path(value).parent
        path = str(self.folder / f"{len(self.runners)}.sock")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            settings = {
                "target": {"kind": kind, "value": str(value)},
                "attribute": attribute,
                "working_directory": str(directory),
                "socket_fd": listening.fileno(),
                "socket_path": path,
                "parent": os.getpid(),
                "lock_path": None if lock is None else str(lock),
                "code": None if code is None else str(code),
            }
            every = {**clean_environment(), "TMPDIR": str(self.folder), **variables}
            process: subprocess.Popen[bytes] | Fork
            if self.warm is None:
                process = self.cold([python, *options], settings, every)
            else:
                process = self.warm(python).fork(settings, every)
        self.runners.append(Runner(process, path))
        return self.runners[-1]

    def cold(self, command, settings, variables) -> subprocess.Popen[bytes]:
        boot = str(self.bundle / "codeloc_runner" / "__main__.py")
        return subprocess.Popen(
            [*command, boot, "sales", json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[settings["socket_fd"]],
            cwd=settings["working_directory"],
            env=variables,
            start_new_session=True,
        )

    def end(self) -> None:
        for runner in self.runners:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(runner.process.pid, signal.SIGKILL)
            runner.wait()


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """For sockets, whose paths must be short, and for the temporary files of runners."""
    return tempfile.TemporaryDirectory(prefix="runner-", ignore_cleanup_errors=True)


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.fixture(scope="session")
def starters(bundle):
    """`starters(folder)`: a starter whose sockets lie there, for wider scopes than `start`."""
    return lambda folder: Starter(bundle, folder)


@pytest.fixture
def start(starters):
    with temporary_folder() as folder:
        starter = starters(Path(folder))
        yield starter
        starter.end()


@pytest.fixture(scope="module")
def start_once(bundle):
    """The same for what all tests of a module look at."""
    with temporary_folder() as folder:
        starter = Starter(bundle, Path(folder))
        yield starter
        starter.end()


@pytest.fixture(scope="session")
def warm(bundle):
    """`warm(python)`: that interpreter with Dagster imported; None where nothing can be forked."""
    if sys.platform != "linux":
        yield None
        return
    interpreters: dict[str, WarmInterpreter] = {}

    def warm(python: str) -> WarmInterpreter:
        if python not in interpreters:
            interpreters[python] = WarmInterpreter(python, bundle, clean_environment())
        return interpreters[python]

    yield warm
    for each in interpreters.values():
        each.end()


@pytest.fixture
def start_warm(bundle, warm):
    """`start` for a location of Dagster's, without the second that its import takes."""
    with temporary_folder() as folder:
        starter = Starter(bundle, Path(folder), warm)
        yield starter
        starter.end()


@pytest.fixture
def run(start, code):
    """`run(python, source)`: a runner of a file that holds the source."""
    return partial(run_source, start, code)


@pytest.fixture
def run_warm(start_warm, code):
    """The same for a source of Dagster's."""
    return partial(run_source, start_warm, code)


def run_source(
    start: Starter, code: Path, python: str, source: str, name: str = "defs.py", **options: Any
) -> Runner:
    (code / name).write_text(source)
    return start(python, code / name, **options)


@pytest.fixture
def environment(tmp_path):
    """`environment(python)`: a virtual environment of that interpreter's, and its site-packages."""

    def environment(python: str) -> tuple[str, Path]:
        folder = tmp_path / "environment"
        create = [python, "-m", "venv", "--without-pip", str(folder)]
        subprocess.run(create, check=True, env=clean_environment())
        (packages,) = folder.glob("lib/python*/site-packages")
        return str(folder / "bin" / "python"), packages

    return environment
