"""The holder's process: a guardian that keeps runners alive until the next daemon adopts them.

While a daemon lives it reads nothing of what it holds. At the daemon's end it ends, as a guardian
does, all that was not held, and then keeps what is held alive: it takes what that prints, into
files, and waits for the next daemon. Few imports; Linux only.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from tempfile import TemporaryFile

from codelocd.process import guardian_process
from codelocd.process.identity import GONE, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

    from codelocd.model import Stream

SPOOL_BYTES = 64 * 1024 * 1024
"""Bytes that are kept of each stream while no daemon reads it; what a process prints beyond that is
dropped."""

CHUNK = 256 * 1024
DESCRIPTORS = 16
"""Most that come with one line."""

STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


class Lines:
    """Lines of a socket with the descriptors that came with them, in order."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self._descriptors: list[int] = []

    def __iter__(self) -> Iterator[bytes]:
        """The lines up to the end of the connection. Waits for each."""
        while (lines := self.more()) is not None:
            yield from lines

    def more(self) -> list[bytes] | None:
        """What one look brings; None at the end."""
        try:
            data, more, _, _ = socket.recv_fds(self._connection, CHUNK, DESCRIPTORS)
        except OSError:
            data, more = b"", []
        for descriptor in more:
            os.set_inheritable(descriptor, False)
        self._descriptors += more
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    def take(self, count: int) -> list[int]:
        """The next descriptors that came."""
        taken, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return taken


