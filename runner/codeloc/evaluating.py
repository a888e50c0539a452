"""Asks one schedule or one sensor, in this process, which runs shall start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import Arguments, key_text
from codeloc.automation import ScheduleDefinition, SensorDefinition
from codeloc.context import ScheduleContext, SensorContext
from codeloc.errors import DefinitionsError, RunError, listing, suggestion
from codeloc.functions import CONTEXT, all_parameters_of, called
from codeloc.open_resources import CallGuard, OpenResources
from codeloc.plan import RunRequest, fit_params, plan
from codeloc.requests import Run, Skip
from codeloc.running import UncallableError as UncallableError
from codeloc.running import refuse_async

if TYPE_CHECKING:
    from typing import Any, Union

    from codeloc.context import LastRun, RunFacts, StarterContext
    from codeloc.namespace import Namespace

    Starter = Union[ScheduleDefinition[..., Any], SensorDefinition[..., Any]]


MOST_RUNS = 1000
"""Of one evaluation."""
EXPECTED = 'None, True, False, Run(…), several of them, or Skip("why")'


class EvaluationResult:
    """`runs`: those that shall start. `skipped`: why none shall, where a reason was given.
    `cursor`: the sensor's from now on.
    """

    def __init__(self, runs: Iterable[Run], skipped: str | None, cursor: Any = None) -> None:
        self.runs = tuple(runs)
        self.skipped = skipped
        self.cursor = cursor

    def __repr__(self) -> str:
        why = f", skipped: {self.skipped}" if self.skipped is not None else ""
        return f"<evaluation: {len(self.runs)} runs{why}>"


def starter_of(namespace: Namespace, name: str) -> Starter:
    """The schedule or the sensor of that name. Raises RunError."""
    starters = {starter.name: starter for starter in namespace.contents.starters}
    if name not in starters:
        hint = suggestion(name, starters)
        there = listing(starters)
        raise RunError(f'no schedule and no sensor "{name}"{hint} (there are: {there})')
    return starters[name]


def evaluate(
    namespace: Namespace,
    starter: Starter,
    facts: RunFacts,
    *,
    cursor: Any = None,
    last_run: LastRun | None = None,
    guard: CallGuard | None = None,
) -> EvaluationResult:
    """Asks a schedule or a sensor.

    Raises what its function and its resources raise; UncallableError for one that is async, and
    RunError for what it must not return, or a run that could not begin.
    """
    context: StarterContext
    if isinstance(starter, SensorDefinition):
        context = SensorContext(facts, starter, cursor, last_run)
    else:
        context = ScheduleContext(facts, starter, last_run)
    returned = _returned(namespace, starter, context, facts, guard or CallGuard())
    try:
        runs, skipped = requested(starter, returned)
        cursor = context.kept() if isinstance(context, SensorContext) else None
    except DefinitionsError as error:
        raise RunError(str(error)) from None
    _check_runs(namespace, starter, runs)
    return EvaluationResult(runs, skipped, cursor)


def _returned(
    namespace: Namespace,
    starter: Starter,
    context: StarterContext,
    facts: RunFacts,
    guard: CallGuard,
) -> Any:
    refuse_async(starter)
    bound = namespace.bound[starter]
    if bound.assets:
        taken = ", ".join(key_text(key) for key in bound.assets)
        raise RunError(f"{starter} takes the value of {taken}, which only its job can")
    resources = OpenResources(namespace.contents.resources, facts, guard)
    try:
        values = {name: resources.value(name) for name in bound.resources}
        if any(each.name == CONTEXT for each in all_parameters_of(starter.function)):
            values[CONTEXT] = context
        returned = guard.call(lambda: _whole(called(starter.function, values)))
    except BaseException:
        list(resources.close())  # the first exception is the one that is told
        raise
    for _, error in list(resources.close()):
        raise error
    return returned


def _whole(returned: Any) -> Any:
    """With all that a generator yields: its code runs only now."""
    if isinstance(returned, (str, bytes, Mapping)) or not isinstance(returned, Iterable):
        return returned
    return list(islice(returned, MOST_RUNS + 1))


def requested(starter: Starter, returned: Any) -> tuple[list[Run], str | None]:
    """The runs, and why there are none where that was said. Raises DefinitionsError.

    None means one run of a schedule, whose time has come, and none of a sensor.
    """
    arguments = Arguments(str(starter))
    if returned is None:
        returned = starter.kind == "schedule"
    if isinstance(returned, bool):
        return ([Run()] if returned else []), None
    if isinstance(returned, (Run, Skip)):
        returned = [returned]
    if not isinstance(returned, list):
        raise arguments.wrong("returned", returned, EXPECTED)
    if len(returned) > MOST_RUNS:
        raise arguments.invalid("returned", f"more than {MOST_RUNS} runs at a time")
    for index, item in enumerate(returned):
        if not isinstance(item, (Run, Skip)):
            raise arguments.wrong(f"returned[{index}]", item, 'Run(…) or Skip("why")')
    skips = [item for item in returned if isinstance(item, Skip)]
    if skips and len(returned) > 1:
        raise arguments.invalid("returned", "Skip beside others: one Skip, or runs")
    return [item for item in returned if isinstance(item, Run)], skips[0].why if skips else None


def _check_runs(namespace: Namespace, starter: Starter, runs: Iterable[Run]) -> None:
    """Raises RunError for parameters that its job does not take."""
    given = [run.params for run in runs if run.params]
    if not given:
        return
    steps = plan(namespace, RunRequest(starter.target.name), lambda key: True)
    for params in given:
        try:
            fit_params(namespace, steps, params, f'job "{starter.target.name}"')
        except RunError as error:
            raise RunError(f"{starter}: Run: {error}") from None
