"""Definitions that see each other: what parameters mean, and the rules between them."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import key_text
from codeloc.definition import Definition, FunctionDefinition
from codeloc.errors import DefinitionsError, listing, suggestion
from codeloc.jobs import AssetJobDefinition

if TYPE_CHECKING:
    from typing import Any, Callable, Hashable, Iterable, Iterator, Mapping, TypeVar

    from codeloc.arguments import Key
    from codeloc.assets import AssetDefinition
    from codeloc.definition import Item
    from codeloc.definitions import NamespaceContents
    from codeloc.functions import Parameter
    from codeloc.jobs import JobDefinition, JobTarget

    T = TypeVar("T")
    AnyFunction = FunctionDefinition[..., object]
    AnyAsset = AssetDefinition[..., object]


def first_cycle(graph: Mapping[T, Iterable[T]]) -> list[T]:
    """The nodes of one cycle, each followed by what it points to; empty if there is none.

    `graph` says what each node points to. Takes no more stack for a longer chain.
    """
    finished: set[T] = set()
    for start in graph:
        path: dict[T, Iterator[T]] = {start: iter(graph[start])} if start not in finished else {}
        while path:
            node, pointed = path.popitem()
            following = next((each for each in pointed if each not in finished), None)
            if following is None:
                finished.add(node)
                continue
            path[node] = pointed
            if following in path:
                nodes = list(path)
                return nodes[nodes.index(following) :]
            path[following] = iter(graph.get(following, ()))
    return []


class Bound:
    """What the parameters of one function mean, in their order: assets, resources, and `options`:
    those with a default that mean neither, which are parameters of its runs.
    """

    __slots__ = ("assets", "options", "resources")

    def __init__(
        self,
        assets: Iterable[Key] = (),
        resources: Iterable[str] = (),
        options: Iterable[Parameter] = (),
    ) -> None:
        self.assets = tuple(assets)
        self.resources = tuple(resources)
        self.options = tuple(options)


class Scope:
    """What parameters can mean: assets by the last part of their keys, resources by name."""

    def __init__(self, assets: Mapping[Key, AnyAsset], resources: Mapping[str, Definition]) -> None:
        self.assets = assets
        self.resources = resources
        self.by_last_part: dict[str, list[Key]] = {}
        for key in assets:
            self.by_last_part.setdefault(key[-1], []).append(key)

    def bind(self, definition: AnyFunction, problems: list[str]) -> Bound:
        """Appends one line to `problems` for each parameter that means nothing, or two things."""
        assets: list[Key] = []
        resources: list[str] = []
        options: list[Parameter] = []
        for parameter in definition.parameters:
            found = self._assets_named(parameter.name, definition)
            is_resource = parameter.name in self.resources
            if len(found) == 1 and not is_resource:
                assets.append(found[0])
            elif is_resource and not found:
                resources.append(parameter.name)
            elif found or parameter.required:
                complaint = self._complaint(parameter.name, found, definition)
                problems.append(f'{definition}: parameter "{parameter.name}" {complaint}')
            else:
                options.append(parameter)
        return Bound(assets, resources, options)

    def _assets_named(self, name: str, definition: AnyFunction) -> list[Key]:
        """What is declared beside the function goes first; an asset means itself last of all."""
        declared = [key for key in definition.declared() if key[-1] == name]
        found = declared or self.by_last_part.get(name, [])
        others = [key for key in found if self.assets.get(key) is not definition]
        return others or found

    def _complaint(self, name: str, found: list[Key], definition: AnyFunction) -> str:
        places = ", ".join(self._place(key) for key in found)
        if found and name in self.resources:
            return f"means both {places} and {self.resources[name]}: rename one"
        if found:
            advice = "list one in deps=" if definition.kind == "asset" else "rename the others"
            return f"could mean any of {places}: {advice}"
        names = [*self.by_last_part, *self.resources]
        assets = listing(key_text(key) for key in self.assets)
        return (
            f"is neither an asset nor a resource{suggestion(name, names)}"
            f" (assets: {assets}; resources: {listing(self.resources)})"
        )

    def _place(self, key: Key) -> str:
        known = self.assets.get(key)
        return str(known) if known else f'asset "{key_text(key)}"'


def duplicates(contents: NamespaceContents) -> Iterator[str]:
    """Names are unique per kind; schedules and sensors share one namespace."""
    yield from _twice(contents.assets, lambda each: each.key)
    yield from _twice(contents.asset_checks, lambda each: (each.key, each.name))
    yield from _twice(contents.jobs, lambda each: each.name)
    yield from _twice(contents.starters, lambda each: each.name)


def missing(contents: NamespaceContents) -> Iterator[str]:
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
    found = [by_key[key] for key in first_cycle(graph)]
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
    starter: Definition, target: JobTarget, jobs: Mapping[str, JobDefinition]
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
            names = [key_text(each) for each in assets]
            hint = suggestion(key_text(key), names)
            there = listing(sorted(names))
            yield f'{referrer}: asset "{key_text(key)}" does not exist{hint} (assets: {there})'


class Namespace:
    """Raises DefinitionsError with every rule that `contents` break."""

    def __init__(self, name: str, contents: NamespaceContents) -> None:
        self.name = name
        self.contents = contents
        problems = [*duplicates(contents), *missing(contents)]
        scope = Scope({asset.key: asset for asset in contents.assets}, contents.resources)
        self.bound: dict[Definition, Bound] = {
            definition: scope.bind(definition, problems)
            for definition in contents.definitions()
            if isinstance(definition, FunctionDefinition) and definition.kind != "resource"
        }
        problems += cycles(contents.assets, self.bound)
        if problems:
            raise DefinitionsError(*problems)

    def describe(self) -> list[Item]:
        """All entries; see `Definitions.describe`."""
        nothing = Bound()
        entries = [each.item(self.bound.get(each, nothing)) for each in self.contents.definitions()]
        resources = self.contents.resources.items()
        entries += [{**each.item(nothing), "name": name} for name, each in resources]
        return [{"repository": self.name, **entry} for entry in entries]
