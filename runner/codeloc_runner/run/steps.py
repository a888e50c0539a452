"""What happens in a run, as events and for the result."""

from __future__ import annotations

import os
import sys

from ..load import exceptions
from ..load.location import problem_of
from ..load.sources import is_ours
from ..process import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Dict, List, Optional

    from .events import EventPipe
    from .order import AttemptOrder, CodeOrder


class StepEvents:
    """What `codeloc` wants of a listener."""

    def __init__(self, order: AttemptOrder, pipe: EventPipe) -> None:
        self._order = order
        self._pipe = pipe
        self.steps: List[Dict[str, Any]] = []
        self.notes: List[str] = []
        self.dagster_run: Optional[str] = None
        self.printed: Optional[BaseException] = None
        """Of the step that failed last; its traceback is in the output."""

    def planned(self, steps: List[Any]) -> None:
        told = [
            {
                "kind": step.definition.kind,
                "name": step.definition.name,
                "timeout": getattr(step.definition, "timeout", None),
                "checks": [check.name for check in step.checks],
            }
            for step in steps
        ]
        self._pipe.tell("plan", steps=told)

    def started(self, outcome: Any) -> None:
        self._pipe.tell("step", kind=outcome.kind, name=outcome.name, state="started")

    def finished(self, outcome: Any) -> None:
        told = outcome.item()
        problem = None
        if outcome.error is not None:
            problem = described(outcome.error, self._order)
            told["summary"] = problem["summary"]
            say(problem["detail"])
            self.printed = outcome.error
        self.steps.append({**told, "problem": problem})
        del told["checks"]
        self._pipe.tell("step", **told)

    def checked(self, outcome: Any, check: Any) -> None:
        told = check.item()
        if check.error is not None and check.state == "error":
            problem = described(check.error, self._order)
            told["summary"] = problem["summary"]
            say(problem["detail"])
        self.steps[-1]["checks"].append(told)
        self._pipe.tell("check", asset=outcome.name, **told)

    def noted(self, text: str) -> None:
        self.notes.append(text)
        say(text)
        self._pipe.tell("note", text=text)


def described(error: BaseException, order: CodeOrder, kind: str = "run") -> Dict[str, Any]:
    """The problem of an exception of a function, without the frames that led to the function."""
    error.__traceback__ = below(exceptions.traceback_of(error))
    return {**problem_of(error, order, [], list(order.sources)), "kind": kind}


def below(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """What is below the frames of the runner and of `codeloc`; all, where nothing is."""
    package = getattr(sys.modules.get("codeloc"), "__file__", None) or ""
    folder = os.path.dirname(package) + os.sep
    inner = traceback
    while inner is not None:
        file = inner.tb_frame.f_code.co_filename
        if not is_ours(file) and not (package and file.startswith(folder)):
            return inner
        inner = inner.tb_next
    return traceback
