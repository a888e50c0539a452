"""Reads locations from Dagster's workspace.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from codelocd.config import env_files
from codelocd.config.dagster import LocationEntry, ReadingContext, specs
from codelocd.config.document import Document
from codelocd.config.errors import Problems, UnfitError
from codelocd.config.location import dagster_default
from codelocd.config.syntax import parse_yaml
from codelocd.config.validation import parsed, parsed_in_part
from codelocd.config.values import Table, Text
from codelocd.model import Config, GrpcServer, Target, TargetKind


def read(path: Path, text: str, surroundings: ReadingContext) -> Config:
    """What the file asks for; ConfigError with everything that is wrong in it."""
    document = parse_yaml(path, text)
    environ = surroundings.environ
    parse = partial(parsed, model=WorkspaceTable, environ=environ)
    workspace, kept, mistakes = parsed_in_part(document, parse, ("load_from",))
    problems = Problems(mistakes)
    files = problems.attempt(partial(env_files.beside, document.folder, environ))
    selectors = zip(kept, workspace.load_from, strict=True) if workspace else ()
    entries = [_entry(document, *each) for each in selectors]
    return Config(
        locations=specs(document, entries, files, surroundings, problems),
        files=(path, *(files or ())),
        looked_for=env_files.looked_for(document.folder),
        notes=(*document.notes, *(_notes(document, workspace) if workspace else ())),
    )


def _entry(document: Document, index: int, selector: Selector) -> LocationEntry:
    table = selector.chosen
    if isinstance(table, GrpcServerTable):
        return _grpc_server(index, table)
    kind, code, attribute = table.target_kind, table.code, table.loaded_attribute
    is_file = kind == "python_file"
    default = dagster_default(PurePath(code).name if is_file else code, attribute)
    return LocationEntry(
        key=("load_from", index),
        name=table.location_name or default,
        target=Target(kind, str(document.absolute(code)) if is_file else code),
        attribute=attribute,
        working_directory=table.working_directory,
        executable=table.executable_path,
    )


def _grpc_server(index: int, table: GrpcServerTable) -> LocationEntry:
    server = GrpcServer(table.host, table.port, table.socket, bool(table.ssl))
    default = f"grpc:{table.host}:{PurePath(table.socket).name if table.socket else table.port}"
    return LocationEntry(
        key=("load_from", index), name=table.location_name or default, target=server
    )


def _notes(document: Document, workspace: WorkspaceTable) -> Iterator[str]:
    for index, selector in enumerate(workspace.load_from):
        server = selector.grpc_server
        if server is not None and server.additional_metadata is not None:
            yield document.note(("load_from", index, "grpc_server", "additional_metadata"))


def _resolved(value: object, info: ValidationInfo) -> object:
    """The value of `{env: VARIABLE}`, and every other value as it is; UnfitError."""
    if not isinstance(value, Mapping) or list(value) != ["env"]:
        return value
    name, environ = value["env"], info.context or {}
    if name not in environ:
        raise UnfitError(f"takes {name}, which is not set", f"set {name} where codelocd starts")
    return environ[name]


def _number(value: object, info: ValidationInfo) -> object:
    resolved = _resolved(value, info)
    if resolved is value or not isinstance(resolved, str):
        return value
    if not resolved.isdecimal():
        remedy = "set it to a whole number"
        raise UnfitError("takes a variable whose value is no whole number", remedy)
    return int(resolved)


WordChoice = Annotated[Text, BeforeValidator(_resolved)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_number)]


class Loadable(Table):
    """Code that a server loads; `scalar` is the key that the short form gives."""

    scalar: ClassVar[str]
    target_kind: ClassVar[TargetKind]

    location_name: WordChoice | None = None
    working_directory: WordChoice | None = None
    executable_path: WordChoice | None = None

    @model_validator(mode="before")
    @classmethod
    def _long_form(cls, data: object) -> object:
        is_long = isinstance(data, Mapping) and list(data) != ["env"]
        return data if is_long else {cls.scalar: data}

    @property
    def code(self) -> str:
        return str(getattr(self, self.scalar))

    @property
    def loaded_attribute(self) -> str | None:
        """`attribute`, where the selector takes one."""
        return getattr(self, "attribute", None)


class PythonFile(Loadable):
    scalar = "relative_path"
    target_kind = "python_file"

    relative_path: WordChoice
    attribute: WordChoice | None = None


class PythonModule(Loadable):
    scalar = "module_name"
    target_kind = "module"

    module_name: WordChoice
    attribute: WordChoice | None = None


class PythonPackage(Loadable):
    scalar = "package_name"
    target_kind = "package"

    package_name: WordChoice
    attribute: WordChoice | None = None


class AutoloadDefsModule(Loadable):
    scalar = "module_name"
    target_kind = "autoload_defs_module"

    module_name: WordChoice


class GrpcServerTable(Table):
    host: WordChoice = "localhost"
    port: Port | None = None
    socket: WordChoice | None = None
    location_name: WordChoice | None = None
    ssl: bool | None = None
    additional_metadata: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_one_address(self) -> GrpcServerTable:
        if (self.port is None) == (self.socket is None):
            raise UnfitError("must have either port or socket", "give one of the two")
        return self


class Selector(Table):
    python_file: PythonFile | None = None
    python_module: PythonModule | None = None
    python_package: PythonPackage | None = None
    autoload_defs_module: AutoloadDefsModule | None = None
    grpc_server: GrpcServerTable | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_one(cls, data: object) -> object:
        if isinstance(data, Mapping) and len(data) != 1:
            found = ", ".join(map(str, data)) or "nothing"
            raise UnfitError(f"must have one selector, not {found}", "write one entry for each")
        if isinstance(data, Mapping) and None in data.values():
            raise UnfitError("names no code", "write it after the colon")
        return data

    @property
    def chosen(self) -> Loadable | GrpcServerTable:
        values = [getattr(self, name) for name in type(self).model_fields]
        chosen: Loadable | GrpcServerTable = next(value for value in values if value is not None)
        return chosen


class WorkspaceTable(Table):
    load_from: list[Selector]
