"""Builds environments in processes of their own, and removes those that nothing uses."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from codeloc_envs import Environment, EnvironmentProblem, Specification, Store
from codeloc_envs.problem import shortage_in
from codelocd.model import Exit, Stream
from codelocd.process.child import Children

if TYPE_CHECKING:
    from codeloc_envs.documents import ProgressDocument

KEPT_BYTES = 65536
"""How much of the end of its standard error is kept."""

Line = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """How a worker ended; `errors` is the end of what it printed on standard error."""

    end: Exit
    errors: str

    @property
    def last_line(self) -> str:
        """The last of its errors; an exception's message, where Python shows one."""
        return self.errors.rstrip().rpartition("\n")[2]


@functools.cache
def dying_with_us() -> tuple[str, ...]:
    """A wrapper under which a process ends with its parent, where there is one that works: it
    needs the system call capset, which a service may be denied. The guardian ends a worker, too.
    """
    wrapper = shutil.which("setpriv")
    if wrapper is None or sys.platform != "linux":
        return ()
    words = (wrapper, "--pdeathsig", "KILL")
    works = subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    return words if works else ()


async def run_worker(
    children: Children, module: str, *arguments: str, line: Line, question: bytes = b""
) -> WorkerResult:
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
            private=True,
        )
    try:
        end = await asyncio.shield(child.exited)
    finally:
        child.kill()
    return WorkerResult(end, errors.decode(errors="replace"))


Progress: TypeAlias = "Callable[[ProgressDocument], None]"


class Builder:
    """Runs `codeloc_envs.worker`: what it imports and what it hangs on is not the daemon's."""

    def __init__(self, children: Children, store: Path) -> None:
        self._children = children
        self._store = store

    async def build(self, specification: Specification, progress: Progress) -> Environment:
        """Raises EnvironmentProblem. When cancelled, the whole build is killed."""
        question = {"store": str(self._store), "specification": specification.to_json()}
        report = _Report(progress)
        finished = await run_worker(
            self._children,
            "codeloc_envs.worker",
            question=json.dumps(question).encode(),
            line=report.read,
        )
        if report.result is None:
            summary = f"the environment's builder ended without a word ({finished.end})"
            detail = report.unread.decode(errors="replace") + finished.errors
            raise EnvironmentProblem(
                summary, detail, passing=True, shortage=shortage_in(finished.errors)
            )
        return report.environment()


class _Report:
    """What the worker prints: one message a line, as JSON."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.unread = b""
        self.result: Mapping[str, Any] | None = None

    def read(self, line: bytes) -> None:
        """One message; what an installer's own start-up files print there is none."""
        try:
            message = json.loads(line)
        except ValueError:
            self.unread = (self.unread + line + b"\n")[-KEPT_BYTES:]
            return
        if not isinstance(message, dict):
            return
        if "progress" in message:
            self._progress(message["progress"])
        else:
            self.result = message

    def environment(self) -> Environment:
        assert self.result is not None
        if "problem" in self.result:
            problem = self.result["problem"]
            raise EnvironmentProblem(
                problem["summary"],
                problem["detail"],
                passing=problem["passing"],
                shortage=problem["shortage"],
            )
        return Environment.from_json(self.result["environment"])


FIRST = 600.0
"""Seconds after the start of the daemon: it has other things to do then, and may end soon."""

DAY = 86400.0


class EnvironmentPruner:
    """What `codelocd env prune` does, by the same rules. What locations have counts as used.

    `used()`: the environments of the daemon's locations, stopped ones included. `tidy()` removes
    what is old of the daemon's own.
    """

    def __init__(
        self,
        children: Children,
        store: Path,
        used: Callable[[], Iterable[Environment]],
        report: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        *,
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self._children = children
        self._path = store
        self._store = Store(store)
        self._used = used
        self._report = report
        self._sleep = sleep
        self._tidy = tidy

    async def run(self) -> None:
        """For ever."""
        await self._sleep(FIRST)
        while True:
            await asyncio.to_thread(self._use, tuple(self._used()))
            with contextlib.suppress(OSError):  # short of processes: another day
                await self._prune()
                self._tidy()
            await self._sleep(DAY)

    def _use(self, environments: Iterable[Environment]) -> None:
        for environment in environments:
            with contextlib.suppress(EnvironmentProblem, OSError):
                self._store.lease(environment).close()

    async def _prune(self) -> None:
        said: list[bytes] = []
        finished = await run_worker(
            self._children, "codeloc_envs.worker", "--prune", str(self._path), line=said.append
        )
        if finished.end.status != 0:
            why = finished.last_line or finished.end
            self._report(f"unused environments could not be removed from {self._path}: {why}")
        elif keys := json.loads(said[-1])["keys"]:
            self._report(f"removed from the store, as they were not used: {', '.join(keys)}")
