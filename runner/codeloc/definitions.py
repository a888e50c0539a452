"""`Definitions` objects and repositories, which hold the definitions of a location."""

from __future__ import annotations

from collections.abc import Mapping

from codeloc._typing import TYPE_CHECKING, overload
from codeloc.arguments import Arguments, key_text, named
from codeloc.assets import AssetCheckDefinition, AssetDefinition
from codeloc.automation import ScheduleDefinition, SensorDefinition
from codeloc.definition import Definition, checked_tags, decorate, name_of, opening
from codeloc.errors import listing, suggestion
from codeloc.functions import CONTEXT, caller, parameters_of, source_of
from codeloc.jobs import JobDefinition
from codeloc.namespace import Namespace
from codeloc.resources import RawResource, ResourceDefinition

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Callable, Iterable, Iterator, Optional, Tuple, Union

    from typing_extensions import TypeAlias

    from codeloc.context import LastRun
    from codeloc.definition import Item
    from codeloc.evaluating import EvaluationResult
    from codeloc.functions import Source
    from codeloc.outcomes import RunResult

    AnyAsset: TypeAlias = AssetDefinition[..., Any]
    AnyCheck: TypeAlias = AssetCheckDefinition[..., Any]
    AnySchedule: TypeAlias = ScheduleDefinition[..., Any]
    AnySensor: TypeAlias = SensorDefinition[..., Any]
    Entry: TypeAlias = Tuple[str, str, Optional[str], Any]
    """Where it was, the argument it belongs to, its name in a dict, the thing itself."""
    Returned: TypeAlias = Union[Iterable[Definition], Mapping[str, Any]]


KINDS: dict[str, tuple[type[Definition], str]] = {
    "assets": (AssetDefinition, "an asset (made by @asset)"),
    "asset_checks": (AssetCheckDefinition, "an asset check (made by @asset_check)"),
    "jobs": (JobDefinition, "a job (made by @job or asset_job)"),
    "schedules": (ScheduleDefinition, "a schedule (made by @schedule)"),
    "sensors": (SensorDefinition, "a sensor (made by @sensor)"),
    "resources": (ResourceDefinition, "a resource (made by @resource) or an object"),
}
"""By argument: what its items are, and how to say it."""


class NamespaceContents:
    """What one namespace holds, the type of each argument checked.

    The same object given twice counts once.
    """

    def __init__(
        self,
        arguments: Arguments,
        source: Source,
        assets: object = None,
        asset_checks: object = None,
        jobs: object = None,
        schedules: object = None,
        sensors: object = None,
        resources: object = None,
    ) -> None:
        def items(argument: str, value: object) -> tuple[Any, ...]:
            return arguments.instances(argument, value, *KINDS[argument])

        self.assets: tuple[AnyAsset, ...] = items("assets", assets)
        self.asset_checks: tuple[AnyCheck, ...] = items("asset_checks", asset_checks)
        self.jobs: tuple[JobDefinition, ...] = items("jobs", jobs)
        self.schedules: tuple[AnySchedule, ...] = items("schedules", schedules)
        self.sensors: tuple[AnySensor, ...] = items("sensors", sensors)
        self.starters: tuple[AnySchedule | AnySensor, ...] = (*self.schedules, *self.sensors)
        self.resources = {
            name: _resource(arguments, source, name, value)
            for name, value in arguments.mapping("resources", resources).items()
        }

    def definitions(self) -> tuple[Definition, ...]:
        """All but the resources, which are known by their keys."""
        return (
            *self.assets,
            *self.asset_checks,
            *self.jobs,
            *self.starters,
        )


def _resource(arguments: Arguments, source: Source, name: str, value: object) -> Definition:
    place = f"resources[{name!r}]"
    arguments.name(place, name)
    if name == CONTEXT:
        raise arguments.invalid(place, f'"{CONTEXT}" is reserved for the parameter of that name')
    if isinstance(value, ResourceDefinition):
        return value
    if isinstance(value, Definition):
        raise arguments.wrong(place, value, KINDS["resources"][1])
    return RawResource(name, value, source)


