"""What the parts of a daemon's runs are to each other."""

from __future__ import annotations

import functools
import random
import time
import uuid
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from codelocd.process import identity
from codelocd.runs.events import Moment, RunEvent, StartAttempt, TellDagster
from codelocd.runs.folder import AttemptFiles
from codelocd.runs.model import RunId, RunRecord


def present() -> Moment:
    """Now, by this machine's clocks, with a chance of its own."""
    return Moment(time.time(), time.monotonic(), random.random(), _boot())


@functools.cache
def _boot() -> str:
    """One that has no name is another for each process."""
    return identity.boot() or uuid.uuid4().hex


class CodeInUse(Protocol):
    """What is served of a location: what a run that starts now executes."""

    @property
    def generation(self) -> int | None: ...
    @property
    def manifest(self) -> str | None: ...
    @property
    def environment(self) -> str | None: ...
    @property
    def loader(self) -> str: ...


class CodesInUse(Protocol):
    """By location what is served, or was last."""

    def of(self, name: str) -> CodeInUse | None:
        """None: nothing has been served, or it is not known yet. A run waits until it is."""


class ToldOfAttempts(Protocol):
    """Hears what happens to attempts, on the loop's thread."""

    def tell(self, run: RunId, event: RunEvent) -> None: ...

    def told(self, run: RunId, attempt: int, document: Mapping[str, Any]) -> None:
        """An event of the attempt, as docs/protocol.md has it."""


class AttemptProcesses(Protocol):
    """The processes of attempts. What happens to them is told `RunKeeper`."""

    def prepare(self, run: RunRecord, effect: StartAttempt) -> None:
        """A start of this new run follows once its record is in the book, or `call_off`."""

    def call_off(self, run: RunId) -> None: ...

    async def start(self, run: RunRecord, effect: StartAttempt) -> None:
        """Raises OSError. Else AttemptStarted is told, and at last AttemptEnded."""

    async def tell_dagster(self, run: RunId, effect: TellDagster) -> None:
        """Raises OSError where Dagster cannot be told."""

    def signal(self, run: RunRecord, how: Literal["terminate", "kill"]) -> None:
        """To the newest attempt; nothing where that has ended."""

    async def adopt(self, run: RunRecord) -> None:
        """Begin to watch an attempt that an earlier daemon started. When it ends AttemptEnded or
        AttemptLost is told. Raises OSError."""

    def look(self, run: RunRecord) -> AttemptFiles:
        """What the files of its newest attempt show. Reads them: not on the loop's thread."""
        ...


class RunNewsTaker(Protocol):
    """Hears what becomes of runs, on the loop's thread."""

    def changed(self, before: RunRecord | None, run: RunRecord) -> None:
        """`before` None: it is new."""

    def told(self, run: RunRecord, attempt: int, document: Mapping[str, Any]) -> None:
        """An event of an attempt, as docs/protocol.md has it; or `retry`."""
