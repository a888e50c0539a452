"""A run that Dagster has recorded and launched, and an attempt carries out."""

from __future__ import annotations

from ..load.sources import imported
from ..loaders.dagster import repository_from
from . import dagster_releases as releases
from .dagster_choice import NUMBER
from .native import UsageFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .loading import ProcessCode
    from .order import AttemptOrder

BEFORE = ("NOT_STARTED", "STARTING")
"""Of a run that no process has begun."""


class LaunchedRun:
    """`reconstructable`: the job as Dagster executes it; `plan`: of what is chosen of it."""

    def __init__(self, whole: Any, plan: Any, made: Any) -> None:
        self.reconstructable = whole
        self.plan = plan
        self._made = made

    def recorded(self, instance: Any, order: AttemptOrder) -> Any:
        """The DagsterRun, from now on tagged as one of codelocd's."""
        instance.add_run_tags(self._made.run_id, {NUMBER: str(order.run)})
        return instance.get_run_by_id(self._made.run_id)


def launched_run(code: ProcessCode, order: AttemptOrder, instance: Any) -> LaunchedRun:
    """Raises UsageFailure, and what Dagster raises of what does not fit."""
    made = instance.get_run_by_id(order.dagster_run)
    if made is None:
        raise UsageFailure(f"Dagster's instance has no run {order.dagster_run}")
    if made.status.value not in BEFORE:  # never twice
        raise UsageFailure(f"Dagster's run is {made.status.value} already")
    target, repository = repository_from(code.targets, order.repository)
    if repository is None:
        raise UsageFailure(f"no repository {order.repository!r} in this location")
    if not repository.has_job(made.job_name):
        raise UsageFailure(f"no job {made.job_name!r} in this location")
    whole = releases.reconstructable(target, code.module, order).get_reconstructable_job(
        made.job_name
    )
    return LaunchedRun(whole, plan_of(whole, made, instance), made)


def plan_of(whole: Any, made: Any, instance: Any) -> Any:
    """As `execute_run_iterator` makes it again."""
    api: Any = imported("dagster._core.execution.api")
    ops = made.resolved_op_selection
    job = whole
    if ops or made.asset_selection or made.asset_check_selection:
        job = whole.get_subset(
            op_selection=list(ops) if ops else None,
            asset_selection=made.asset_selection,
            asset_check_selection=made.asset_check_selection,
        )
    return api._get_execution_plan_from_run(job, made, instance)
