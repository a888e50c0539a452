"""Jobs: made of a function, or of a list of assets."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING, P, R_co, overload
from codeloc.arguments import Arguments, named
from codeloc.assets import references
from codeloc.definition import FunctionDefinition, decorate, name_of, opening
from codeloc.functions import caller
from codeloc.runnable import RunnableDefinition

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Union

    from typing_extensions import TypeAlias, Unpack

    from codeloc.assets import AssetReference
    from codeloc.definition import Item
    from codeloc.namespace import Bound
    from codeloc.runnable import RunOptions

    JobReference: TypeAlias = Union[str, "JobDefinition"]


class JobDefinition(RunnableDefinition):
    """What schedules and sensors start, and people run."""

    kind = "job"


class FunctionJobDefinition(FunctionDefinition[P, R_co], JobDefinition):
    """A job that is one function; see `job`."""

    maker = "@job"

    @named
    def __init__(
        self, function: Callable[P, R_co], *, name: str | None = None, **options: Unpack[RunOptions]
    ) -> None:
        name = name_of(opening(self.maker, function), function, name)
        super().__init__(function, name, **options)

    def item(self, bound: Bound) -> Item:
        return {**super().item(bound), "ops": [self.name]}


class AssetJobDefinition(JobDefinition):
    """A job that makes the given assets, all of the same namespace.

    `assets`: at least one; assets, or their keys.
    """

    maker = "asset_job"

    @named
    def __init__(
        self, name: str, assets: Iterable[AssetReference], **options: Unpack[RunOptions]
    ) -> None:
        source = caller()
        name = Arguments(f"{self.maker} ({source})").name("name", name)
        super().__init__(name, source, **options)
        self.assets = references(self._arguments, "assets", assets)
        if not self.assets:
            raise self._arguments.invalid("assets", "at least one is needed")

    def item(self, bound: Bound) -> Item:
        return {**super().item(bound), "assets": [list(key) for key in self.assets]}


asset_job = AssetJobDefinition


@overload
def job(function: Callable[P, R_co], /) -> FunctionJobDefinition[P, R_co]: ...
@overload
def job(
    *, name: str | None = None, **options: Unpack[RunOptions]
) -> Callable[[Callable[P, R_co]], FunctionJobDefinition[P, R_co]]: ...
def job(function: Any = None, /, **options: Any) -> Any:
    """Makes a job of a function; its parameters are resources, assets and `context`.

    `name`: the function's unless given. `retries`, `retry_delay`, `timeout`, `memory_limit` and
    `limits` are about its runs.
    """
    return decorate(FunctionJobDefinition, function, options)


class JobTarget:
    """The job that a schedule or a sensor starts: its name, and the object if one was given."""

    def __init__(self, arguments: Arguments, job: object) -> None:
        if not isinstance(job, (str, JobDefinition)):
            raise arguments.wrong("job", job, "a job or its name (str)")
        self.definition = None if isinstance(job, str) else job
        self.name = arguments.name("job", job) if isinstance(job, str) else job.name
