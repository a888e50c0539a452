"""Definitions written for codelocd, with the `codeloc` that user code imported."""

from __future__ import annotations

import sys

from . import arguments, at_most_one, distinct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Mapping

    from ..outcome import Definition


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
    return definitions or list(distinct(members, codeloc.RepositoryDefinition).values())


def gathered(members: Mapping[str, object]) -> str:
    return arguments(members, GATHERED)


def definitions(targets: List[Any]) -> List[Definition]:
    return [one for target in targets for one in target.describe()]
