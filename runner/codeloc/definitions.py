"""The one object at module scope that holds the definitions of a code location."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import Arguments, named
from codeloc.contents import Contents
from codeloc.namespace import Namespace
from codeloc.source import caller

if TYPE_CHECKING:
    from typing import Any, Iterable, Mapping

    from codeloc.contents import AnyAsset, AnyCheck, AnySchedule, AnySensor
    from codeloc.jobs import JobDefinition

REPOSITORY = "__repository__"
"""The namespace of what a `Definitions` object holds."""


class Definitions:
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
        contents = Contents(
            Arguments(f"{self.maker} ({self.source})"),
            self.source,
            assets=assets,
            asset_checks=asset_checks,
            jobs=jobs,
            schedules=schedules,
            sensors=sensors,
            resources=resources,
        )
        self._namespace = Namespace(REPOSITORY, contents)

    def describe(self) -> list[dict[str, Any]]:
        """One dict of plain JSON values for each definition.

        All have `repository`, `kind`, `name`, `description`, `tags`, `owners`, `metadata`,
        `resources` (names) and `source` (`file`, `line`), and those of their kind: asset `key`,
        `group`, `deps`, `kinds`; asset_check `key`; job `ops` or `assets`; schedule `cron`,
        `timezone`, `job`; sensor `minimum_interval` (seconds), `job`; resource `type`, `variables`.
        """
        return self._namespace.describe()
