"""Definitions as the registry lists them, and what joins those of several locations."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, final

DefinitionKind: TypeAlias = Literal["asset", "asset_check", "job", "resource", "schedule", "sensor"]
Counts: TypeAlias = dict[DefinitionKind, int]
"""How many definitions there are of each kind."""
AssetKey: TypeAlias = list[str]
Told: TypeAlias = dict[str, Any]
"""An object that is handed on and shown as the runner told it; nothing of it is read."""


class SourceLine(TypedDict):
    """Where a definition stands."""

    file: str
    line: int


class _ListedDefinition(TypedDict):
    """What every definition has."""

    location: str
    repository: str
    name: str
    description: str | None
    tags: dict[str, str]
    owners: list[str]
    metadata: Told
    resources: list[str]
    source: SourceLine | None


class RunParameter(TypedDict):
    """What a run can be given; `type` is one of a few names, or None."""

    name: str
    type: str | None
    default: str | int | float | bool | None


class _RunRules(_ListedDefinition):
    """What native assets and jobs say of their runs, as far as it was stated.

    Seconds and bytes; `limits`: by name, how many runs may go on at a time.
    """

    retries: NotRequired[int]
    retry_delay: NotRequired[float]
    timeout: NotRequired[float]
    memory_limit: NotRequired[int]
    limits: NotRequired[dict[str, int]]
    parameters: NotRequired[list[RunParameter]]


class _AssetFacts(_RunRules):
    """What is told of an asset; what may be missing comes with Dagster's definitions alone."""

    kind: Literal["asset"]
    key: AssetKey
    group: str | None
    deps: list[AssetKey]
    kinds: list[str]
    external: NotRequired[bool]
    execution_type: NotRequired[str]
    code_version: NotRequired[str | None]
    virtual: NotRequired[bool]
    observed_every: NotRequired[float | None]
    partitions: NotRequired[Told | None]
    partition_mappings: NotRequired[list[Told]]
    automation: NotRequired[str | None]
    backfill_policy: NotRequired[Told | None]
    freshness_policy: NotRequired[Told | None]
    op: NotRequired[str | None]
    graph: NotRequired[str | None]
    ops: NotRequired[list[str]]
    execution_set: NotRequired[ExecutionSet | None]
    pools: NotRequired[list[str]]
    checks: NotRequired[list[str]]
    io_manager: NotRequired[str | None]
    op_tags: NotRequired[dict[str, str]]
    retry_policy: NotRequired[Told | None]


@final
class ListedAsset(_AssetFacts):
    """An asset."""


class ExecutionSet(TypedDict):
    """Assets that are made together."""

    name: str | None
    can_subset: bool


@final
class ListedCheck(_ListedDefinition):
    """A check of an asset, which `key` names."""

    kind: Literal["asset_check"]
    key: AssetKey
    blocking: NotRequired[bool]
    severity: NotRequired[str]
    additional_deps: NotRequired[list[AssetKey]]
    automation: NotRequired[str | None]
    partitions: NotRequired[Told | None]


class CheckName(TypedDict):
    """A check as a job names it: the key of its asset, and its name."""

    key: AssetKey
    name: str


@final
class ListedJob(_RunRules):
    """A job, of `assets` or of `ops`."""

    kind: Literal["job"]
    assets: NotRequired[list[AssetKey]]
    ops: NotRequired[list[str]]
    graph: NotRequired[dict[str, list[str]]]
    config_schema: NotRequired[Told]
    checks: NotRequired[list[CheckName]]
    pools: NotRequired[dict[str, str]]
    preset: NotRequired[list[str]]
    run_tags: NotRequired[dict[str, str]]
    partitions: NotRequired[Told | None]
    backfill_policy: NotRequired[Told | None]
    automation: NotRequired[str | None]


class AutomationTarget(TypedDict):
    """What a schedule or a sensor starts: jobs by name, assets by a selection as text."""

    jobs: list[str]
    assets: str | None


@final
class ListedSchedule(_ListedDefinition):
    """A schedule; one of Dagster's may have several cron expressions."""

    kind: Literal["schedule"]
    cron: str | list[str]
    timezone: str | None
    job: str | None
    target: NotRequired[AutomationTarget]
    default_status: NotRequired[str]
    variables: NotRequired[list[str]]
    catch_up: NotRequired[str]
    overlap: NotRequired[str]
    jitter: NotRequired[float]
    enabled: NotRequired[bool]
    timeout: NotRequired[float]


@final
class ListedSensor(_ListedDefinition):
    """A sensor; `minimum_interval` in seconds."""

    kind: Literal["sensor"]
    minimum_interval: float | None
    job: str | None
    target: NotRequired[AutomationTarget]
    default_status: NotRequired[str]
    sensor_type: NotRequired[str]
    watches: NotRequired[list[AssetKey]]
    run_tags: NotRequired[dict[str, str]]
    enabled: NotRequired[bool]
    timeout: NotRequired[float]


@final
class ListedResource(_ListedDefinition):
    """A resource, by the key that it is bound under."""

    kind: Literal["resource"]
    type: str
    variables: list[str]
    fields: NotRequired[list[str]]
    config_schema: NotRequired[Told]
    nested: NotRequired[dict[str, Told]]


Listed: TypeAlias = (
    ListedAsset | ListedCheck | ListedJob | ListedSchedule | ListedSensor | ListedResource
)
"""One definition of the registry."""


class AssetNode(TypedDict):
    """An asset as another document names it."""

    location: str
    repository: str
    key: AssetKey


Edge = TypedDict("Edge", {"from": AssetNode, "to": AssetNode})
"""A dependency between assets of two locations."""


class Conflict(TypedDict):
    """Assets of one key that more than one location, or repository, defines."""

    kind: Literal["asset"]
    key: AssetKey
    definitions: list[AssetNode]


class DefinitionsDocument(TypedDict):
    """The result of `definitions`."""

    revision: int
    definitions: list[Listed]
    edges: list[Edge]
    conflicts: list[Conflict]


class Upstream(TypedDict):
    """What an asset is made from, and the assets that produce it."""

    key: AssetKey
    producers: list[AssetNode]


class Relations(TypedDict):
    """Where one asset stands among all others."""

    producers: list[AssetNode]
    upstream: list[Upstream]
    downstream: list[AssetNode]


@final
class MadeCheckDocument(TypedDict):
    """What a check found of an asset; `state` is `passed`, `failed` or `error`."""

    name: str
    state: str
    severity: str | None
    summary: str | None


@final
class LastMadeDocument(TypedDict):
    """When an asset was last made, and by which run. `code_current`: whether the code was the same
    as what is served now; None: that is not known. `checks`: those that the run made of it; none
    where the run is not kept any more."""

    run: int
    at: float
    code_current: bool | None
    checks: list[MadeCheckDocument]


@final
class ShownAsset(_AssetFacts, Relations):
    """The result of `show` for one asset; other definitions are shown as they are listed."""

    last_made: LastMadeDocument | None