class RunnableNamespace:
    """What holds definitions can run them."""

    namespace: Namespace

    def run(
        self,
        job: str | JobDefinition | None = None,
        *,
        assets: str | AnyAsset | Iterable[str | AnyAsset] | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        upstream: bool = False,
        checks: str = "with",
    ) -> RunResult:
        """Runs a job, or assets, in this process, for unit tests; without either, all assets.

        `assets`: assets, or text such as `orders`, `+orders`, `group:raw`. `params`: by name.
        `values`: of assets that are taken and not made, by name. `upstream`: what the assets are
        made from, or the job's function takes, is made, too. `checks`: `"with"`, `"without"` or
        `"only"`. What a function raises is in the result. Raises RunError for what cannot be run.
        """
        from codeloc.context import RunFacts  # a load needs nothing of this
        from codeloc.plan import RunRequest
        from codeloc.running import Execution

        arguments = Arguments("run")
        name = job.name if isinstance(job, JobDefinition) else job
        chosen = None if assets is None else _items(arguments, assets)
        given = arguments.mapping("params", params)
        request = RunRequest(name, chosen, params=given, upstream=upstream, checks=checks)
        facts = RunFacts(params=given, tags=checked_tags(arguments, tags))
        return Execution(
            self.namespace, request, facts=facts, given=arguments.mapping("values", values)
        ).run()

    def evaluate(
        self,
        starter: str | AnySchedule | AnySensor,
        *,
        scheduled_for: datetime | None = None,
        cursor: Any = None,
        last_run: LastRun | None = None,
    ) -> EvaluationResult:
        """Asks a schedule or a sensor, in this process, for unit tests: which runs it would start.

        `scheduled_for`: the time that is due, with its zone; now unless given. `cursor`,
        `last_run`: what the context has. Raises what the function raises, and RunError where it
        returns what it must not, or a run that could not begin.
        """
        import datetime as times  # a load needs nothing of this
        from time import time

        from codeloc.context import RunFacts
        from codeloc.evaluating import evaluate, starter_of

        arguments = Arguments("evaluate")
        if not isinstance(scheduled_for, (times.datetime, type(None))):
            raise arguments.wrong("scheduled_for", scheduled_for, "a datetime")
        if scheduled_for is not None and scheduled_for.tzinfo is None:
            raise arguments.invalid("scheduled_for", "it has no time zone: give it one, tzinfo=…")
        asked = starter_of(self.namespace, starter if isinstance(starter, str) else starter.name)
        given = None if scheduled_for is None else scheduled_for.utcoffset()
        facts = RunFacts(
            scheduled_for=time() if scheduled_for is None else scheduled_for.timestamp(),
            timezone=getattr(asked, "timezone", None),
            utc_offset=None if given is None else given.total_seconds(),
        )
        return evaluate(self.namespace, asked, facts, cursor=cursor, last_run=last_run)


def _items(arguments: Arguments, assets: object) -> list[str]:
    if isinstance(assets, (str, AssetDefinition)):
        assets = [assets]
    return [
        key_text(item.key) if isinstance(item, AssetDefinition) else arguments.text(place, item)
        for place, item in arguments.items("assets", assets, "an asset, or a selection (str)")
    ]


REPOSITORY = "__repository__"
"""The namespace of what a `Definitions` object holds."""


class Definitions(RunnableNamespace):
    """Assets, asset checks, jobs, schedules, sensors and resources that belong together.

    `resources` are given to every function with a parameter of that name; a value is a definition
    made by `@resource`, or any object. Raises DefinitionsError with all rules that are broken.
    """

    maker = "Definitions"

    @named
    def __init__(
        self,
        *,
        assets: Iterable[AnyAsset] | None = None,
        asset_checks: Iterable[AnyCheck] | None = None,
        jobs: Iterable[JobDefinition] | None = None,
        schedules: Iterable[AnySchedule] | None = None,
        sensors: Iterable[AnySensor] | None = None,
        resources: Mapping[str, object] | None = None,
    ) -> None:
        self.source = caller()
        contents = NamespaceContents(
            Arguments(f"{self.maker} ({self.source})"),
            self.source,
            assets=assets,
            asset_checks=asset_checks,
            jobs=jobs,
            schedules=schedules,
            sensors=sensors,
            resources=resources,
        )
        self.namespace = Namespace(REPOSITORY, contents)

    def describe(self) -> list[Item]:
        """One dict of plain JSON values for each definition.

        All have `repository`, `kind`, `name`, `description`, `tags`, `owners`, `metadata`,
        `resources` (names) and `source` (`file`, `line`), and those of their kind: asset `key`,
        `group`, `deps`, `kinds`; asset_check `key`; job `ops` or `assets`; schedule `cron`,
        `timezone`, `job`; sensor `minimum_interval` (seconds), `job`; resource `type`, `variables`.
        What is about runs is there where it was stated.
        """
        return self.namespace.describe()


