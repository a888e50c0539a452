"""Builds an environment in a process of its own, and says how far it is."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs import Environment, EnvironmentProblem, Specification
from codelocd.model import Output, Stream
from codelocd.process import Child, Children, dying_with_us

Progress = Callable[[Mapping[str, Any]], None]


class Builder:
    """Runs `codeloc_envs.worker`: what it imports and what it hangs on is not the daemon's."""

    def __init__(self, children: Children, store: Path) -> None:
        self._children = children
        self._store = store

    async def build(self, specification: Specification, progress: Progress) -> Environment:
        """Raises EnvironmentProblem. When cancelled, the whole build is killed."""
        report = _Report(progress)
        child = self._start(specification, report.read)
        try:
            end = await asyncio.shield(child.exited)
        finally:
            child.kill()
        if report.result is None:
            summary = f"the environment's builder ended without a word ({end})"
            detail = report.errors.decode(errors="replace")
            raise EnvironmentProblem(summary, detail, passing=True)
        return report.environment()

    def _start(self, specification: Specification, output: Output) -> Child:
        question = {"store": str(self._store), "specification": specification.to_json()}
        with tempfile.TemporaryFile() as stdin:
            stdin.write(json.dumps(question).encode())
            stdin.seek(0)
            return self._children.start(
                [*dying_with_us(), sys.executable, "-m", "codeloc_envs.worker"],
                variables=os.environ,
                directory=Path("/"),
                output=output,
                stdin=stdin.fileno(),
            )


class _Report:
    """What the worker prints: JSON lines on stdout, anything else on stderr."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rest = b""
        self.errors = b""
        self.result: Mapping[str, Any] | None = None

    def read(self, stream: Stream, data: bytes) -> None:
        if stream == "stderr":
            self.errors = (self.errors + data)[-65536:]
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        """One message; what an installer's own start-up files print there is none."""
        try:
            message = json.loads(line)
        except ValueError:
            self.read("stderr", line + b"\n")
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
                problem["summary"], problem["detail"], passing=problem["passing"]
            )
        return Environment.from_json(self.result["environment"])
