"""The API with which the code of a location declares its definitions.

Everything is checked when it is made, with or without a daemon: what breaks a rule raises
`DefinitionsError`.
"""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.assets import AssetCheckDefinition, AssetDefinition, asset, asset_check
from codeloc.automation import ScheduleDefinition, SensorDefinition, schedule, sensor
from codeloc.definition import Definition
from codeloc.definitions import Definitions, RepositoryDefinition, repository
from codeloc.errors import ArgumentError, Cancelled, DefinitionsError, RunError
from codeloc.jobs import (
    AssetJobDefinition,
    FunctionJobDefinition,
    JobDefinition,
    asset_job,
    job,
)
from codeloc.resources import ResourceDefinition, resource

if TYPE_CHECKING:
    from codeloc.context import LastRun, RunContext, ScheduleContext, SensorContext
    from codeloc.requests import Run, Skip

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "AssetCheckDefinition",
    "AssetDefinition",
    "AssetJobDefinition",
    "Cancelled",
    "Definition",
    "Definitions",
    "DefinitionsError",
    "FunctionJobDefinition",
    "JobDefinition",
    "LastRun",
    "RepositoryDefinition",
    "ResourceDefinition",
    "Run",
    "RunContext",
    "RunError",
    "ScheduleContext",
    "ScheduleDefinition",
    "SensorContext",
    "SensorDefinition",
    "Skip",
    "__version__",
    "asset",
    "asset_check",
    "asset_job",
    "job",
    "repository",
    "resource",
    "schedule",
    "sensor",
]

LATE = {
    "LastRun": "context",
    "Run": "requests",
    "RunContext": "context",
    "ScheduleContext": "context",
    "SensorContext": "context",
    "Skip": "requests",
}
"""What few locations name: by name the module that has it, imported when it is asked for."""


def __getattr__(name: str) -> object:
    if name not in LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{LATE[name]}", fromlist=[name])
    found: object = getattr(module, name)
    globals()[name] = found
    return found
