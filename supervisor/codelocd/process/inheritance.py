"""Receives from the holder what an earlier daemon has left running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codelocd.core.logged_output import LOCATIONS, LoggedOutput
from codelocd.model import Output, Stream
from codelocd.process.child import Child, Children
from codelocd.process.guardian_process import ShortPath, end_all
from codelocd.process.holder_process import CHUNK, Lines
from codelocd.process.identity import GONE, state
from codelocd.process.pipes import STREAMS, passages
from codelocd.process.transit import Transit

PATIENCE = 10.0
"""Seconds for the holder to answer; it does so in milliseconds."""

RUNNER, RUN = "runner", "run"
"""Kinds of records. One that names none is a runner's."""

PAUSE = 0.02
"""Seconds between two tries to reach it."""


LogOutput = Callable[[str, str, int | None], Output]
"""Where what a process printed goes: the name of the logs, a location's name there, and the
generation."""


@dataclass(slots=True)
class InheritedProcess:
    """One process: what its daemon noted of it, the reading ends of its output, what it printed
    since then; `dropped`: bytes of that for which there was no room.

    Of one that has ended with its daemon the record has no more than where its output goes.
    """

    record: Mapping[str, Any]
    readers: dict[Stream, int]
    spools: dict[Stream, int]
    dropped: int
    transit: Transit | None

    @property
    def is_over(self) -> bool:
        """Whether words are all that is left of it."""
        return "pid" not in self.record

    @property
    def slots(self) -> dict[Stream, int]:
        """Those of its streams in the transit."""
        found: dict[Stream, int] = self.record.get("slots", {})
        return found if self.transit is not None else {}

    def child(self, children: Children, output: Output) -> Child:
        """It, as this daemon's, which is told of its end and hears it from now on.

        `tell` was called with the same output. Raises ProcessLookupError when it is gone.
        """
        readers, slots = self.readers, self.slots
        self.readers, self.transit = {}, None
        pid, began, mark = self.record["pid"], self.record["began"], self.record["mark"]
        return children.take(pid, began, mark, output, readers, slots)

    @property
    def kind(self) -> str:
        """Which part of the daemon goes on with it."""
        return str(self.record.get("kind", RUNNER))

    def output(self, output: LogOutput) -> Output:
        """Where what it prints goes."""
        logs = self.record.get("logs", LOCATIONS)  # an earlier version knew no others
        return output(logs, self.record["location"], self.record["generation"])

    def tell(self, output: Output) -> None:
        """Pass on what it printed while no daemon read it."""
        logged: LoggedOutput | None = getattr(output, "logged", None)
        for stream in STREAMS:
            spool = self.spools.pop(stream, None)
            if self.transit is not None and logged is not None and stream in self.slots:
                self._tell_safely(stream, spool, output, logged, self.transit)
            elif spool is not None:
                os.lseek(spool, 0, os.SEEK_SET)
                while data := os.read(spool, CHUNK):
                    output(stream, data)
            if spool is not None:
                os.close(spool)
        if self.dropped:
            text = f"codelocd: {self.dropped} bytes were dropped while no daemon ran\n"
            output("stderr", text.encode())

    def _tell_safely(
        self,
        stream: Stream,
        spool: int | None,
        output: Output,
        logged: LoggedOutput,
        transit: Transit,
    ) -> None:
        """A daemon that is killed over it has written no line twice, and lost none."""
        slot, holder = self.slots[stream], self.record["holder"]
        logged.go_on(stream, transit.begun(slot))
        while spool is not None:
            data = transit.take_kept(slot, spool, CHUNK, logged.last, holder)
            if data:
                output(stream, data)
            transit.written(slot, logged.begun(stream))
            if not data:
                return

    def write(self, stream: Stream, data: bytes, last: int, output: LogOutput) -> None:
        """What its daemon had taken of a stream; some of it may be in the log, whose newest line
        was number `last` before."""
        to = self.output(output)
        logged: LoggedOutput | None = getattr(to, "logged", None)
        if logged is None or self.transit is None:
            return
        slot = self.slots[stream]
        known = max(0, logged.last - last)
        logged.go_on(stream, self.transit.begun(slot), data, known)
        was_its_end = not data and known  # a last line without an end is written when it is over
        self.transit.written(slot, b"" if was_its_end else logged.begun(stream))

    def finish(self, output: Output) -> None:
        """It has ended, and `tell` was called: the rest of what it printed."""
        for stream, passage in passages(output, self.transit, self.slots).items():
            reader = self.readers.pop(stream, None)
            if reader is not None:
                os.set_blocking(reader, False)
                with contextlib.suppress(BlockingIOError):
                    while data := passage.read(reader, CHUNK):
                        passage.tell(data)
                os.close(reader)
            passage.tell(b"")

    def end(self) -> None:
        """End it and its descendants."""
        if self.is_over:
            return
        pid, mark = self.record["pid"], self.record["mark"]
        if state(pid, self.record["began"]) != GONE:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        end_all(mark.__eq__)


