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
class AttemptStart:
    """`spec`: of the runner of the location, with the output and the held descriptors of the
    attempt. `order`: the file that says what is run. `events`: the end of a pipe that the attempt
    writes to; the caller closes it after the start. None for an evaluation, which tells nothing.
    """

    spec: RunnerSpec
    order: Path
    events: int | None

    @property
    def arguments(self) -> list[str]:
        """What follows the entry of the bundle on a command line."""
        return [self.spec.location, str(self.order), "run"]

    @property
    def descriptors(self) -> list[int]:
        return [*([] if self.events is None else [self.events]), *self.spec.held]


def process_part(spec: RunnerSpec, events: int | None, life: int | None) -> dict[str, Any]:
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
        "events_fd": events,
        "stacks_signal": NUMBER,
        **limits_of(spec),
    }
