"""What `codelocd top` costs with 200 locations: its first frame, at rest, in a flood of output."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import _projects
from benchmarks._daemon import CODELOCD, PATIENCE, Daemon, NothingHappened, folder, running
from benchmarks._measure import Figure
from benchmarks._report import alone
from benchmarks._tree import cpu, pss, tree

LOCATIONS = 200
WIDTH, HEIGHT = 200, 60
SECONDS = 10.0
"""Of each stretch in which CPU is counted."""
CALM = 3.0
"""Seconds between the first frame, or the first lines of the flood, and such a stretch."""
FIRST_FRAME, REST, FLOOD, MEGABYTES = 1.2, 5.0, 25.0, 60.0
MOST_RUNS = 5

TALKER = """\
import threading, time
from codeloc import Definitions

def talk():
    n = 0
    while True:
        end = time.monotonic() + 0.02
        for _ in range(100):
            n += 1
            print(f"\\x1b[32mline {n}\\x1b[0m of a flood, as long as lines of a log often are")
        time.sleep(max(end - time.monotonic(), 0))

threading.Thread(target=talk, daemon=True).start()
defs = Definitions()
"""
"""Prints 5,000 lines a second, a hundred at a time."""


class View:
    """`codelocd top` on a pseudoterminal that takes all that is written to it."""

    def __init__(self, daemon: Daemon) -> None:
        self._shown = bytearray()
        self._more = threading.Condition()
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self._controller = controller
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            [CODELOCD, "top"],
            cwd=daemon.project,
            env={**daemon.environ, "TERM": "xterm-256color"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, text: str) -> float:
        """Seconds from the start until `text` was drawn, after what was asked for before."""
        with self._more:
            if not self._more.wait_for(lambda: text.encode() in self._shown, PATIENCE):
                raise NothingHappened(f"the view never drew {text!r}")
            self._shown.clear()
        return time.monotonic() - self._began

    def press(self, keys: str) -> None:
        os.write(self._controller, keys.encode())

    def used(self) -> float:
        """Percent of a core in the next stretch, of both of its processes."""
        processes = tree(self.process.pid)
        began, before = time.monotonic(), sum(map(cpu, processes))
        time.sleep(SECONDS)
        return 100 * (sum(map(cpu, processes)) - before) / (time.monotonic() - began)

    def memory(self) -> float:
        return pss(tree(self.process.pid))

    def end(self) -> None:
        self.press("q")
        try:
            self.process.wait(PATIENCE)
        finally:
            os.close(self._controller)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._controller, 1 << 16)
            except OSError:  # it has ended
                return
            with self._more:
                self._shown += data
                del self._shown[: -(1 << 20)]
                self._more.notify_all()


def measure(runs: int) -> list[Figure]:
    """Memory (PSS) and CPU of both processes: the one that draws and the one that waits for it."""
    times = min(runs, MOST_RUNS)
    first, rest, flood, before, after = [], [], [], [], []
    with folder() as home:
        project = _projects.write(home / "project", LOCATIONS)
        with running(_with_a_talker(project), home) as daemon:
            daemon.until_serving()
            for _ in range(times):
                with _view(daemon) as view:
                    first.append(view.until(f" of {LOCATIONS + 1} serving"))
                    time.sleep(CALM)
                    rest.append(view.used())
                    before.append(view.memory())
                    view.press("/zz_talker\ro")
                    view.until("of a flood")
                    time.sleep(CALM)
                    flood.append(view.used())
                    after.append(view.memory())
    return [
        Figure("from the command to the first frame", "s", tuple(first), FIRST_FRAME),
        Figure(f"CPU at rest, {SECONDS:g} seconds", "%", tuple(rest), REST),
        Figure("CPU while a location prints 5,000 lines/s", "%", tuple(flood), FLOOD),
        Figure("memory (PSS) at rest", "MB", tuple(before), MEGABYTES),
        Figure("memory (PSS) in the flood", "MB", tuple(after), MEGABYTES),
    ]


@contextmanager
def _view(daemon: Daemon) -> Iterator[View]:
    view = View(daemon)
    try:
        yield view
    finally:
        view.end()


def _with_a_talker(project: Path) -> Path:
    """The project with one more location, which prints without a pause."""
    (project / "zz_talker.py").write_text(TALKER)
    with (project / "codelocd.toml").open("a") as config:
        config.write(_projects.LOCATION.format(name="zz_talker"))
    return project


if __name__ == "__main__":
    alone(measure, __doc__, default=MOST_RUNS)