EXPECTED = "a definition (made by @asset, @job, @schedule, …)"


def by_argument(arguments: Arguments, returned: object) -> dict[str, Any]:
    """What a `@repository` function returned, sorted into the arguments of `Definitions`.

    Raises DefinitionsError for what is no definition, or stands under another's name.
    """
    groups: dict[str, Any] = {argument: [] for argument in KINDS}
    resources: dict[str, Any] = {}
    for place, argument, name, item in _entries(arguments, returned):
        own = item.name if isinstance(item, Definition) else None
        if argument == "resources":
            _add(arguments, resources, place, name or own, item)
            continue
        if None not in (name, own) and name != own:
            raise arguments.invalid(place, f"{item} stands under another name")
        groups[argument].append(item)
    return {**groups, "resources": resources}


def _entries(arguments: Arguments, returned: object) -> Iterator[Entry]:
    if returned is None:
        raise arguments.wrong("returned", None, "a list or a dict of definitions")
    if not isinstance(returned, Mapping):
        for place, item in arguments.items("returned", returned, EXPECTED):
            yield place, _argument(arguments, place, item), None, item
        return
    for name, value in arguments.mapping("returned", returned).items():
        place = f"returned[{name!r}]"
        if isinstance(value, Definition):
            yield place, _argument(arguments, place, value), name, value
        elif name in KINDS:
            yield from _group(arguments, place, name, value)
        else:
            hint = suggestion(name, KINDS)
            complaint = f"no such key{hint} (keys: {listing(KINDS)}, or names of definitions)"
            raise arguments.invalid(place, complaint)


def _group(arguments: Arguments, place: str, argument: str, value: object) -> Iterator[Entry]:
    if isinstance(value, Mapping):
        for name, item in arguments.mapping(place, value).items():
            yield f"{place}[{name!r}]", argument, name, item
    else:
        for item_place, item in arguments.items(place, value, KINDS[argument][1]):
            yield item_place, argument, None, item


def _argument(arguments: Arguments, place: str, item: object) -> str:
    for argument, (kind, _) in KINDS.items():
        if isinstance(item, kind):
            return argument
    raise arguments.wrong(place, item, EXPECTED)


def _add(
    arguments: Arguments, resources: dict[str, Any], place: str, name: str | None, item: object
) -> None:
    if name is None:
        raise arguments.wrong(place, item, "a resource made by @resource; objects need a name")
    if resources.setdefault(name, item) is not item:
        raise arguments.invalid(place, f"{item} has the same name as {resources[name]}")


class RepositoryDefinition(RunnableNamespace):
    """What a `@repository` function returned, checked as `Definitions` checks; see `repository`."""

    maker = "@repository"

    @named
    def __init__(self, function: Callable[[], Returned], *, name: str | None = None) -> None:
        arguments = opening(self.maker, function)
        self.name = name_of(arguments, function, name)
        self.source = source_of(function)
        self.function = function
        arguments.where = f'repository "{self.name}" ({self.source})'
        _check(arguments, self.name, function)
        groups = by_argument(arguments, function())
        self.namespace = Namespace(self.name, NamespaceContents(arguments, self.source, **groups))

    def __call__(self) -> Returned:
        return self.function()

    def describe(self) -> list[Item]:
        """As `Definitions.describe`, with this repository's name."""
        return self.namespace.describe()


@overload
def repository(function: Callable[[], Returned], /) -> RepositoryDefinition: ...
@overload
def repository(
    *, name: str | None = None
) -> Callable[[Callable[[], Returned]], RepositoryDefinition]: ...
def repository(function: Any = None, /, **options: Any) -> Any:
    """Makes a repository of a function, which is called at once.

    It returns a list of definitions, or a dict: of definitions by name, or of the arguments of
    `Definitions`, each a list or a dict by name. `name`: the function's unless given. A location
    may have several; the definitions of one do not see those of another.
    """
    return decorate(RepositoryDefinition, function, options)


def _check(arguments: Arguments, name: str, function: Any) -> None:
    if name == REPOSITORY:
        raise arguments.invalid("name", "is the name of what Definitions holds: choose another")
    for parameter in parameters_of(function):
        if parameter.required:
            complaint = f'"{parameter.name}" cannot be given: a repository takes no arguments'
            raise arguments.invalid("parameter", complaint)
