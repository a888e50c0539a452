"""A daemon to measure, `codelocd dev` or `serve`, with all its folders below a temporary one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codelocd.client import Client

if TYPE_CHECKING:
    from codelocd.documents.locations import StatusDocument

CODELOCD = Path(sys.executable).with_name("codelocd")
PATIENCE = 600.0
"""Seconds for anything at all to happen; a cold package cache may have to be filled first."""


class NothingHappened(Exception):
    """The daemon ended, or did not do in time what a benchmark waits for."""


def plain_environment() -> dict[str, str]:
    """The caller's environment without what changes how Python starts.

    PYTHONDONTWRITEBYTECODE alone would have every process compile what it imports, and make
    whatever is compared with an import look quick.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def xdg(home: Path) -> dict[str, str]:
    """Variables that put every folder of a daemon below `home`."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    return {
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_DATA_HOME": str(home / "data"),
    }


class Daemon:
    """One project's daemon, from the first location to the last process gone."""

    def __init__(
        self,
        project: Path,
        home: Path,
        command: Sequence[str | Path],
        arguments: Sequence[str] = ("dev",),
    ) -> None:
        self.project, self.home = project, home
        self.log = home / "daemon.log"
        self.environ = plain_environment() | xdg(home)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=project,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def socket(self) -> Path:
        """The control socket, once it is there."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for found in (self.home / "run" / "codelocd").rglob("control.sock"):
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise NothingHappened(f"no control socket:\n{self.log.read_text()}")

    def client(self) -> Client:
        return Client(str(self.socket()))

    def status(self) -> StatusDocument:
        """The document of `status --json`."""
        with self.client() as client:
            document: StatusDocument = client.call("status", timeout=PATIENCE)
            return document

    def until_serving(self) -> None:
        """Returns when every location serves; NothingHappened if one never will."""
        states: dict[str, str] = {}
        with self.client() as client:
            for event in client.subscribe(["status"]):
                assert event["topic"] == "status"
                data = event["data"]
                entries = data["locations"] if "full" in data else [data["location"]]
                states |= {entry["name"]: entry["state"] for entry in entries if entry}
                if set(states.values()) == {"serving"}:
                    return
                if "failed" in states.values():
                    raise NothingHappened(f"{states}:\n{self.log.read_text()}")

    def until_forked(self, location: str) -> None:
        """A warm interpreter is made in the background; reloads show when it is there."""
        with self.client() as client:
            for _ in range(200):
                client.call("reload", {"locations": [location]}, timeout=PATIENCE)
                if client.call("show", {"location": location})["start_method"] == "fork":
                    return
                time.sleep(0.5)
        raise NothingHappened(f"no reload of {location} was forked")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


@contextmanager
def running(
    project: Path,
    home: Path,
    command: Sequence[str | Path] = (CODELOCD,),
    arguments: Sequence[str] = ("dev",),
) -> Iterator[Daemon]:
    """A daemon that is stopped at the end, whatever happened."""
    daemon = Daemon(project, home, command, arguments)
    try:
        yield daemon
    finally:
        daemon.stop()


def started(project: Path, home: Path) -> float:
    """Seconds from the command to all locations serving; then it is stopped."""
    began = time.monotonic()
    with running(project, home) as daemon:
        daemon.until_serving()
        return time.monotonic() - began


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="codelocd-bench-") as name:
        yield Path(name).resolve()


def free_port() -> int:
    """A free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def saved(module: Path, text: str, newest: str, events: Iterator[Any]) -> float:
    """Milliseconds from a save to the definitions' arrival, of which `newest` is one."""
    began = time.monotonic()
    module.write_text(text)
    return 1000 * (first(events, lambda data: newest in _added(data)) - began)


def first(events: Iterator[Any], wanted: Callable[[Any], bool]) -> float:
    """The time (monotonic) at which the first event that is wanted had arrived."""
    for event in events:
        if wanted(event["data"]):
            return time.monotonic()
    raise NothingHappened("the daemon closed the connection")


def replaced(location: dict[str, Any] | None, victim: int) -> bool:
    """Whether an event of `status` shows another runner than `victim` serving."""
    if location is None or location["state"] != "serving":
        return False
    return location["pid"] not in (None, victim)


def _added(data: dict[str, Any]) -> set[str]:
    return {definition["name"] for definition in data.get("added", ())}
