"""The tables of dg.toml and [tool.dg]: which keys there are and what each takes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from codelocd.config.mistakes import UnfitError
from codelocd.config.tables import Table, Text


class WorkspaceProject(Table):
    path: Text


class ScaffoldOptions(Table):
    use_editable_dagster: str | bool | None = None


class DgWorkspace(Table):
    projects: list[WorkspaceProject] = Field(default=[])
    scaffold_project_options: ScaffoldOptions = ScaffoldOptions()


class DgProject(Table):
    root_module: Text
    defs_module: Text | None = None
    autoload_defs: bool = False
    code_location_target_module: Text | None = None
    code_location_name: Text | None = None
    registry_modules: list[Text] = Field(default=[])
    agent_queue: Text | None = None
    image: Text | None = None
    python_environment: Any = None


class Telemetry(Table):
    enabled: bool = True


class DgCli(Table):
    """Settings of dg's own commands."""

    verbose: bool = False
    use_component_modules: list[Text] = Field(default=[])
    suppress_warnings: list[Text] = Field(default=[])
    telemetry: Telemetry = Telemetry()


class DgTable(Table):
    """`directory_type` may be left out where one of the two tables says it."""

    directory_type: Literal["workspace", "project"] | None = None
    workspace: DgWorkspace | None = None
    project: DgProject | None = None
    cli: DgCli = DgCli()

    @model_validator(mode="after")
    def _has_its_table(self) -> DgTable:
        given = [kind for kind in ("workspace", "project") if getattr(self, kind) is not None]
        if self.directory_type is None and len(given) == 2:
            remedy = 'write directory_type = "project" or "workspace"'
            raise UnfitError("does not say what the folder is", remedy)
        if self.directory_type == "project" and self.project is None:
            raise UnfitError("has no table project", "add it, with root_module")
        return self

    @property
    def is_workspace(self) -> bool:
        return self.directory_type == "workspace" or self.project is None

    @property
    def is_silent(self) -> bool:
        """It does not say what the folder is: it has settings of dg's commands only."""
        return self.directory_type is None and self.workspace is None and self.project is None
