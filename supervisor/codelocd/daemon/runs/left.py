"""The attempts that an earlier daemon left running, and what they printed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codelocd.daemon.runs.output import RunOutputs
from codelocd.process.child import Child, Children
from codelocd.process.inheritance import RUN, Inheritance
from codelocd.runs.model import RunId, RunPolicy

STOP_TIMEOUT = RunPolicy().stop_timeout
"""Seconds for one to end whose run cannot be read."""

NOTED = (
    "kind",
    "run",
    "attempt",
    "of",
    "group",
    "memory_limit",
    "tasks_limit",
    "start_method",
    "start_why",
)
"""What a record has: `of` is the location. All that follow can be None."""


@dataclass(frozen=True, slots=True)
class LeftAttempt:
    """One that lives. `record`: what its daemon noted of it."""

    record: Mapping[str, Any]
    child: Child


class LeftRuns:
    """Takes them out of the inheritance, at once, so that their ends are noticed. What the keeper
    does not adopt is ended; while the book cannot be opened they are left alone."""

    def __init__(self, inheritance: Inheritance, children: Children, outputs: RunOutputs) -> None:
        self._left: dict[tuple[RunId, int], LeftAttempt] = {}
        for left in inheritance.of(RUN):
            run, attempt = RunId(left.record["run"]), left.record["attempt"]
            output = outputs.of(run, attempt, left.record["of"])
            left.tell(output)
            try:
                child = left.child(children, output)
            except ProcessLookupError:  # it has left its result, or is lost
                left.end()
                continue
            record = {name: left.record.get(name) for name in NOTED}
            children.hold(child.pid, record)
            self._left[run, attempt] = LeftAttempt(record, child)

    def __len__(self) -> int:
        return len(self._left)

    def has(self, run: RunId, attempt: int) -> bool:
        """Whether it was left, and had not ended when this daemon looked."""
        return (run, attempt) in self._left

    def take(self, run: RunId, attempt: int) -> LeftAttempt | None:
        """None where it is not there."""
        return self._left.pop((run, attempt), None)

    async def drain(self, seconds: float) -> None:
        """End those whose runs cannot be read, after these seconds; what they leave is on disk."""
        children = [left.child for left in self._left.values()]
        if children:
            await asyncio.wait([child.exited for child in children], timeout=seconds)
            await asyncio.gather(*(child.end(STOP_TIMEOUT) for child in children))

    def longest_end(self) -> float | None:
        """Seconds that they may take to stop, once they are asked; None where there is none."""
        return STOP_TIMEOUT if self._left else None

    def end_rest(self) -> None:
        """End those that no run of the book knows."""
        for left in self._left.values():
            left.child.kill()
        self._left.clear()
