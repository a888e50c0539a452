"""Reads Dagster's definitions, from 1.5 on, with the Dagster that user code imported.

What is searched for, and in which order, is Dagster's own rule
(`dagster/_core/workspace/autodiscovery.py`): the first kind of object that a module has counts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..load.exceptions import LoadFailure
from ..load.sources import imported
from . import arguments, at_most_one, distinct
from .dagster_assets import asset_checks, assets
from .dagster_facts import SHARED
from .dagster_jobs import jobs, resources, schedules, sensors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, List, Mapping, Tuple

    from ..load.snapshot import Definition


def targets(members: Mapping[str, object]) -> List[Any]:
    dagster: Any = sys.modules["dagster"]
    lazy = getattr(sys.modules.get("dagster.components.definitions"), "LazyDefinitions", ())
    return (
        callable_alone(at_most_one(distinct(members, lazy)))
        or at_most_one(distinct(members, dagster.Definitions))
        or list(distinct(members, dagster.RepositoryDefinition).values())
        or the_only("job", distinct(members, dagster.JobDefinition))
        or the_only("graph", distinct(members, dagster.GraphDefinition))
        or loose_assets(members)
    )


def callable_alone(found: List[Any]) -> List[Any]:
    """A @definitions function as it is loaded by itself. Raises LoadFailure."""
    if found and getattr(found[0], "has_context_arg", False):
        raise LoadFailure(
            "the @definitions function takes a ComponentLoadContext, which it gets only as part of"
            " a folder of definitions: load the folder's module (autoload_defs_module), or take no"
            " parameter and call load_from_defs_folder"
        )
    return found


def the_only(kind: str, found: Mapping[str, Any]) -> List[Any]:
    """Without Definitions or a repository one job or graph is a location, several are not."""
    if len(found) > 1:
        raise LoadFailure(
            f"more than one {kind} at module scope, and no Definitions that holds them. "
            f"Found: {', '.join(found)}; add defs = Definitions({kind}s=[{', '.join(found)}])"
        )
    return list(found.values())


def loose_assets(members: Mapping[str, object]) -> List[Any]:
    """All assets of a module that has nothing else, those in lists too, as one target."""
    dagster: Any = sys.modules["dagster"]
    kinds = (dagster.AssetsDefinition, dagster.SourceAsset)
    groups = [value if isinstance(value, list) else [value] for value in members.values()]
    found = {id(one): one for group in groups for one in group if isinstance(one, kinds)}
    return [list(found.values())] if found else []


PROJECT_MARKS = ("pyproject.toml", "setup.py")

GATHERED = {
    "assets": ("AssetSpec",),
    "asset_checks": ("AssetChecksDefinition",),
    "jobs": ("UnresolvedAssetJobDefinition",),
    "schedules": ("ScheduleDefinition", "UnresolvedPartitionedAssetScheduleDefinition"),
    "sensors": ("SensorDefinition",),
}
"""What Dagster does not find without a Definitions, by the argument that takes it."""


def gathered(members: Mapping[str, object]) -> str:
    return arguments(members, GATHERED)


def autoload(module: ModuleType) -> List[Any]:
    """What Dagster finds in a folder of definitions. Raises LoadFailure on a Dagster without it."""
    try:
        load_defs: Any = imported("dagster.components").load_defs
    except (ImportError, AttributeError):
        raise LoadFailure(
            "autoload_defs_module needs a Dagster with dagster.components (1.11 or newer); "
            "install it in the location's environment, or name a module with Definitions"
        ) from None
    root = None if has_project_root(module) else Path.cwd()
    return [load_defs(module, **({"project_root": root} if root else {}))]


def has_project_root(module: ModuleType) -> bool:
    """Whether Dagster finds the project's folder by itself: the first with one of its marks."""
    above = Path(next(iter(module.__path__), module.__file__ or "")).absolute().parents
    return any((folder / mark).exists() for folder in above for mark in PROJECT_MARKS)


def definitions(targets: List[Any]) -> List[Definition]:
    found = []
    for target in targets:
        found += describe(repository_of(target))
    SHARED.clear()
    return found


def repository_of(target: Any) -> Any:
    """With everything in it resolved: most errors of definitions show only then."""
    repository = unresolved(target)
    repository.load_all_definitions()
    return repository


def unresolved(target: Any) -> Any:
    """The RepositoryDefinition, whose jobs are made when they are asked for."""
    reconstruct: Any = imported("dagster._core.definitions.reconstruct")
    return reconstruct.repository_def_from_target_def(target)


def repository_from(targets: List[Any], name: str) -> Tuple[Any, Any]:
    """The target that has the repository of that name, and the repository; None for both where none
    has."""
    for target in targets:
        repository = unresolved(target)
        if repository.name == name:
            return target, repository
    return None, None


def describe(repository: Any) -> List[Definition]:
    found = [
        *assets(repository),
        *asset_checks(repository),
        *jobs(repository),
        *resources(repository),
        *schedules(repository),
        *sensors(repository),
    ]
    return [{**one, "repository": repository.name} for one in found]
