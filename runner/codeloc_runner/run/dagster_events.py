"""Tells Dagster's events of a run as the events of an attempt.

A step that makes assets is told as one step for each of them. One that only checks is no step: its
checks are the asset's.
"""

from __future__ import annotations

import re
from time import perf_counter

from ..load.exceptions import bounded
from ..loaders.dagster_facts import fact, metadata_of
from ..process import say
from .dagster_releases import error_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

    from .events import EventPipe

    Name = Tuple[str, str]
    """The kind of a step, and its name."""

INTERRUPTED = "DagsterExecutionInterruptedError"
CHECK_FAILED = "DagsterAssetCheckFailedError"
"""Of a blocking check, whose end is told already."""
RETRIES = ("RetryRequested", "RetryRequestedFromPolicy")
UNRESOLVED = "[?]"
"""In the key of a step that is made once for each dynamic output, by now unknown."""
SEVERITIES = {"ERROR": "error", "WARN": "warn"}
NOT_REACHED = "what it is made from failed"
NOT_MADE = "an output that it takes was not made"


class PlannedStep:
    """One of Dagster's: what it makes, and which checks it does, with Dagster's keys of these.
    `made` has the metadata of what it has made by now."""

    def __init__(self, key: str, assets: List[str], checks: Dict[Name, Any]) -> None:
        self.names: List[Name] = [("asset", name) for name in assets]
        if not (assets or checks):
            self.names = [("op", key)]
        self.checks = checks
        self.began: Optional[float] = None
        self.is_ended = False
        self.made: Dict[str, Dict[str, Any]] = {}
        self.waiting: List[Tuple[str, Dict[str, Any]]] = []

    @property
    def seconds(self) -> float:
        return 0.0 if self.began is None else perf_counter() - self.began


def planned_step(step: Any) -> PlannedStep:
    """Of a step of an ExecutionPlan."""
    assets: List[str] = []
    checks: Dict[Name, Any] = {}
    for output in step.step_outputs:
        properties = output.properties
        asset, check = fact(properties, "asset_key"), fact(properties, "asset_check_key")
        if check is not None:
            checks[key_text(check.asset_key), str(check.name)] = check
        elif asset is not None:
            assets.append(key_text(asset))
    return PlannedStep(step.key, assets, checks)


def key_text(key: Any) -> str:
    return "/".join(key.path)


