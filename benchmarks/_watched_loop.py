"""`codelocd` whose loop is watched: `python PROGRAM FILE ARGUMENT...`.

Writes to FILE a line of JSON for each time that something held the loop for long: `what` did, and
the `milliseconds` of processor time that it took. So it does not count how busy the machine is.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from codelocd.cli import main
from codelocd.process.event_loop import SteadyLoop

PROGRAM = Path(__file__)

TOLD = 5.0
"""Milliseconds from which on a hold is written."""

BEAT = 0.002
"""Seconds between two looks whether another thread keeps the interpreter from the loop."""

OTHERS = "another thread, or the loop"
"""What a hold is called that was noticed by a beat."""


@dataclass(frozen=True, slots=True)
class Hold:
    what: str
    milliseconds: float


class Watch:
    """Times every callback of the loop by its own thread's clock, and what passes between two
    beats by the process's: the second counts what other threads did without giving the
    interpreter back, too."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._beat_at = 0.0
        self._within: list[str] = []

    def install(self) -> None:
        """Watch the loop that the main thread is going to run."""
        handles: Any = asyncio.events.Handle
        loops: Any = SteadyLoop
        run, begin = handles._run, loops.run_forever

        def timed(handle: Any) -> None:
            self._within.clear()
            signal.setitimer(signal.ITIMER_VIRTUAL, TOLD / 1000)
            began = time.thread_time()
            run(handle)
            took = 1000 * (time.thread_time() - began)
            if took > TOLD:
                called = (
                    handle._callback
                )  # what a task does next has no name; its `repr` takes long
                self._tell(" < ".join(self._within) or str(type(called)), took)

        def run_forever(loop: SteadyLoop) -> None:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGVTALRM, self._look)
                loop.call_soon(self._beat, loop)
            begin(loop)

        handles._run, loops.run_forever = timed, run_forever

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        """Where the callback is after that time."""
        while frame is not None and frame.f_code.co_name != "timed":
            self._within.append(frame.f_code.co_qualname)
            frame = frame.f_back

    def _beat(self, loop: SteadyLoop) -> None:
        now = time.process_time()
        took = 1000 * (now - self._beat_at) if self._beat_at else 0.0
        self._beat_at = now
        if took > TOLD:
            self._tell(OTHERS, took)
        loop.call_later(BEAT, self._beat, loop)

    def _tell(self, what: str, milliseconds: float) -> None:
        self._file.write(json.dumps({"what": what, "milliseconds": milliseconds}) + "\n")


def holds(file: Path, since: int = 0) -> list[Hold]:
    """What was written after so many lines."""
    lines = file.read_text().splitlines(keepends=True)[since:]
    return [Hold(**json.loads(line)) for line in lines if line.endswith("\n")]


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a", buffering=1) as written:
        Watch(written).install()
        sys.argv[1:] = sys.argv[2:]
        sys.exit(main())
