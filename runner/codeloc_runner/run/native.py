"""Runs and asks definitions that were made with `codeloc`, as `codeloc` does it in a unit test."""

from __future__ import annotations

import sys

from ..load.exceptions import LoadFailure
from ..load.sources import imported
from .steps import StepEvents
from .values import StoredValues

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List

    from .cancelling import CancelGuard
    from .order import AttemptOrder, EvaluationOrder


class UsageFailure(Exception):
    """What was asked for cannot be run. `why` is that of its result (docs/protocol.md)."""

    why = "usage"


class UpstreamFailure(UsageFailure):
    """It takes a value that no run has left."""

    why = "upstream"


def run(targets: List[Any], order: AttemptOrder, steps: StepEvents, guard: CancelGuard) -> Any:
    """The `RunResult`. Raises UsageFailure or LoadFailure before anything of it runs."""
    running = part("running")
    facts = part("context").RunFacts(
        run=order.run,
        attempt=order.attempt,
        params=order.params,
        tags=order.tags,
        scheduled_for=order.scheduled_for,
        generation=order.generation,
        location=order.location,
        timezone=order.timezone,
        utc_offset=order.utc_offset,
    )
    try:
        request = part("plan").RunRequest(
            order.job,
            order.select,
            params=order.params,
            upstream=order.upstream,
            checks=order.checks,
            done=order.done,
        )
        return running.Execution(
            namespace_of(targets, order.repository),
            request,
            facts=facts,
            store=StoredValues(order),
            listener=steps,
            guard=guard,
            keeps=False,
        ).run()
    except part("errors").RunError as error:
        missing = getattr(part("errors"), "MissingUpstream", ())  # an older codeloc has none
        kind = UpstreamFailure if isinstance(error, missing) else UsageFailure
        raise kind(str(error)) from None


def evaluate(targets: List[Any], order: EvaluationOrder, guard: CancelGuard) -> Any:
    """The `EvaluationResult`. Raises what the function raises, UsageFailure and LoadFailure."""
    contexts, evaluating = part("context"), part("evaluating")
    last_run = None if order.last_run is None else contexts.LastRun(**order.last_run)
    namespace = namespace_of(targets, order.repository)
    try:
        starter = evaluating.starter_of(namespace, order.name)
        facts = contexts.RunFacts(
            scheduled_for=order.scheduled_for,
            generation=order.generation,
            location=order.location,
            timezone=getattr(starter, "timezone", None),
            utc_offset=order.utc_offset,
        )
        return evaluating.evaluate(
            namespace, starter, facts, cursor=order.cursor, last_run=last_run, guard=guard
        )
    except (part("errors").RunError, evaluating.UncallableError) as error:
        raise UsageFailure(str(error)) from None


def part(name: str) -> Any:
    """A module of the `codeloc` that user code has imported. Raises LoadFailure for an old one."""
    try:
        return imported(f"codeloc.{name}")
    except ModuleNotFoundError:
        codeloc = sys.modules["codeloc"]
        version = getattr(codeloc, "__version__", "?")
        raise LoadFailure(
            f"the codeloc {version} that is installed in this environment cannot run its"
            " definitions: upgrade it, or remove it, since codelocd brings one"
        ) from None


def namespace_of(targets: List[Any], repository: str) -> Any:
    for target in targets:
        namespace = getattr(target, "namespace", None)
        if namespace is not None and namespace.name == repository:
            return namespace
    raise UsageFailure(f"no repository {repository!r} in this location")
