"""The process of one attempt of a run, or of one evaluation, as launchers start it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codelocd.runners.api import RunnerSpec
from codelocd.runners.settings import limits_of
from codelocd.runners.stacks import NUMBER


@dataclass(frozen=True, slots=True)
class AttemptPipes:
    """The process's ends of its pipes, which the caller closes after the start. It writes to
    `events`; nothing of it begins before a byte has come on `go`. None: it has no such pipe.
    """

    events: int | None = None
    go: int | None = None

    @property
    def descriptors(self) -> list[int]:
        return [each for each in (self.events, self.go) if each is not None]


NO_PIPES = AttemptPipes()
"""Of an evaluation or a report, which tells nothing, and may happen twice."""


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """`spec`: of the runner of the location, with the output and the held descriptors of the
    attempt. `order`: the file that says what is run.
    """

    spec: RunnerSpec
    order: Path
    pipes: AttemptPipes = NO_PIPES

    @property
    def arguments(self) -> list[str]:
        """What follows the entry of the bundle on a command line."""
        return [self.spec.location, str(self.order), "run"]

    @property
    def is_of_run(self) -> bool:
        return self.pipes.go is not None

    @property
    def descriptors(self) -> list[int]:
        return [*self.pipes.descriptors, *self.spec.held]


def process_part(
    spec: RunnerSpec, pipes: AttemptPipes = NO_PIPES, life: int | None = None
) -> dict[str, Any]:
    """What an order says of the process and of the code that it loads. With a `life` it may outlive
    this process."""
    return {
        "location": spec.location,
        "target": {"kind": spec.target.kind, "value": spec.target.value},
        "attribute": spec.attribute,
        "working_directory": str(spec.working_directory),
        "environment": spec.environment,
        "parent": os.getpid() if life is None else None,
        "life_fd": life,
        "events_fd": pipes.events,
        "go_fd": pipes.go,
        "stacks_signal": NUMBER,
        **limits_of(spec),
    }
