"""What a run does, in which order: decided before anything of it runs."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import key_text
from codeloc.errors import MissingUpstream, RunError, listing, suggestion
from codeloc.jobs import AssetJobDefinition, FunctionJobDefinition
from codeloc.parameters import given_values, refuse_unknown
from codeloc.selection import select, with_upstream

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping, Sequence

    from codeloc.arguments import Key
    from codeloc.assets import AssetCheckDefinition, AssetDefinition
    from codeloc.definition import FunctionDefinition
    from codeloc.jobs import JobDefinition
    from codeloc.namespace import Namespace

    Graph = Mapping[Key, Sequence[Key]]
    Is = Callable[[Key], bool]


CHECKS = ("with", "without", "only")


class Step:
    """One function of a run, and the checks after it. `makes`: False where its value is loaded, to
    be checked.
    """

    __slots__ = ("checks", "definition", "makes")

    def __init__(
        self,
        definition: FunctionDefinition[..., Any],
        checks: Sequence[AssetCheckDefinition[..., Any]] = (),
        makes: bool = True,
    ) -> None:
        self.definition = definition
        self.checks = tuple(checks)
        self.makes = makes

    @property
    def key(self) -> Key | None:
        """Of an asset."""
        return getattr(self.definition, "key", None)

    @property
    def functions(self) -> tuple[FunctionDefinition[..., Any], ...]:
        return (*((self.definition,) if self.makes else ()), *self.checks)


class RunRequest:
    """What shall be run. With neither `job` nor `assets` it is every asset.

    `assets`: items as `select` takes them. `done`: names of assets that an earlier attempt made.
    """

    def __init__(
        self,
        job: str | None = None,
        assets: Iterable[str] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        upstream: bool = False,
        checks: str = "with",
        done: Iterable[str] = (),
    ) -> None:
        if job is not None and assets is not None:
            raise RunError("a run is of a job or of assets: give one of the two")
        if checks not in CHECKS:
            raise RunError(f"checks: {checks!r} is not one of {', '.join(CHECKS)}")
        self.job = job
        self.assets = None if assets is None else tuple(assets)
        if self.assets == ():
            raise RunError("assets: it is empty; left out, it means all assets")
        self.params = dict(params or {})
        self.upstream = upstream
        self.checks = checks
        self.done = frozenset(done)


def upstream_of(namespace: Namespace) -> dict[Key, tuple[Key, ...]]:
    """What each asset is made from, as far as it is of the same namespace."""
    known = {asset.key for asset in namespace.contents.assets}
    return {
        asset.key: tuple(
            key
            for key in dict.fromkeys((*asset.deps, *namespace.bound[asset].assets))
            if key in known
        )
        for asset in namespace.contents.assets
    }


def plan(namespace: Namespace, request: RunRequest, is_stored: Is) -> list[Step]:
    """The steps in their order. Raises RunError for what cannot be done.

    `is_stored`: whether there is a value of an asset from an earlier run.
    """
    job = _job(namespace, request.job) if request.job is not None else None
    if isinstance(job, FunctionJobDefinition):
        steps = [*_taken_steps(namespace, request, job, is_stored), Step(job)]
        what = str(job)
    else:
        steps = _asset_steps(namespace, request, job, is_stored)
        what = "this run" if job is None else str(job)
    # what was left out takes parameters, too
    fit_params(namespace, steps, request.params, None if request.done else what)
    _refuse_missing(namespace, steps, is_stored)
    return steps


def refuse_unknown_values(namespace: Namespace, names: Iterable[str]) -> None:
    """Raises RunError for a name that no asset has."""
    known = [key_text(asset.key) for asset in namespace.contents.assets]
    for name in names:
        if name not in known:
            hint = suggestion(name, known)
            raise RunError(f"values: no asset {name!r}{hint} (assets: {listing(known)})")


def fit_params(
    namespace: Namespace, steps: Iterable[Step], params: Mapping[str, Any], what: str | None
) -> None:
    """Raises RunError for a value that no step can take; with a `what`, which says what these steps
    are, also for a name that none of them knows.
    """
    functions = [function for step in steps for function in step.functions]
    if what is not None:
        known = [each.name for function in functions for each in namespace.bound[function].options]
        refuse_unknown(params, known, what)
    for function in functions:
        given_values(function.function, namespace.bound[function].options, params)


def _job(namespace: Namespace, name: str) -> JobDefinition:
    jobs = {job.name: job for job in namespace.contents.jobs}
    if name not in jobs:
        hint = suggestion(name, jobs)
        raise RunError(f'job "{name}" does not exist{hint} (jobs: {listing(jobs)})')
    return jobs[name]


def _taken_steps(
    namespace: Namespace, request: RunRequest, job: FunctionDefinition[..., Any], is_stored: Is
) -> list[Step]:
    """What makes the assets that a job's function takes, where that was asked for."""
    taken = [key_text(key) for key in namespace.bound[job].assets]
    if not request.upstream or not taken:
        return []
    upstream = RunRequest(
        None, taken, upstream=True, checks=request.checks, done=request.done, params=request.params
    )
    return _asset_steps(namespace, upstream, None, is_stored)