@dataclass(slots=True)
class Inheritance:
    """Everything that an earlier daemon left; `over` are those of which words alone are left.
    `life`: the pipe whose end would end these processes; None where none is left.

    Until it is `taken`, the holder has it, too: a daemon that dies before has taken nothing.
    """

    left: list[InheritedProcess] = field(default_factory=list)
    over: list[InheritedProcess] = field(default_factory=list)
    life: tuple[int, int] | None = None
    transit: Transit | None = None
    connection: socket.socket | None = None

    def of(self, kind: str) -> list[InheritedProcess]:
        """Those of a kind, the oldest record first; they are taken out."""
        found = [left for left in self.left if left.kind == kind]
        self.left = [left for left in self.left if left.kind != kind]
        return found

    def write_on_its_way(self, output: LogOutput) -> None:
        """To the logs, what the earlier daemon was about to write; before anything else is read."""
        found = self.transit.on_its_way() if self.transit is not None else None
        for left in (*self.left, *self.over) if found is not None else ():
            for stream, slot in left.slots.items():
                if found is not None and slot == found[0]:
                    left.write(stream, found[1], found[2], output)

    def taking(self) -> None:
        """From now on this daemon's own holder may be the one that is in charge."""
        self._say(b"taking\n")

    def taken(self) -> None:
        """Tell the former holder to leave: this daemon and its own holder have all that they want
        of it."""
        self._say(b"taken\n")
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _say(self, words: bytes) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.sendall(words)


def receive(path: Path) -> Inheritance:
    """From the holder at `path`; nothing where there is none, or where it does not answer. Blocks.

    One that has only just been started, by a daemon that was killed as it took over, is waited for.
    """
    until = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        try:
            with ShortPath(str(path)) as (folder, name):
                connection.connect(f"{folder}/{name}")
            return _received(connection)
        except (OSError, ValueError, KeyError):
            connection.close()
        if time.monotonic() > until or not _is_held(path):
            return Inheritance()
        time.sleep(PAUSE)


def _is_held(path: Path) -> bool:
    """Whether there is a holder for that path, in charge or about to be."""
    return any(os.fsencode(path) in words for _, words in _holders())


@dataclass(frozen=True, slots=True)
class FoundHolder:
    """A holder by its command line: its pid, what the marks of that which it may hold begin with,
    and for how many seconds after its daemon's end it holds that."""

    pid: int
    family: str
    timeout: float


def holders() -> list[FoundHolder]:
    """Every holder on this machine, with and without a daemon (Linux)."""
    found = []
    for pid, words in _holders():
        with contextlib.suppress(ValueError):  # of another release
            _, family, _, _, timeout = map(os.fsdecode, words[-5:])
            found.append(FoundHolder(pid, family, float(timeout)))
    return found


def _holders() -> Iterator[tuple[int, list[bytes]]]:
    """Each with the words of its command line; `guardian` starts it with them."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = process.read_bytes()
            if b"holder_process" in line:
                yield int(process.parent.name), line.rstrip(b"\0").split(b"\0")


def _received(connection: socket.socket) -> Inheritance:
    found, lines = Inheritance(connection=connection), Lines(connection)
    for line in lines:
        if line == b".":
            break
        if line == b"L":
            reading, writing = lines.take(2)
            found.life = reading, writing
            continue
        if line == b"T":
            with contextlib.suppress(OSError, ValueError):  # of another release
                found.transit = Transit(*lines.take(1))
            continue
        record = json.loads(line)
        readers = dict(zip(record["streams"], lines.take(len(record["streams"])), strict=True))
        spools = dict(zip(record["spooled"], lines.take(len(record["spooled"])), strict=True))
        left = InheritedProcess(record, readers, spools, record["dropped"], found.transit)
        (found.over if left.is_over else found.left).append(left)
        if found.transit is not None:
            found.transit.keep(left.slots.values())
    else:
        raise ConnectionResetError("the holder ended")
    return found
