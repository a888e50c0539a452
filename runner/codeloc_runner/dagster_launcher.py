"""Has codelocd carry out the runs that Dagster's page and daemon launch: a run launcher of theirs.

It is imported in the environment of that page; the bundle is on its path.
"""

from __future__ import annotations

import os

from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

from .control import NotCarriedOut, Unanswered, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

HOME = "DAGSTER_HOME"
NUMBER, HIDDEN = "codelocd/run", ".dagster/"
"""The tag that codelocd's runs have, and how the tags begin that Dagster does not show."""


class WarmRunLauncher(DefaultRunLauncher):  # type: ignore[misc]  # no Dagster where types are checked
    """What codelocd does not carry out, Dagster's own launcher launches, as without it."""

    def launch_run(self, context: Any) -> None:
        run = context.dagster_run
        try:
            ask("run", asked_of(run))
        except NotCarriedOut as why:
            self._instance.report_engine_event(f"Launched without codelocd: {why}", run)
            super().launch_run(context)
        except Unanswered as problem:  # it may have begun, and must not begin twice
            raise DagsterLaunchFailedError(str(problem)) from None

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or not is_ours(run_id):
            return bool(super().terminate(run_id))
        self._instance.report_run_canceling(run)
        try:
            ask("run_cancel", {"dagster_run": run_id})
        except (NotCarriedOut, Unanswered):
            return is_over(self._instance.get_run_by_id(run_id))
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: Any) -> Any:
        """Of those that Dagster has launched itself nothing is known, as without this."""
        if NUMBER not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        state = state_of(run.run_id)
        if state is None:
            return CheckRunHealthResult(WorkerStatus.FAILED, "codelocd does not carry it out")
        return CheckRunHealthResult(WorkerStatus.RUNNING, state)


def asked_of(run: Any) -> Dict[str, Any]:
    """The parameters of the method `run`, of a DagsterRun. Raises NotCarriedOut."""
    origin = getattr(run, "remote_job_origin", None) or getattr(run, "external_job_origin", None)
    if origin is None:
        raise NotCarriedOut("the run does not say where its job is")
    place = getattr(origin, "repository_origin", None) or origin.external_repository_origin
    location = getattr(place, "code_location_origin", None)
    if location is None:
        raise NotCarriedOut("the run does not say in which location its job is")
    chosen: Optional[Any] = run.asset_selection
    return {
        "location": location.location_name,
        "tags": {name: each for name, each in run.tags.items() if not name.startswith(HIDDEN)},
        "by": {"kind": "dagster"},
        "key": f"dagster {run.run_id}",
        "dagster_run": {
            "id": run.run_id,
            "repository": place.repository_name,
            "job": run.job_name,
            "assets": sorted("/".join(key.path) for key in chosen) if chosen else None,
            "home": os.environ.get(HOME),
        },
    }


UNKNOWN = "codelocd does not answer"


def state_of(run: str) -> Optional[str]:
    """What the daemon says of an unfinished run; None: it has none of that id. A daemon that does
    not answer tells how its runs ended when it is there again."""
    try:
        found = ask("run_show", {"dagster_run": run})["run"]["state"]
    except NotCarriedOut as why:
        return None if why.kind == "unknown" else UNKNOWN
    except Unanswered:
        return UNKNOWN
    return str(found)


def is_ours(run: str) -> bool:
    return state_of(run) not in (None, UNKNOWN)


def is_over(run: Optional[Any]) -> bool:
    return run is None or bool(run.is_finished)