class Held:
    """One process with what it prints to: a descriptor for each stream that is open."""

    def __init__(self, record: dict[str, Any], descriptors: list[int]) -> None:
        self.record = record
        self.streams = dict(zip(record["streams"], descriptors, strict=False))
        self.spools: dict[str, IO[bytes]] = {}
        self.dropped = 0

    @property
    def lives(self) -> bool:
        return state(self.record["pid"], self.record["began"]) != GONE

    def spool(self, stream: str, folder: str) -> None:
        """Take what has come; at the end, or where that fails, close it."""
        try:
            data = os.read(self.streams[stream], CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os.close(self.streams.pop(stream))
            return
        try:
            if stream not in self.spools:
                self.spools[stream] = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
            file = self.spools[stream]
            if file.seek(0, os.SEEK_END) + len(data) > SPOOL_BYTES:
                raise OSError("it is full")
            file.write(data)
        except OSError:
            self.dropped += len(data)

    def close(self) -> None:
        for descriptor in self.streams.values():
            os.close(descriptor)
        for file in self.spools.values():
            file.close()

    def told(self) -> tuple[bytes, list[int]]:
        """The line for the next daemon, and its descriptors: the streams', then the files'."""
        spooled = {name: os.fstat(file.fileno()).st_size for name, file in self.spools.items()}
        streams, files = list(self.streams), list(self.spools)
        line = {**self.record, "streams": streams, "spooled": spooled, "dropped": self.dropped}
        descriptors = [*self.streams.values(), *(self.spools[name].fileno() for name in files)]
        return json.dumps(line).encode() + b"\n", descriptors


class Holder:
    """`run_family`: what the marks of this daemon's children begin with; `family`: those of all
    daemons of this state folder. `path` is where the next daemon finds it, once it is in charge.
    """

    def __init__(
        self, run_family: str, family: str, path: str, folder: str, timeout: float
    ) -> None:
        self._run_family, self._family = run_family, family
        self._path, self._folder, self._timeout = path, folder, timeout
        self._groups: set[int] = set()
        self._held: dict[int, Held] = {}
        self._gone: set[int] = set()
        self._life: list[int] = []
        self._listener: socket.socket | None = None
        self._at: tuple[int, int] | None = None

    def follow(self, daemon: socket.socket) -> None:
        """Do as the daemon says, until it ends."""
        lines = Lines(daemon)
        for line in lines:
            self._take(line, lines)

    def _take(self, line: bytes, lines: Lines) -> None:
        word, rest = line[:1], line[1:]
        if word == b"+":
            self._groups.add(int(rest))
        elif word == b"-":
            self._groups.discard(int(rest))
            self._let_go(int(rest))
        elif word == b"~":
            self._let_go(int(rest))
        elif word == b"=":
            record = json.loads(rest)
            self._let_go(record["pid"])
            self._held[record["pid"]] = Held(record, lines.take(len(record["streams"])))
        elif word == b"L":
            self._life = lines.take(2)
        elif word == b"!":
            self._take_charge()
        elif word == b".":
            self._end()

    def _let_go(self, pid: int) -> None:
        former = self._held.pop(pid, None)
        if former is not None:
            former.close()

    def _take_charge(self) -> None:
        """From now on the next daemon finds this one: the path changes hands in one step."""
        draft = f"{self._path}.{os.getpid()}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with ShortPath(draft) as (folder, name):
                listener.bind(f"{folder}/{name}")
            os.chmod(draft, 0o600)
            listener.listen(1)
            os.rename(draft, self._path)
            found = os.stat(self._path)
        except OSError:
            listener.close()
            return
        self._listener, self._at = listener, (found.st_dev, found.st_ino)

    @property
    def _is_in_charge(self) -> bool:
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return self._at == (found.st_dev, found.st_ino)

    def outlive(self) -> None:
        """The daemon has ended without a word: keep what is held for the next one."""
        marks = {each.record["mark"] for each in self._held.values()}
        in_charge = self._is_in_charge
        family = self._family if in_charge else self._run_family
        guardian_process.end_groups(self._groups - set(self._held))
        guardian_process.end_all(lambda mark: mark.startswith(family) and mark not in marks)
        if in_charge:
            self._wait()
            if self._is_in_charge:
                self._end()

    def _wait(self) -> None:
        """Until a daemon has taken all, or the time is over, or nothing is left to be held."""
        until = time.monotonic() + self._timeout
        assert self._listener is not None
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        readers: dict[int, tuple[Held, str]] = {}
        for held in self._held.values():
            for stream, descriptor in held.streams.items():
                os.set_blocking(descriptor, False)
                poll.register(descriptor, select.POLLIN)
                readers[descriptor] = held, stream
        while (left := until - time.monotonic()) > 0 and self._alive():
            for descriptor, _ in poll.poll(min(left, 1.0) * 1000):
                if descriptor == self._listener.fileno():
                    if self._hand_over():
                        os._exit(0)
                    continue
                held, stream = readers[descriptor]
                held.spool(stream, self._folder)
                if stream not in held.streams:
                    poll.unregister(descriptor)

    def _alive(self) -> bool:
        """Whether there is one, or last words of one; what left the group of one that is gone,
        ends."""
        for pid, held in list(self._held.items()):
            if pid not in self._gone and not held.lives:
                self._gone.add(pid)
                mark = held.record["mark"]
                guardian_process.end_all(mark.__eq__)
        left = (each for pid, each in self._held.items() if pid not in self._gone or each.spools)
        return any(left)

    def _hand_over(self) -> bool:
        """Give all to a daemon; whether it says that it has it."""
        assert self._listener is not None
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(30.0)
            if _uid_of(connection) not in (0, os.geteuid()):
                return False
            try:
                if self._life:
                    socket.send_fds(connection, [b"L\n"], self._life)
                for held in self._held.values():
                    line, descriptors = held.told()
                    socket.send_fds(connection, [line], descriptors)
                connection.sendall(b".\n")
                return connection.recv(16) == b"taken\n"
            except OSError:
                return False

    def _end(self) -> None:
        """End all that is held, and whatever descends from it."""
        marks = {each.record["mark"] for each in self._held.values()}
        guardian_process.end_groups({p for p, each in self._held.items() if each.lives})
        guardian_process.end_groups(self._groups - set(self._held))
        guardian_process.end_all(lambda mark: mark.startswith(self._family) or mark in marks)
        if self._is_in_charge:
            os.unlink(self._path)
        os._exit(0)


class ShortPath:
    """A path of any length as one that a socket's address can hold."""

    def __init__(self, path: str) -> None:
        self._folder, self._name = os.path.split(path)

    def __enter__(self) -> tuple[str, str]:
        self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._descriptor}", self._name

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _uid_of(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1])


def main(run_family: str, family: str, path: str, folder: str, timeout: str) -> None:
    """Standard input is the socket to the daemon; `timeout` in seconds."""
    guardian_process.outlive_signals()
    holder = Holder(run_family, family, path, folder, float(timeout))
    with socket.socket(fileno=os.dup(0)) as daemon:
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        holder.follow(daemon)
    holder.outlive()
