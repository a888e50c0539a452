"""A real daemon, of a project or as a service, reached as users reach it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from codelocd.client import Client
from tests import commands

CODELOCD = Path(sys.executable).with_name("codelocd")
DEADLINE = 120.0
CACHE = Path(__file__).parents[2] / ".cache" / "tests"

Found = TypeVar("Found")
Entry = dict[str, Any]
Until = Callable[[Entry], bool]
StartDev = Callable[..., "Dev"]


class PatientClient(Client):
    """Waits for an answer as long as a test does."""

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = DEADLINE,
    ) -> Any:
        return super().call(method, params, timeout=timeout)


class Reached:
    """A daemon that answers on a socket."""

    def client(self) -> Client:
        raise NotImplementedError

    def status(self) -> dict[str, Any]:
        with self.client() as client:
            document: dict[str, Any] = client.call("status")
            return document

    def entry(self, name: str) -> Entry:
        return next(each for each in self.status()["locations"] if each["name"] == name)

    def until(self, name: str, holds: Until) -> Entry:
        """The location's entry, as soon as `holds` of it."""
        with self.client() as client:
            for event in client.subscribe(["status"]):
                data: Any = event["data"]
                entries = data["locations"] if data.get("full") else [data["location"]]
                for found in entries:
                    entry: Entry | None = found
                    if entry is not None and entry["name"] == name and holds(entry):
                        return entry
        raise AssertionError("the daemon closed the connection")

    def until_serving(self, *names: str) -> None:
        for name in names:
            self.until(name, serving)


class Dev(Reached):
    """`codelocd dev` in `project`; its environments are shared by all tests and later runs."""

    def __init__(
        self,
        project: Path,
        home: Path,
        arguments: tuple[str, ...],
        within: tuple[str, ...] = (),
        *,
        serves: bool = True,
    ) -> None:
        """`within`: the program that runs it, such as `unshare`. `serves`: it has a location."""
        self.project = project
        runtime = home / "run"
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.environ = os.environ | {
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_DATA_HOME": str(CACHE),
        }
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "CODELOCD_SOCKET"):
            self.environ.pop(name, None)
        self.process = commands.start(
            ["dev", *arguments], cwd=project, environ=self.environ, by=(*within, CODELOCD)
        )
        self.printed: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.socket = self.until_printed("socket: ").split("socket: ")[1]
        if serves:
            self.until_printed("●")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.printed.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self.printed.append("")
            self._more.notify_all()

    def until_printed(self, text: str, after: int = 0) -> str:
        """The first line with `text` in it, but for so many that were printed before."""

        def found() -> str | None:
            return next((line for line in self.printed[after:] if text in line), None)

        with self._more:
            self._more.wait_for(lambda: found() is not None or self._ended(), DEADLINE)
            line = found()
        assert line is not None, f"{text!r} was not printed:\n" + "\n".join(self.printed)
        return line

    def _ended(self) -> bool:
        return bool(self.printed) and self.printed[-1] == "" and self.process.poll() is not None

    def client(self) -> Client:
        return PatientClient(self.socket, timeout=DEADLINE)

    def definitions(self, name: str | None = None) -> list[str]:
        with self.client() as client:
            params = {"locations": [name]} if name else {}
            found = client.call("definitions", params)["definitions"]
        return [f"{each['kind']} {each['name']}" for each in found]

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return commands.run(arguments, cwd=self.project, environ=self.environ)

    def json(self, *arguments: str) -> Any:
        done = self.cli(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return status


class Service(Reached):
    """A service whose service manager is the test."""

    def __init__(
        self,
        project: Path,
        home: Path,
        command: Sequence[Path | str] = (CODELOCD,),
        runtime: Path | None = None,
        output: int = subprocess.PIPE,
    ) -> None:
        """`runtime`: a runtime folder that it shares with another; its own socket is in `home`.
        `output`: in place of a pipe to here, a descriptor for its stdout and stderr.
        """
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(home / "notify"))
        self.manager.settimeout(DEADLINE)
        own = home / "run"
        own.mkdir(mode=0o700, exist_ok=True)
        self.environ = os.environ | {
            "NOTIFY_SOCKET": str(home / "notify"),
            "RUNTIME_DIRECTORY": str(runtime or own),
            "STATE_DIRECTORY": str(home / "state"),
            "XDG_DATA_HOME": str(CACHE),
            "CODELOCD_SOCKET": str(own / "control.sock"),
        }
        self.process = commands.start(
            ["serve", "--user", "-c", str(project / "codelocd.toml")],
            cwd="/",
            environ=self.environ,
            by=command,
            stdout=output,
            stderr=None if output == subprocess.PIPE else output,
        )
        self.printed: list[str] = []

    def until_logged(self, event: str) -> dict[str, str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            entry: dict[str, str] = json.loads(line)
            if entry["event"] == event:
                return entry
        raise AssertionError(f"{event!r} was not logged")

    def told(self, word: bytes) -> None:
        """Returns when the manager has been told."""
        while not self.manager.recv(1000).startswith(word):
            continue

    def client(self) -> Client:
        return PatientClient(self.environ["CODELOCD_SOCKET"], timeout=DEADLINE)

    def stop(self) -> int:
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE)
        self.manager.close()
        return self.process.wait()


def serving(entry: Entry) -> bool:
    return entry["state"] == "serving" and not entry["stale"] and entry["reloading"] is None


def stale(entry: Entry) -> bool:
    return entry["state"] == "serving" and entry["stale"] and entry["reloading"] is None


def failed(entry: Entry) -> bool:
    return bool(entry["state"] == "failed")


def wait_for(holds: Callable[[], Found], within: float = DEADLINE) -> Found:
    """What `holds` returns, as soon as that is true; asked every 20 ms, for what has no event."""
    end = time.monotonic() + within
    while not (found := holds()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


def native(*assets: str, before: str = "") -> str:
    """A definitions file with these assets."""
    functions = "\n\n".join(f"@asset\ndef {name}(): ..." for name in assets)
    names = ", ".join(assets)
    return (
        f"{before}\nfrom codeloc import Definitions, asset\n\n"
        f"{functions}\n\ndefs = Definitions(assets=[{names}])\n"
    )
