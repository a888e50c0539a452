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
from functools import partial
from tempfile import TemporaryFile

from codelocd.process import guardian_process
from codelocd.process.identity import GONE, state
from codelocd.process.transit import Transit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

SPOOL_BYTES = 64 * 1024 * 1024
"""Bytes that are kept of each stream while no daemon reads it; what a process prints beyond that is
dropped."""

CHUNK = 256 * 1024
DESCRIPTORS = 16
"""Most that come with one line."""

HANDOVER = 5.0
"""Seconds for the holder of a daemon that was killed as it took over to be in charge."""


class Lines:
    """Lines of a socket with the descriptors that came with them, in order."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self._descriptors: list[int] = []
        self.sign_of_life = partial(guardian_process.answer, connection.fileno())

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


class SpooledOutput:
    """What one process prints: a descriptor for each stream that is open, and what was taken of it
    since no daemon reads it.

    `about`: the `location` and `generation` whose log it goes to, None for none, and its `slots` in
    the transit, by stream.
    """

    def __init__(self, about: dict[str, Any], descriptors: list[int]) -> None:
        self.about = about
        self.streams = dict(zip(about["streams"], descriptors, strict=False))
        self.spools: dict[str, IO[bytes]] = {}
        self.dropped = 0

    def spool(self, stream: str, folder: str) -> bool:
        """Take what has come, whether there was any; at the end, or where that fails, close it."""
        try:
            data = os.read(self.streams[stream], CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            os.close(self.streams.pop(stream))
            return False
        try:
            if stream not in self.spools:
                self.spools[stream] = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
            file = self.spools[stream]
            if file.seek(0, os.SEEK_END) + len(data) > SPOOL_BYTES:
                raise OSError("it is full")
            file.write(data)
        except OSError:
            self.dropped += len(data)
        return True

    def close(self) -> None:
        for descriptor in self.streams.values():
            os.close(descriptor)
        for file in self.spools.values():
            file.close()

    def told(self, record: dict[str, Any], holder: int) -> tuple[bytes, list[int]]:
        """The line for the next daemon, and its descriptors: the streams', then the files'.

        `record` is of the process, and empty where that ends; `holder` says whose files they are.
        """
        spooled = {name: os.fstat(file.fileno()).st_size for name, file in self.spools.items()}
        kept = {"streams": list(self.streams), "spooled": spooled, "dropped": self.dropped}
        own = {**kept, "holder": holder}
        descriptors = [*self.streams.values(), *(file.fileno() for file in self.spools.values())]
        return json.dumps({**self.about, **record, **own}).encode() + b"\n", descriptors


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
        self._held: dict[int, dict[str, Any]] = {}
        self._words: dict[int, SpooledOutput] = {}
        self._gone: set[int] = set()
        self._life: list[int] = []
        self._transit: list[int] = []
        self._memory: Transit | None = None
        self._number = int.from_bytes(os.urandom(7), "big") + 1
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
            self._held.pop(int(rest), None)
        elif word == b"~":
            self._held.pop(int(rest), None)
        elif word == b"=":
            record = json.loads(rest)
            self._held[record["pid"]] = record
        elif word == b"<":
            about = json.loads(rest)
            self._words[about["words"]] = SpooledOutput(about, lines.take(len(about["streams"])))
        elif word == b">":
            self._words.pop(int(rest)).close()
        elif word == b"L":
            self._life = lines.take(2)
        elif word == b"T":
            self._transit = lines.take(1)
        elif word == b"!":
            self._take_charge()
        elif word == b"?":
            lines.sign_of_life()
            if self._listener is not None and not os.path.lexists(self._path):
                self._take_charge()  # the folder was removed, or the socket in it
        elif word == b".":
            self._end()

    def _take_charge(self) -> None:
        """From now on the next daemon finds this one: the path changes hands in one step."""
        draft = f"{self._path}.{os.getpid()}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with guardian_process.ShortPath(draft) as (folder, name):
                listener.bind(f"{folder}/{name}")
            os.chmod(draft, 0o600)
            listener.listen(1)
            os.rename(draft, self._path)
            found = os.stat(self._path)
        except OSError:
            listener.close()
            return
        if self._listener is not None:
            self._listener.close()
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
        marks = {record["mark"] for record in self._held.values()}
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
        readers = self._last_words()
        for descriptor in readers:
            poll.register(descriptor, select.POLLIN)
        while (left := until - time.monotonic()) > 0 and self._is_needed():
            for descriptor, _ in poll.poll(min(left, 1.0) * 1000):
                if descriptor == self._listener.fileno():
                    if self._hand_over():
                        os._exit(0)
                    continue
                words, stream = readers[descriptor]
                words.spool(stream, self._folder)
                if stream not in words.streams:
                    poll.unregister(descriptor)

    def _last_words(self) -> dict[int, tuple[SpooledOutput, str]]:
        """The streams that may bring more; of those that have just ended, all that they brought."""
        if self._transit:
            self._memory = Transit(os.dup(self._transit[0]))
        held = {record["words"] for record in self._held.values()}
        for number, words in list(self._words.items()):
            if words.about["location"] is None and number not in held:
                self._words.pop(number).close()
        readers: dict[int, tuple[SpooledOutput, str]] = {}
        for words in self._words.values():
            for stream, descriptor in list(words.streams.items()):
                os.set_blocking(descriptor, False)
                while words.spool(stream, self._folder):
                    pass
                if stream in words.streams:
                    readers[descriptor] = words, stream
        return readers

    def _is_needed(self) -> bool:
        """Whether one lives, or words are left; what left the group of one that is gone, ends."""
        for pid, record in self._held.items():
            if pid not in self._gone and not _lives(record):
                self._gone.add(pid)
                mark = record["mark"]
                guardian_process.end_all(mark.__eq__)
        return len(self._gone) < len(self._held) or self._has_words()

    def _has_words(self) -> bool:
        slots = [slot for words in self._words.values() for slot in words.about["slots"].values()]
        kept = any(words.spools for words in self._words.values())
        return kept or (self._memory is not None and self._memory.has_any(slots))

    def _hand_over(self) -> bool:
        """Give all to a daemon; whether it says that it has it."""
        assert self._listener is not None
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(30.0)
            if _uid_of(connection) not in (0, os.geteuid()):
                return False
            try:
                self._tell_all(connection)
                return self._is_taken(connection)
            except OSError:
                return False

    def _tell_all(self, connection: socket.socket) -> None:
        if self._life:
            socket.send_fds(connection, [b"L\n"], self._life)
        if self._transit:
            socket.send_fds(connection, [b"T\n"], self._transit)
        records = {record["words"]: record for record in self._held.values()}
        for number, words in self._words.items():
            line, descriptors = words.told(records.get(number, {}), self._number)
            socket.send_fds(connection, [line], descriptors)
        connection.sendall(b".\n")

    def _is_taken(self, connection: socket.socket) -> bool:
        """Whether the daemon has all, or ended when its own holder was about to take charge.

        Nothing is read meanwhile: for as long as it lives, the daemon may.
        """
        connection.settimeout(None)
        said = data = connection.recv(64)
        while data and not said.endswith(b"taken\n"):
            said += (data := connection.recv(64))
        until = time.monotonic() + HANDOVER
        while said == b"taking\n" and self._is_in_charge and time.monotonic() < until:
            time.sleep(0.01)
        return said.endswith(b"taken\n") or not self._is_in_charge

    def _end(self) -> None:
        """End all that is held, and whatever descends from it."""
        marks = {record["mark"] for record in self._held.values()}
        guardian_process.end_groups({pid for pid, each in self._held.items() if _lives(each)})
        guardian_process.end_groups(self._groups - set(self._held))
        guardian_process.end_all(lambda mark: mark.startswith(self._family) or mark in marks)
        if self._is_in_charge:
            os.unlink(self._path)
        os._exit(0)


def _lives(record: dict[str, Any]) -> bool:
    return state(record["pid"], record["began"]) != GONE


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
