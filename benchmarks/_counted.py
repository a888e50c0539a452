"""Runs `codelocd` and counts what the product's code does: `python -m benchmarks._counted`.

The first argument is a socket: to each line that a client sends there, this process answers with a
line of JSON, what was counted since the line before: calls, files, and switches. A switch is a call
of a function that stands in another file than the function called before it on that thread. Counted
are functions of the product alone, by `sys.monitoring`, or on a Python that has none (3.11) by the
profiler's hook. The other arguments are those of `codelocd`.
"""

from __future__ import annotations

import dis
import json
import os
import socket
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import codeloc_envs
import codelocd
from codelocd.cli import main

PRODUCT = tuple(
    f"{Path(module.__file__ or '').parent}{os.sep}" for module in (codelocd, codeloc_envs)
)
NAMELESS = ("<module>", "<lambda>", "<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>")
"""Code that is not counted as a function: of imports and of expressions."""


class Counter:
    """Calls by file; a new one begins with nothing."""

    def __init__(self) -> None:
        self.calls = 0
        self.switches = 0
        self.files: set[str] = set()
        self._last = threading.local()

    def add(self, code: CodeType) -> None:
        self.calls += 1
        self.files.add(code.co_filename)
        if getattr(self._last, "file", None) != code.co_filename:
            self.switches += 1
            self._last.file = code.co_filename

    def told(self) -> dict[str, int]:
        return {"calls": self.calls, "files": len(self.files), "switches": self.switches}


counter = Counter()


def _is_counted(code: CodeType) -> bool:
    return code.co_filename.startswith(PRODUCT) and code.co_name not in NAMELESS


def _start() -> None:
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring
        tool = monitoring.PROFILER_ID
        monitoring.use_tool_id(tool, "codelocd flows")

        def started(code: CodeType, _offset: int) -> Any:
            if not _is_counted(code):
                return monitoring.DISABLE
            counter.add(code)
            return None

        monitoring.register_callback(tool, monitoring.events.PY_START, started)
        monitoring.set_events(tool, monitoring.events.PY_START)
    else:
        threading.setprofile(_profiled)
        sys.setprofile(_profiled)


def _profiled(frame: FrameType, event: str, _argument: object) -> None:
    """A generator or coroutine that goes on is a call to the profiler; only its start counts."""
    code = frame.f_code
    if event == "call" and _is_counted(code) and frame.f_lasti <= _first_instruction(code):
        counter.add(code)


def _first_instruction(code: CodeType) -> int:
    """The offset of RESUME 0, at which a function's own code begins."""
    known = _FIRST.get(code)
    if known is None:
        known = _FIRST[code] = next(
            step.offset for step in dis.get_instructions(code) if step.opname == "RESUME"
        )
    return known


_FIRST: dict[CodeType, int] = {}


def _answer(path: str) -> None:
    """For as long as the process lives."""
    global counter
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        peer, _ = listener.accept()
        with peer, peer.makefile("rw") as lines:
            for _line in lines:
                told, counter = counter.told(), Counter()
                lines.write(json.dumps(told) + "\n")
                lines.flush()


def _run(place: str, arguments: list[str]) -> None:
    """`place` is a socket to be asked at, or with --report= before it, a file for the whole run."""
    report = place.removeprefix("--report=")
    if report == place:
        threading.Thread(target=_answer, args=(place,), daemon=True).start()
    sys.argv[:] = ["codelocd", *arguments]
    _start()
    try:
        sys.exit(main())
    finally:
        if report != place:
            Path(report).write_text(json.dumps(counter.told()))


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2:])
