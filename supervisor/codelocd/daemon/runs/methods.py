"""The methods of the control socket about runs, schedules and sensors."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codelocd.daemon.actions import Method
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.params import Params
    from codelocd.daemon.runs.answers import RunAnswers
    from codelocd.daemon.runs.opening import Runs
    from codelocd.rpc.peer import Peer

WISH = (
    "location repository names select upstream checks params config tags timeout key by wait"
    " dagster_run"
)
LINES = "id lines after before stream since until contains"
TAKEN = {
    "run": WISH,
    "runs": "locations states limit before",
    "run_show": "id dagster_run code",
    "run_cancel": "id dagster_run kill",
    "run_retry": "id by",
    "run_logs": LINES,
    "schedules": "locations name repository ticks",
    "schedule_set": "location repository name enabled",
}
"""By method, its parameters."""


class RunMethods:
    """What answers is imported with the first request: few daemons run anything."""

    def __init__(self, runs: Runs, locations: Locations) -> None:
        self._runs = runs
        self._locations = locations
        self.methods: dict[str, tuple[Method, frozenset[str]]] = {
            name: (partial(self._answer, name), frozenset(taken.split()))
            for name, taken in TAKEN.items()
        }

    async def _answer(self, name: str, peer: Peer, params: Params) -> Any:
        return await self._answers.by_name[name](peer, params)

    @cached_property
    def _answers(self) -> RunAnswers:
        from codelocd.daemon.runs.answers import RunAnswers

        return RunAnswers(self._runs, self._locations)