class DagsterSteps:
    """`steps`, `notes` and `dagster_run`, the id once there is a record, are what a result has.
    `failure`: the error of the run itself."""

    def __init__(self, pipe: EventPipe) -> None:
        self._pipe = pipe
        self._planned: Dict[str, PlannedStep] = {}
        self._job: Callable[[], Any] = lambda: None
        self._evaluated: Set[Name] = set()
        self.steps: List[Dict[str, Any]] = []
        self.notes: List[str] = []
        self.dagster_run: Optional[str] = None
        self.failure: Optional[Dict[str, Any]] = None
        self.printed: Optional[BaseException] = None  # Dagster prints what its steps raise

    def recorded(self, run: str) -> None:
        self.dagster_run = run
        self._pipe.tell("dagster_run", id=run)

    def planned(self, plan: Any, job: Callable[[], Any]) -> None:
        """`job`: gives the JobDefinition."""
        self._job = job
        self._planned = {step.key: planned_step(step) for step in plan.steps}
        known = [each for key, each in self._planned.items() if UNRESOLVED not in key]
        names = [name for each in known for name in each.names]
        checks = [check for each in self._planned.values() for check in each.checks]
        told = [
            {
                "kind": kind,
                "name": name,
                "timeout": None,
                "checks": [check for asset, check in checks if (kind, asset) == ("asset", name)],
            }
            for kind, name in names
        ]
        self._pipe.tell("plan", steps=told)

    @property
    def has_failed_checks(self) -> bool:
        """Whether a check failed that is more than a warning."""
        checks = [check for step in self.steps for check in step["checks"]]
        return any(each["state"] != "passed" and each["severity"] != "warn" for each in checks)

    def hear(self, event: Any) -> None:
        kind = str(event.event_type_value)
        if kind == "PIPELINE_FAILURE":
            error = error_of(event)
            is_told = error is None or fact(error, "cls_name") == CHECK_FAILED
            self.failure = None if is_told else problem(error)
        elif kind == "ENGINE_EVENT" and error_of(event) is not None:
            self._say(problem(error_of(event))["detail"])
        if event.step_key is None:
            return
        step = self._planned.get(event.step_key)
        if step is None:  # of a dynamic output, which no plan has
            step = self._planned[event.step_key] = PlannedStep(event.step_key, [], {})
        self._hear_of(step, kind, event)

    def _hear_of(self, step: PlannedStep, kind: str, event: Any) -> None:
        if kind in ("STEP_START", "STEP_RESTARTED"):
            step.began = perf_counter()
            for of, name in step.names:
                self._pipe.tell("step", kind=of, name=name, state="started")
        elif kind in ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION"):
            self._made(step, event.event_specific_data)
        elif kind == "ASSET_CHECK_EVALUATION":
            self._checked(step, event.event_specific_data)
        elif kind == "STEP_SUCCESS":
            self._ended(step, None)
        elif kind == "STEP_FAILURE":
            self._ended(step, error_of(event))
        elif kind == "STEP_SKIPPED":
            self._skip(step, NOT_MADE)
        elif kind == "STEP_UP_FOR_RETRY":
            told = problem(error_of(event))["summary"] if error_of(event) else "it failed"
            self._note(f"{event.step_key} is tried again: {told}")

    def _made(self, step: PlannedStep, data: Any) -> None:
        """An observation counts where nothing is made: an I/O manager observes what it loads."""
        made = fact(data, "materialization")
        of = made or fact(data, "asset_observation")
        key = fact(of, "asset_key")
        if key is None:
            return
        name = key_text(key)
        if ("asset", name) not in step.names:  # an op says so of an asset that is not planned
            if made is not None:
                self._tell_end(("asset", name), "succeeded", step.seconds, metadata_of(of.metadata))
        elif made is not None or name not in step.made:
            step.made[name] = metadata_of(of.metadata)

    def _checked(self, step: PlannedStep, evaluation: Any) -> None:
        asset, name = key_text(evaluation.asset_key), str(evaluation.check_name)
        passed = fact(evaluation, "passed", fact(evaluation, "success", False))
        severity = fact(fact(evaluation, "severity"), "name", "ERROR")
        told = {
            "name": name,
            "state": "passed" if passed else "failed",
            "severity": SEVERITIES.get(severity, "error"),
            "blocking": self._blocks(evaluation),
            "seconds": step.seconds if step.checks and not step.names else 0.0,
            "summary": fact(evaluation, "description"),
            "metadata": metadata_of(evaluation.metadata),
        }
        self._evaluated.add((asset, name))
        if ("asset", asset) in step.names and not step.is_ended:
            step.waiting.append((asset, told))
        else:
            self._tell_check(asset, told)

    def _blocks(self, evaluation: Any, key: Any = None) -> bool:
        """Whether a check does, as its evaluation says. In older releases than the newest that does
        not: there, as where it was not evaluated, its definition does."""
        told = fact(evaluation, "blocking")
        if told is None:
            known = fact(fact(fact(self._job(), "asset_layer"), "asset_graph"), "get_check_spec")
            told = known and fact(known(key or evaluation.asset_check_key), "blocking")
        return bool(told)

    def _ended(self, step: PlannedStep, error: Any) -> None:
        """`error`: of a step that failed."""
        found = None if error is None else problem(error)
        step.is_ended = True
        interrupted = error is not None and is_interruption(error)
        for kind, name in step.names:
            metadata = step.made.get(name, {})
            if found is None and self._was_left_out(step, kind, name):
                self._tell_end((kind, name), "skipped", 0.0, {}, why="its function did not make it")
            elif found is None or (kind == "asset" and name in step.made):
                self._tell_end((kind, name), "succeeded", step.seconds, metadata)
            elif interrupted:
                self._tell_end((kind, name), "cancelled", step.seconds, metadata)
            else:
                self._tell_end((kind, name), "failed", step.seconds, metadata, found, "exception")
        if found is not None and not interrupted:
            self._say(found["detail"])
            self._fail_checks(step, found)
        for asset, told in step.waiting:
            self._tell_check(asset, told)

    @staticmethod
    def _was_left_out(step: PlannedStep, kind: str, name: str) -> bool:
        """Of a function that makes several assets and may leave some out."""
        return kind == "asset" and len(step.names) > 1 and bool(step.made) and name not in step.made

    def _fail_checks(self, step: PlannedStep, found: Dict[str, Any]) -> None:
        """Those that the step would have done, and has not."""
        for (asset, name), key in step.checks.items():
            if (asset, name) not in self._evaluated and not step.names:
                told = {"name": name, "state": "error", "severity": "error"}
                more = {"seconds": step.seconds, "summary": found["summary"], "metadata": {}}
                self._tell_check(asset, {**told, "blocking": self._blocks(None, key), **more})

    def _skip(self, step: PlannedStep, why: str) -> None:
        step.is_ended = True
        for name in step.names:
            self._tell_end(name, "skipped", 0.0, {}, why=why)

    def finish(self, cancelled: bool) -> None:
        """What Dagster says nothing of: it was not reached, or was broken off."""
        for key, step in self._planned.items():
            if step.is_ended or UNRESOLVED in key:
                continue
            if step.began is None:
                self._skip(step, "the run was cancelled" if cancelled else NOT_REACHED)
                continue
            step.is_ended = True
            for name in step.names:
                state = "cancelled" if cancelled else "failed"
                self._tell_end(name, state, step.seconds, {}, None, None if cancelled else "exit")

    def _tell_end(
        self,
        name: Name,
        state: str,
        seconds: float,
        metadata: Dict[str, Any],
        found: Optional[Dict[str, Any]] = None,
        why: Optional[str] = None,
    ) -> None:
        told = {
            "kind": name[0],
            "name": name[1],
            "state": state,
            "seconds": seconds,
            "why": why,
            "summary": None if found is None else found["summary"],
            "metadata": metadata,
        }
        for former in [one for one in self.steps if (one["kind"], one["name"]) == name]:
            self.steps.remove(former)
        self.steps.append({**told, "problem": found, "checks": []})
        self._pipe.tell("step", **told)

    def _tell_check(self, asset: str, told: Dict[str, Any]) -> None:
        step = next(self._of_asset(asset), None)
        if step is None:
            self._tell_end(("asset", asset), "checked", 0.0, {})
            step = self.steps[-1]
        step["checks"].append(told)
        self._pipe.tell("check", asset=asset, **told)

    def _of_asset(self, asset: str) -> Iterator[Dict[str, Any]]:
        return (one for one in self.steps if (one["kind"], one["name"]) == ("asset", asset))

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._say(text)
        self._pipe.tell("note", text=text)

    @staticmethod
    def _say(text: str) -> None:
        say(text)


def is_interruption(error: Any) -> bool:
    while error is not None:
        if fact(error, "cls_name") == INTERRUPTED:
            return True
        error = fact(error, "cause")
    return False


def is_wrapper(name: str) -> bool:
    return name.startswith("Dagster") or name in RETRIES


SUMMARY = 500
"""Characters."""
MODULES = re.compile(r"^dagster\.([a-z_]+\.)*(?=[A-Z])")
"""Before the name of an exception of Dagster's."""


def problem(error: Any) -> Dict[str, Any]:
    """Of a SerializableErrorInfo: that of the user's code, where Dagster has wrapped it."""
    inner = error
    while is_wrapper(str(fact(inner, "cls_name") or "")) and fact(inner, "cause"):
        inner = inner.cause
    lines = [line.strip() for line in str(inner.message).splitlines() if line.strip()]
    return {
        "kind": "run",
        "summary": bounded(MODULES.sub("", lines[0]) if lines else "it failed", SUMMARY),
        "detail": bounded(str(inner.to_string())),
        "error": None,
        "missing": None,
    }
