"""What one namespace holds, the type of each argument checked."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.assets import AssetDefinition
from codeloc.checks import AssetCheckDefinition
from codeloc.definition import Definition
from codeloc.jobs import JobDefinition
from codeloc.parameters import CONTEXT
from codeloc.resources import RawResource, ResourceDefinition
from codeloc.schedules import ScheduleDefinition
from codeloc.sensors import SensorDefinition

if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import TypeAlias

    from codeloc.arguments import Arguments
    from codeloc.source import Source

    AnyAsset: TypeAlias = AssetDefinition[..., Any]
    AnyCheck: TypeAlias = AssetCheckDefinition[..., Any]
    AnySchedule: TypeAlias = ScheduleDefinition[..., Any]
    AnySensor: TypeAlias = SensorDefinition[..., Any]

KINDS: dict[str, tuple[type[Definition], str]] = {
    "assets": (AssetDefinition, "an asset (made by @asset)"),
    "asset_checks": (AssetCheckDefinition, "an asset check (made by @asset_check)"),
    "jobs": (JobDefinition, "a job (made by @job or asset_job)"),
    "schedules": (ScheduleDefinition, "a schedule (made by @schedule)"),
    "sensors": (SensorDefinition, "a sensor (made by @sensor)"),
    "resources": (ResourceDefinition, "a resource (made by @resource) or an object"),
}
"""By argument: what its items are, and how to say it."""


class Contents:
    """The same object given twice counts once."""

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
