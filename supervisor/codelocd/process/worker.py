"""Runs a module of `codeloc_envs` in a process of its own, and collects what it prints."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codelocd.model import Exit, Stream
from codelocd.process.child import Children, dying_with_us

KEPT_BYTES = 65536
"""How much of the end of its standard error is kept."""

Line = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a worker ended; `errors` is the end of what it printed on standard error."""

    end: Exit
    errors: str

    @property
    def last_line(self) -> str:
        """The last of its errors; an exception's message, where Python shows one."""
        return self.errors.rstrip().rpartition("\n")[2]


async def run(
    children: Children, module: str, *arguments: str, line: Line, question: bytes = b""
) -> Finished:
    """Run `python -m module arguments` with the daemon's interpreter until it ends.

    `question` is its standard input; `line` gets each line of its output, whole, as it comes.
    When cancelled, the worker and its whole group are killed. Raises OSError when it cannot be
    started.
    """
    errors, rest = b"", b""

    def heard(stream: Stream, data: bytes) -> None:
        nonlocal errors, rest
        if stream == "stderr":
            errors = (errors + data)[-KEPT_BYTES:]
            return
        *lines, rest = (rest + data).split(b"\n")
        for each in lines:
            line(each)

    with tempfile.TemporaryFile() as stdin:
        stdin.write(question)
        stdin.seek(0)
        child = children.start(
            [*dying_with_us(), sys.executable, "-m", module, *arguments],
            variables=os.environ,
            directory=Path("/"),
            output=heard,
            stdin=stdin.fileno(),
        )
    try:
        end = await asyncio.shield(child.exited)
    finally:
        child.kill()
    return Finished(end, errors.decode(errors="replace"))
