"""Builds an environment in a process of its own, and says how far it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs import Environment, EnvironmentProblem, Specification
from codelocd import worker
from codelocd.process import Children

Progress = Callable[[Mapping[str, Any]], None]


class Builder:
    """Runs `codeloc_envs.worker`: what it imports and what it hangs on is not the daemon's."""

    def __init__(self, children: Children, store: Path) -> None:
        self._children = children
        self._store = store

    async def build(self, specification: Specification, progress: Progress) -> Environment:
        """Raises EnvironmentProblem. When cancelled, the whole build is killed."""
        question = {"store": str(self._store), "specification": specification.to_json()}
        report = _Report(progress)
        finished = await worker.run(
            self._children,
            "codeloc_envs.worker",
            question=json.dumps(question).encode(),
            line=report.read,
        )
        if report.result is None:
            summary = f"the environment's builder ended without a word ({finished.end})"
            detail = report.unread.decode(errors="replace") + finished.errors
            raise EnvironmentProblem(summary, detail, passing=True)
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
            self.unread = (self.unread + line + b"\n")[-worker.KEPT_BYTES :]
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
