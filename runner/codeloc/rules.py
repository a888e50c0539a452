"""Rules about definitions taken together; each gives one line for everything that breaks it."""

from __future__ import annotations

from codeloc import keys
from codeloc._typing import TYPE_CHECKING
from codeloc.cycles import cycle
from codeloc.jobs import AssetJobDefinition
from codeloc.nearest import listing, suggestion

if TYPE_CHECKING:
    from typing import Any, Callable, Hashable, Iterable, Iterator, Mapping

    from codeloc.assets import AssetDefinition
    from codeloc.binding import Bound
    from codeloc.contents import Contents
    from codeloc.definition import Definition
    from codeloc.jobs import JobDefinition, Target
    from codeloc.keys import Key


def duplicates(contents: Contents) -> Iterator[str]:
    """Names are unique per kind; schedules and sensors share one namespace."""
    yield from _twice(contents.assets, lambda each: each.key)
    yield from _twice(contents.asset_checks, lambda each: (each.key, each.name))
    yield from _twice(contents.jobs, lambda each: each.name)
    yield from _twice(contents.starters, lambda each: each.name)


def missing(contents: Contents) -> Iterator[str]:
    """Jobs and assets that are referred to are there. A dependency may be of another location."""
    jobs = {job.name: job for job in contents.jobs}
    for starter in contents.starters:
        yield from _missing_job(starter, starter.target, jobs)
    assets = {asset.key for asset in contents.assets}
    for check in contents.asset_checks:
        yield from _missing_assets(check, [check.key], assets)
    for job in contents.jobs:
        if isinstance(job, AssetJobDefinition):
            yield from _missing_assets(job, job.assets, assets)


def cycles(
    assets: Iterable[AssetDefinition[..., Any]], bound: Mapping[Any, Bound]
) -> Iterator[str]:
    by_key = {asset.key: asset for asset in assets}
    graph = {key: (*asset.deps, *bound[asset].assets) for key, asset in by_key.items()}
    found = [by_key[key] for key in cycle(graph)]
    if found:
        steps = " needs ".join(str(asset) for asset in (*found, found[0]))
        yield f"assets need each other in a cycle: {steps}"


def _twice(definitions: Iterable[Any], identity: Callable[[Any], Hashable]) -> Iterator[str]:
    seen: dict[Hashable, Definition] = {}
    for definition in definitions:
        first = seen.setdefault(identity(definition), definition)
        if first is not definition:
            shared = "" if first.kind == definition.kind else "; their kinds share one namespace"
            yield f"{definition} has the same name as {first}{shared}"


def _missing_job(
    starter: Definition, target: Target, jobs: Mapping[str, JobDefinition]
) -> Iterator[str]:
    found = jobs.get(target.name)
    if found is None:
        hint = suggestion(target.name, jobs)
        yield f'{starter}: job "{target.name}" does not exist{hint} (jobs: {listing(jobs)})'
    elif target.definition not in (None, found):
        yield f"{starter}: starts {target.definition}, but the job of that name here is {found}"


def _missing_assets(
    referrer: Definition, wanted: Iterable[Key], assets: Iterable[Key]
) -> Iterator[str]:
    for key in wanted:
        if key not in assets:
            names = [keys.text(each) for each in assets]
            hint = suggestion(keys.text(key), names)
            there = listing(sorted(names))
            yield f'{referrer}: asset "{keys.text(key)}" does not exist{hint} (assets: {there})'
