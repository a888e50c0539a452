"""Starts the guardian, a process that outlives a killed daemon for a moment and ends what it left.

A runner that dies with the daemon (PR_SET_PDEATHSIG) has no time to end its own children, and
user code may close the pipe that would tell it. So one small process holds a connection from
the daemon and the list of its process groups; at its end of file it kills them all, and
every process that left its group but still bears a mark of the daemon's children.

Where runners outlive the daemon, the process is a holder: what the daemon says is `held` goes on
until another daemon takes it, for a while. What must stay open for that, the holder has, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from codelocd.core.logged_output import LoggedOutput
from codelocd.model import Output, Stream
from codelocd.process.pipes import STREAMS, Passage, passages
from codelocd.process.transit import Transit

_ROOT = Path(__file__).parents[2]

_START = (
    "import sys; sys.path.append(sys.argv[1]);"
    " from codelocd.process.{module} import main; main(*sys.argv[2:])"
)
"""Without `site`, and so without the folder that the daemon itself is imported from."""

_YOUNG = 1.0
"""Seconds of life after which one that ends is replaced at once: it may be that none can live."""

BEAT = 10.0
"""Seconds between two signs of life, which the guardian gives in a millisecond."""

_PATIENCE = 0.05
"""Seconds for the process to take what it was told before."""

_LAST = 10.0
"""Seconds for the process to end all that is left, which takes milliseconds."""

Streams = Callable[[], Mapping[str, int]]
"""The descriptors of the output of a process, by stream, as far as they are open."""


@dataclass(frozen=True, slots=True)
class HolderSettings:
    """For how many seconds what is held waits for the next daemon, which finds it at `path`.

    `folder`: for what it prints meanwhile. `family`: what the marks of all daemons of this state
    folder begin with.
    """

    path: Path
    folder: Path
    timeout: float
    family: str


@dataclass(frozen=True, slots=True)
class Printing:
    """What a process will print: its number among all, and its ways to where that goes."""

    number: int
    about: Mapping[str, Any]
    passages: Mapping[Stream, Passage]
    slots: Mapping[Stream, int]


class Guardian:
    """The daemon's side of the guardian. `look` replaces one that was killed and continues one that
    was stopped; it is called at each SIGCHLD, by the code that reaps children."""

    def __init__(self, keeping: HolderSettings | None = None) -> None:
        self.family = ""
        """What the marks of all children begin with; to be set before the first is watched."""
        self.keeping = keeping
        self.life = os.pipe() if keeping is not None else None
        """A pipe whose writing end only the daemon and the holder have: runners that could
        outlive both end when it does. Its reading end is theirs."""
        self.transit = _transit() if keeping is not None else None
        self._groups: set[int] = set()
        self._held: dict[int, Mapping[str, Any]] = {}
        self._numbers = count(1)
        self._words: dict[int, tuple[Printing, Streams]] = {}
        self._in_charge = self._ends = self._is_closed = False
        self._at_kill: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._began = 0.0
        self._asked, self._asked_at = False, 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def share(self, life: tuple[int, int], transit: Transit | None) -> None:
        """Those of runners that an earlier daemon started; to be called before others are."""
        for descriptor in self.life or ():
            os.close(descriptor)
        self.life = life
        if transit is not None:
            if self.transit is not None:
                self.transit.close()
            self.transit = transit

    def watch(self, group: int) -> None:
        """From now on `group` ends with the daemon."""
        self._groups.add(group)
        self._say(f"+{group}\n")

    def release(self, group: int) -> None:
        """`group` is gone."""
        self._groups.discard(group)
        self._held.pop(group, None)
        self._say(f"-{group}\n")

    def words(self, output: Output, slots: Mapping[Stream, int] | None = None) -> Printing:
        """Of a process that is about to start; `slots`: those it has in the transit already."""
        logged: LoggedOutput | None = getattr(output, "logged", None)
        transit = self.transit if logged is not None else None
        if slots is None:
            slots = {each: transit.slot() for each in STREAMS} if transit is not None else {}
        number = next(self._numbers)
        about = {
            "words": number,
            "logs": None if logged is None else logged.logs,
            "location": None if logged is None else logged.location,
            "generation": None if logged is None else logged.generation,
            "slots": slots,
        }
        return Printing(number, about, passages(output, transit, slots), slots)

    def listen(self, words: Printing, streams: Streams) -> None:
        """From now on they outlive the daemon until a daemon has read them, whatever ends."""
        if self.keeping is not None:
            self._words[words.number] = words, streams
            self._say(*_told(words, streams))

    def heard(self, words: Printing) -> None:
        """All of them."""
        if self._words.pop(words.number, None) is not None:
            self._say(f">{words.number}\n")
        for slot in words.slots.values():
            if self.transit is not None:
                self.transit.free(slot)

    def hold(self, pid: int, record: Mapping[str, Any]) -> None:
        """From now on the process outlives the daemon. `record` is what the next one gets to know
        of it, with its `pid`, when it `began`, its `mark`, and the number of its `words`."""
        if self.keeping is not None:
            self._held[pid] = record
            self._say(_held(record))

    def note(self, pid: int, more: Mapping[str, Any]) -> None:
        """The next daemon gets to know more of a process, if that outlives this one."""
        if (record := self._held.get(pid)) is not None:
            self.hold(pid, {**record, **more})

    def let_go(self, pid: int) -> None:
        """Take the record back: the process ends with the daemon again."""
        if self._held.pop(pid, None) is not None:
            self._say(f"~{pid}\n")

    def when_killed(self, order: Path | None) -> None:
        """What the guardian does after it has ended all, where this process ends without taking it
        back: the file is as `guardian_process.carry_out` has it. None: nothing. No holder does."""
        self._at_kill = order
        if self.keeping is None:
            self._say(_when_killed(order))

    def take_charge(self) -> None:
        """Tell the holder that all of an earlier daemon's processes are held by it or ended: from
        now on it is the one that the next daemon finds."""
        self._in_charge = True
        if self.keeping is not None:
            self._say("!\n")

    def look(self) -> float | None:
        """Continue the guardian if a signal stopped it. Seconds after which to `renew` it, if it
        ended; not at once where it did so as soon as it had begun."""
        if self._process is None:
            return None
        what = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        found = os.waitid(os.P_PID, self._process.pid, what)
        if found is None:
            return None
        if found.si_code == os.CLD_STOPPED:
            os.kill(self._process.pid, signal.SIGCONT)
            return None
        self._end()
        return 0.0 if time.monotonic() - self._began > _YOUNG else _YOUNG

    def beat(self, now: float) -> None:
        """Ask the guardian for a sign of life, at most every BEAT seconds. One that has not given
        the last one hangs, or a debugger has stopped it, and is replaced. `now`: monotonic."""
        if self._channel is None or now - self._asked_at < BEAT:
            return
        if self._asked and not self._has_answered(self._channel):
            self._end()
            self.renew()
        self._asked_at, self._asked = now, True
        self._say("?\n")

    def _has_answered(self, channel: socket.socket) -> bool:
        try:
            return bool(channel.recv(64))
        except OSError:
            return False

    def renew(self) -> None:
        """Start another one, unless there is one."""
        if self._process is None:
            with contextlib.suppress(OSError):  # short of descriptors: at the next word again
                self._begin()

    def close(self) -> None:
        """End the guardian, and what it still watches or holds."""
        self._ends = True
        if self._process is not None and self.keeping is not None:
            self._say(".\n")
        self._words.clear()
        if self._process is not None and self._channel is not None:
            self._channel.close()
            os.kill(self._process.pid, signal.SIGCONT)  # a signal may have stopped it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LAST)
            self._end()
        self._is_closed = True  # the end of a process may be told yet
        for descriptor in self.life or ():
            os.close(descriptor)
        self.life = None

    def _say(self, words: str, descriptors: Sequence[int] = ()) -> None:
        if self._is_closed:
            return
        try:
            if self._channel is None:
                raise BrokenPipeError
            self._send(self._channel, words, descriptors)
        except (ConnectionError, BlockingIOError):  # killed, or stopped until the rest was full
            self._end()
            self.renew()

    def _send(self, channel: socket.socket, words: str, descriptors: Sequence[int]) -> None:
        data, flags = words.encode(), getattr(socket, "MSG_NOSIGNAL", 0)
        try:
            sent = socket.send_fds(channel, [data], descriptors, flags)
        except BlockingIOError:
            select.select([], [channel], [], _PATIENCE)
            sent = socket.send_fds(channel, [data], descriptors, flags)
        if sent < len(data):
            raise BlockingIOError

    def _end(self) -> None:
        if self._process is not None and self._channel is not None:
            self._channel.close()
            self._process.kill()
            self._process.wait()
        self._process = self._channel = None

    def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = self._start(theirs.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.settimeout(_YOUNG)
        if self.keeping is not None:
            self._send(ours, "L\n", self.life or ())
        if self.transit is not None:
            self._send(ours, "T\n", [self.transit.descriptor])
        self._send(ours, "".join(f"+{group}\n" for group in self._groups), ())
        for words, streams in self._words.values():
            self._send(ours, *_told(words, streams))
        self._send(ours, "".join(map(_held, self._held.values())), ())
        if self._at_kill is not None and self.keeping is None:
            self._send(ours, _when_killed(self._at_kill), ())
        if self.keeping is not None and self._in_charge:
            self._send(ours, "!\n", ())
        if self.keeping is not None and self._ends:  # the one before had not heard it
            self._send(ours, ".\n", ())
        ours.setblocking(False)
        self._channel, self._began, self._asked = ours, time.monotonic(), False

    def _start(self, reading: int) -> subprocess.Popen[bytes]:
        module, more = "guardian_process", [self.family]
        if self.keeping is not None:
            module, keeping = "holder_process", self.keeping
            more = [self.family, keeping.family, str(keeping.path), str(keeping.folder)]
            more.append(str(keeping.timeout))
        start = _START.format(module=module)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", start, str(_ROOT), *more],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
        )


def _transit() -> Transit | None:
    """None where the machine has none to give: what is on its way can be lost then."""
    try:
        return Transit()
    except (OSError, AttributeError):
        return None


def _held(record: Mapping[str, Any]) -> str:
    return f"={json.dumps(record)}\n"


def _when_killed(order: Path | None) -> str:
    return f"w{'' if order is None else order}\n"


def _told(words: Printing, streams: Streams) -> tuple[str, list[int]]:
    open_ones = streams()
    about = {**words.about, "streams": list(open_ones)}
    return f"<{json.dumps(about)}\n", list(open_ones.values())
