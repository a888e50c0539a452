"""What a run of Dagster's runs: its job, assets, checks, config, tags and plan."""

from __future__ import annotations

from ..load.sources import imported
from ..loaders.dagster import repository_from
from ..loaders.dagster_assets import MATERIALIZATION, assets, checks_of, partitioned_by
from ..loaders.dagster_facts import fact
from ..loaders.dagster_jobs import assets_of
from . import dagster_releases as releases
from .dagster_events import key_text
from .native import UsageFailure, part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

    from .loading import ProcessCode
    from .order import AttemptOrder

PARTITION = "dagster/partition"
RANGE = "dagster/asset_partition_range_start"
"""Of several partitions in one run."""
DIFFERENT = "these assets have different partitions, so no one run makes them"
LOCATION, NUMBER = "dagster/code_location", "codelocd/run"
"""Tags; Dagster sets the first itself since 1.10."""
PARENT, ROOT = "dagster/parent_run_id", "dagster/root_run_id"
"""Tags by which Dagster's page shows a run and those that repeat it together."""


class SelectableAsset:
    """What a selection looks at."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.key: Tuple[str, ...] = tuple(told["key"])
        self.group = told.get("group")
        self.kinds = told.get("kinds") or ()
        self.owners = told.get("owners") or ()
        self.tags: Mapping[str, str] = told.get("tags") or {}


class ChosenRun:
    """`reconstructable`: the job as Dagster executes it; `plan`: of what is chosen of it."""

    def __init__(
        self,
        repository: str,
        whole: Any,
        job: Any,
        selection: Tuple[Optional[Set[Any]], Optional[Set[Any]]],
        config: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> None:
        self.reconstructable = whole
        self._repository = repository
        self._job = job
        self._assets, self._checks = selection
        self._config = config
        self._tags = tags
        self.plan: Any = None

    def make_plan(self, instance: Any) -> None:
        """Raises what Dagster raises of a config that does not fit."""
        api: Any = imported("dagster._core.execution.api")
        self.plan = api.create_execution_plan(
            self._job,
            run_config=self._config,
            instance_ref=instance.get_ref() if instance.is_persistent else None,
            tags=self._tags,
        )

    def recorded(self, instance: Any, order: AttemptOrder) -> Any:
        """The DagsterRun, which has not started."""
        origin = releases.remote_origin(order.location, self._repository, self._job.name)
        parent, root = repeated(instance, order.dagster_parent)
        repeats = {} if parent is None else {PARENT: parent, ROOT: root}
        return releases.created_run(
            instance,
            self._job,
            self.plan,
            origin,
            self.reconstructable.get_python_origin(),
            self._assets,
            self._checks,
            run_id=order.dagster_run,
            run_config=self._config,
            tags={**self._tags, **repeats},
            parent_run_id=parent,
            root_run_id=root,
        )


def repeated(instance: Any, run: Optional[str]) -> Tuple[Optional[str], Optional[str]]:
    """The run that is repeated, and the first of all that were repeated, where Dagster still has
    a record of it."""
    parent = None if run is None else instance.get_run_by_id(run)
    if parent is None:
        return None, None
    return parent.run_id, parent.root_run_id or parent.run_id


def chosen_run(code: ProcessCode, order: AttemptOrder, instance: Any) -> ChosenRun:
    """Raises UsageFailure, and what Dagster raises of what does not fit."""
    target, repository = repository_from(code.targets, order.repository)
    if repository is None:
        raise UsageFailure(f"no repository {order.repository!r} in this location")
    base, chosen_assets, chosen_checks = parts(repository, order)
    job = base
    if chosen_assets or chosen_checks:
        job = base.get_subset(asset_selection=chosen_assets, asset_check_selection=chosen_checks)
    made = assets_of(base) if chosen_assets is None else chosen_assets
    own = partitions_of(repository, made, order)
    partitioned = job if own is not None or not made else None
    config, tags = config_and_tags(job, partitioned, order, instance)
    whole = releases.reconstructable(target, code.module, order).get_reconstructable_job(base.name)
    chosen = ChosenRun(repository.name, whole, job, (chosen_assets, chosen_checks), config, tags)
    chosen.make_plan(instance)
    return chosen


def parts(
    repository: Any, order: AttemptOrder
) -> Tuple[Any, Optional[Set[Any]], Optional[Set[Any]]]:
    """The job, its assets and checks that are chosen; None: all of them."""
    if order.job is not None:
        if not repository.has_job(order.job):
            raise UsageFailure(f"no job {order.job!r} in this location")
        job = repository.get_job(order.job)
        if order.checks == "with":
            return job, None, None
        keys = assets_of(job)
    else:
        keys = set(selected(repository, order))
        job = releases.assets_job(repository, keys)
        if job is None:
            raise UsageFailure(DIFFERENT)
        if order.checks == "with":
            return job, keys, None
    if order.checks == "without":
        return job, keys, set()
    checks = {key for key in checks_of(repository) if key.asset_key in keys}
    if not checks:
        raise UsageFailure("these assets have no checks")
    return job, set(), checks


def selected(repository: Any, order: AttemptOrder) -> List[Any]:
    """The keys of the assets, as `codelocd run` means its selections."""
    known = {key_text(key): key for key in repository.assets_defs_by_key}
    if order.select and not order.upstream and all(one in known for one in order.select):
        return [known[one] for one in order.select]
    told = [one for one in assets(repository) if one["execution_type"] == MATERIALIZATION]
    every = {tuple(one["key"]): SelectableAsset(one) for one in told}
    upstream = {
        tuple(one["key"]): [key for each in one["deps"] if (key := tuple(each)) in every]
        for one in told
    }
    selection, errors = part("selection"), part("errors")
    try:
        keys = selection.select(order.select, every, upstream) if order.select else list(every)
    except errors.RunError as error:
        raise UsageFailure(str(error)) from None
    if order.upstream:
        keys = list(selection.with_upstream(keys, upstream))
    if not keys:
        raise UsageFailure("this location makes no assets")
    return [known["/".join(key)] for key in keys]


def partitions_of(repository: Any, keys: Set[Any], order: AttemptOrder) -> Any:
    """The PartitionsDefinition of these assets; None: they have none. Raises UsageFailure where no
    partition is chosen: Dagster finds out as late as a function asks for its own."""
    known = repository.assets_defs_by_key
    found = {key: partitioned_by(key, known[key]) for key in keys if key in known}
    partitioned = {key: each for key, each in found.items() if each is not None}
    first = next(iter(partitioned.values()), None)
    if order.job is None and any(each != first for each in partitioned.values()):
        raise UsageFailure(DIFFERENT)
    if partitioned and PARTITION not in order.tags and RANGE not in order.tags:
        names = sorted(map(key_text, partitioned))
        told = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise UsageFailure(f"choose a partition of {told}, with --tag {PARTITION}=KEY")
    return first


def config_and_tags(
    job: Any, partitioned: Any, order: AttemptOrder, instance: Any
) -> Tuple[Mapping[str, Any], Dict[str, str]]:
    """Those that were given; what they leave open is the job's own. `partitioned`: the job, unless
    what it makes has no partitions; older releases give such an asset those of any other."""
    config: Mapping[str, Any] = order.config or {}
    tags: Dict[str, str] = dict(fact(job, "run_tags") or fact(job, "tags") or {})
    key = order.tags.get(PARTITION)
    if key is not None and partitioned is not None:
        partitions = fact(job, "partitions_def")
        if partitions is not None and not releases.has_partition(partitions, key, instance):
            raise UsageFailure(f"there is no partition {key!r}")
        given = releases.partition_part(job, key)
        config = config or given["config"]
        tags.update(given["tags"])
    tags.update(order.tags)
    tags[LOCATION] = order.location
    if order.run:
        tags[NUMBER] = str(order.run)
    return config, tags
