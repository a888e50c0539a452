"""Reads locations from dg.toml and [tool.dg], of a workspace or a project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from codeloc_envs.project.workspace import shared_interpreter
from codelocd.config import env_files
from codelocd.config.dagster import LocationEntry, ReadingContext, spec
from codelocd.config.discovery import ConfigKind
from codelocd.config.document import Document, read_text
from codelocd.config.env_files import EnvFiles
from codelocd.config.errors import ConfigError, KeyPath, Problems, UnfitError
from codelocd.config.location import combined
from codelocd.config.syntax import parse_toml
from codelocd.config.validation import parsed, parsed_in_part, parsed_leniently
from codelocd.config.values import Table, Text
from codelocd.core.config_files import PYPROJECT
from codelocd.model import Config, Target

_UNUSED = ("agent_queue", "image", "python_environment")

_UNREAD: tuple[KeyPath, ...] = (
    ("cli",),
    ("directory_type",),
    ("workspace", "scaffold_project_options"),
    *(("project", name) for name in ("registry_modules", *_UNUSED)),
)
"""What `dagster dev` does not look at, whatever stands there."""

INTERPRETER = "DG_PROJECT_PYTHON_EXECUTABLE"
"""The variable by which a project's `.env` names an interpreter to dg."""


def read(document: Document, surroundings: ReadingContext, outer: EnvFiles | None = None) -> Config:
    """What the table asks for; ConfigError with everything that is wrong in it.

    `outer` are the env files of the workspace around a project.
    """
    read, kept, mistakes = parsed_in_part(document, _table, ("workspace", "projects"))
    problems = Problems(mistakes)
    own = problems.attempt(partial(env_files.beside, document.folder, surroundings.environ))
    if read is None:
        raise ConfigError(problems.found)
    table, notes = read
    files = {**(outer or {}), **(own or {})}
    if table.project is None or table.is_workspace:
        projects = table.workspace.projects if table.workspace else []
        places = zip(kept, projects, strict=True)
        step = partial(_workspace, document, places, files, surroundings)
    else:
        step = partial(_project, document, table.project, files, surroundings)
    found = problems.attempt(step)
    if found is None or problems.found:
        raise ConfigError(problems.found, [*problems.readable, *(found.own if found else ())])
    return replace(found, notes=(*document.notes, *notes, *found.notes))


def _table(document: Document) -> tuple[DgTable, tuple[str, ...]]:
    """`dg` refuses what it does not know; `dagster dev`, which reads [tool.dg], passes over it."""
    if document.root:
        return parsed_leniently(document, DgTable, _UNREAD)
    table = parsed(document, DgTable)
    if table.is_silent:
        remedy = 'write directory_type = "project" or "workspace"'
        raise ConfigError([document.mistake((), "does not say what the folder is", remedy)])
    return table, ()


def _workspace(
    document: Document,
    projects: Iterable[tuple[int, WorkspaceProject]],
    files: EnvFiles,
    surroundings: ReadingContext,
) -> Config:
    looked_for = env_files.looked_for(document.folder)
    own = Config(locations=(), files=(document.path, *files), looked_for=looked_for)
    steps = [
        partial(_member, document, index, project.path, files, surroundings)
        for index, project in projects
    ]
    problems = Problems()
    members = list(filter(None, map(problems.attempt, steps)))
    if problems.found:
        readable = (spec for member in members for spec in member.own)
        raise ConfigError(problems.found, [*problems.readable, *readable])
    return combined([own, *members])


def _member(
    workspace: Document, index: int, path: str, files: EnvFiles, surroundings: ReadingContext
) -> Config:
    key = ("workspace", "projects", index, "path")
    folder = workspace.absolute(path)
    document = _document(folder)
    if document is None:
        what = f"{folder} has neither {ConfigKind.DG_TOML} nor {ConfigKind.TOOL_DG} in {PYPROJECT}"
        remedy = "correct the path or remove the entry"
        mistake = workspace.mistake(key, what, remedy)
        raise ConfigError([replace(mistake, absent=folder / PYPROJECT)])
    if _is_workspace(document):
        what = f"{document.path} is a workspace"
        raise ConfigError([workspace.mistake(key, what, "name the projects in it one by one")])
    return read(document, surroundings, files)


def _is_workspace(document: Document) -> bool:
    default = "workspace" if "workspace" in document.data else "project"
    return bool(document.data.get("directory_type", default) == "workspace")


def _document(folder: Path) -> Document | None:
    """What dg reads of a project: its dg.toml hides the table in its pyproject.toml."""
    for name, table in ((ConfigKind.DG_TOML, ()), (PYPROJECT, ("tool", "dg"))):
        path = folder / name
        if path.is_file():
            document = parse_toml(path, read_text(path)).table(*table)
            if document.data:
                return document
    return None


def _project(
    document: Document, project: DgProject, files: EnvFiles, surroundings: ReadingContext
) -> Config:
    entry = LocationEntry(
        key=("project",),
        name=project.code_location_name or document.folder.name,
        target=_target(project),
        working_directory="src" if (document.folder / "src").is_dir() else None,
        executable=_interpreter(document.folder, files),
    )
    return Config(
        locations=(spec(document, entry, files, surroundings),),
        files=(document.path, *files),
        looked_for=_looked_for(document.folder),
        notes=tuple(
            document.note(("project", name))
            for name in _UNUSED
            if getattr(project, name) is not None
        ),
    )


def _looked_for(folder: Path) -> tuple[Path, ...]:
    """What a project's folder may get that changes how it is read."""
    return (*env_files.looked_for(folder), folder / ConfigKind.DG_TOML, folder / "src")


def _interpreter(folder: Path, files: EnvFiles) -> str | None:
    """What the `.env` names, else that of the uv workspace; without one the common rule holds."""
    named = env_files.joined(files).get(INTERPRETER)
    shared = None if named else shared_interpreter(folder)
    return named or (str(shared) if shared else None)


def _target(project: DgProject) -> Target:
    if project.autoload_defs:
        return Target("autoload_defs_module", project.defs_module or f"{project.root_module}.defs")
    module = project.code_location_target_module or f"{project.root_module}.definitions"
    return Target("module", module)


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
