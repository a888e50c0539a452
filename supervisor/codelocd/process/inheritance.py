"""Receives from the holder what an earlier daemon has left running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codelocd.model import Output
from codelocd.process.child import Child, Children
from codelocd.process.guardian_process import end_all
from codelocd.process.holder_process import CHUNK, STREAMS, Lines, ShortPath
from codelocd.process.identity import GONE, state

PATIENCE = 10.0
"""Seconds for the holder to answer; it does so in milliseconds."""

RUNNER = "runner"
"""The kind of a record that names none."""


@dataclass(slots=True)
class Left:
    """One process: what its daemon noted of it, the reading ends of its output, what it printed
    since then; `dropped`: bytes of that for which there was no room."""

    record: Mapping[str, Any]
    readers: dict[str, int]
    spools: dict[str, int]
    dropped: int

    @property
    def kind(self) -> str:
        """Which part of the daemon goes on with it."""
        return str(self.record.get("kind", RUNNER))

    def child(self, children: Children, output: Output) -> Child:
        """It, as this daemon's, which is told of its end and hears it from now on.

        Raises ProcessLookupError when it is gone.
        """
        readers, self.readers = self.readers, {}
        pid, began, mark = self.record["pid"], self.record["began"], self.record["mark"]
        return children.take(pid, began, mark, output, readers)

    def tell(self, output: Output) -> None:
        """Pass on what it printed while no daemon read it."""
        for stream in STREAMS:
            if (spool := self.spools.pop(stream, None)) is not None:
                with os.fdopen(spool, "rb", buffering=0) as file:
                    file.seek(0)
                    while data := file.read(CHUNK):
                        output(stream, data)
        if self.dropped:
            text = f"codelocd: {self.dropped} bytes were dropped while no daemon ran\n"
            output("stderr", text.encode())

    def end(self) -> None:
        """End it and its descendants."""
        for descriptor in (*self.readers.values(), *self.spools.values()):
            os.close(descriptor)
        self.readers, self.spools = {}, {}
        pid, mark = self.record["pid"], self.record["mark"]
        if state(pid, self.record["began"]) != GONE:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        end_all(mark.__eq__)


@dataclass(slots=True)
class Inheritance:
    """Everything that an earlier daemon left. `life`: the pipe whose end would end these processes;
    None where none is left.

    Until it is `taken`, the holder has it, too: a daemon that dies before has taken nothing.
    """

    left: list[Left] = field(default_factory=list)
    life: tuple[int, int] | None = None
    connection: socket.socket | None = None

    def of(self, kind: str) -> list[Left]:
        """Those of a kind, the oldest record first; they are taken out."""
        found = [left for left in self.left if left.kind == kind]
        self.left = [left for left in self.left if left.kind != kind]
        return found

    def taken(self) -> None:
        """Tell the former holder to leave: this daemon and its own holder have all that they want
        of it."""
        if self.connection is not None:
            with self.connection, contextlib.suppress(OSError):
                self.connection.sendall(b"taken\n")
            self.connection = None


def receive(path: Path) -> Inheritance:
    """From the holder at `path`; nothing where there is none, or where it does not answer."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    try:
        with ShortPath(str(path)) as (folder, name):
            connection.connect(f"{folder}/{name}")
        return _received(connection)
    except (OSError, ValueError, KeyError):
        connection.close()
        return Inheritance()


def _received(connection: socket.socket) -> Inheritance:
    found, lines = Inheritance(connection=connection), Lines(connection)
    for line in lines:
        if line == b".":
            break
        if line == b"L":
            reading, writing = lines.take(2)
            found.life = reading, writing
            continue
        record = json.loads(line)
        readers = dict(zip(record["streams"], lines.take(len(record["streams"])), strict=True))
        spools = dict(zip(record["spooled"], lines.take(len(record["spooled"])), strict=True))
        found.left.append(Left(record, readers, spools, record["dropped"]))
    else:
        raise ConnectionResetError("the holder ended")
    return found