def _asset_steps(
    namespace: Namespace, request: RunRequest, job: JobDefinition | None, is_stored: Is
) -> list[Step]:
    upstream = upstream_of(namespace)
    assets: dict[Key, AssetDefinition[..., Any]] = {
        asset.key: asset for asset in namespace.contents.assets
    }
    if isinstance(job, AssetJobDefinition):
        chosen = set(job.assets)
    elif request.assets is None:
        chosen = set(assets)
    else:
        chosen = set(select(request.assets, assets, upstream))
    if request.upstream:
        chosen = with_upstream(chosen, upstream)
    done = {key for key in chosen if key_text(key) in request.done}
    chosen -= {key for key in done if _can_stay_out(namespace, key, chosen, done, is_stored)}
    found = [assets[key] for key in in_order(upstream) if key in chosen]
    if request.checks == "only":
        return [Step(each, checks, False) for each in found if (checks := _checks(namespace, each))]
    return [
        Step(each, _checks(namespace, each) if request.checks == "with" else ()) for each in found
    ]


def _can_stay_out(
    namespace: Namespace, key: Key, chosen: set[Key], done: set[Key], is_stored: Is
) -> bool:
    """Whether what was made once need not be made again: no other needs a value that is lost."""
    takers = (
        asset
        for asset in namespace.contents.assets
        if asset.key in chosen - done and key in namespace.bound[asset].assets
    )
    return is_stored(key) or not any(takers)


def _checks(
    namespace: Namespace, asset: AssetDefinition[..., Any]
) -> list[AssetCheckDefinition[..., Any]]:
    return [check for check in namespace.contents.asset_checks if check.key == asset.key]


def in_order(upstream: Graph) -> list[Key]:
    """Each after those that it is made from; else in the order in which they are given.

    Takes no more stack for a longer chain.
    """
    placed: dict[Key, None] = {}
    for start in upstream:
        waiting = [start]
        while waiting:
            key = waiting[-1]
            missing = [other for other in upstream[key] if other not in placed]
            if key in placed or not missing:
                placed[waiting.pop()] = None
            else:
                waiting += reversed(missing)
    return list(placed)


def _refuse_missing(namespace: Namespace, steps: Iterable[Step], is_stored: Is) -> None:
    """Raises MissingUpstream where a function takes what no step makes and no run has left."""
    made: set[Key | None] = set()
    for step in steps:
        for function in step.functions:
            if function is not step.definition and step.makes:
                made.add(step.key)
            for key in namespace.bound[function].assets:
                if key not in made and not is_stored(key):
                    raise MissingUpstream(_missing(function, key))
        if step.makes:
            made.add(step.key)


def _missing(function: FunctionDefinition[..., Any], key: Key) -> str:
    return (
        f"{function} takes {key_text(key)}, which is not in this run, and no earlier run has left"
        " a value of it: have what is upstream made, too (--upstream; upstream=True)"
    )
