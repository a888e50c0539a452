"""Reads definitions that were made with `codeloc`."""

from __future__ import annotations

import sys

from ..load.exceptions import LoadFailure
from ..wire.json_values import bounded, entries, kept
from . import arguments, at_most_one, distinct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Mapping

    from ..load.snapshot import Definition


GATHERED = {
    "assets": ("AssetDefinition",),
    "asset_checks": ("AssetCheckDefinition",),
    "jobs": ("JobDefinition",),
    "schedules": ("ScheduleDefinition",),
    "sensors": ("SensorDefinition",),
}


def targets(members: Mapping[str, object]) -> List[Any]:
    """The Definitions object, else all repositories."""
    codeloc = sys.modules["codeloc"]
    definitions = at_most_one(distinct(members, codeloc.Definitions))
    return definitions or by_name(distinct(members, codeloc.RepositoryDefinition).values())


def by_name(repositories: Iterable[Any]) -> List[Any]:
    """The repositories, each a namespace of its own. Raises LoadFailure where two share a name."""
    found: Dict[str, Any] = {}
    for one in repositories:
        first = found.setdefault(one.name, one)
        if first is not one:
            raise LoadFailure(
                f'repository "{one.name}" ({one.source}) has the same name as'
                f' repository "{first.name}" ({first.source}); rename one'
            )
    return list(found.values())


def gathered(members: Mapping[str, object]) -> str:
    return arguments(members, GATHERED)


def definitions(targets: List[Any]) -> List[Definition]:
    """Checked when they were made; bounded here, since JSON may be of any size."""
    return [
        {
            **one,
            "description": kept(one["description"]),
            "metadata": bounded(entries(one["metadata"]), kept),
        }
        for target in targets
        for one in target.describe()
    ]
