"""The tables of workspace.yaml: which keys there are and what each takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from codelocd.config.mistakes import UnfitError
from codelocd.config.tables import Table, Text
from codelocd.model import TargetKind


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


Word = Annotated[Text, BeforeValidator(_resolved)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_number)]


class Loadable(Table):
    """Code that a server loads; `scalar` is the key that the short form gives."""

    scalar: ClassVar[str]
    target_kind: ClassVar[TargetKind]

    location_name: Word | None = None
    working_directory: Word | None = None
    executable_path: Word | None = None

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

    relative_path: Word
    attribute: Word | None = None


class PythonModule(Loadable):
    scalar = "module_name"
    target_kind = "module"

    module_name: Word
    attribute: Word | None = None


class PythonPackage(Loadable):
    scalar = "package_name"
    target_kind = "package"

    package_name: Word
    attribute: Word | None = None


class AutoloadDefsModule(Loadable):
    scalar = "module_name"
    target_kind = "autoload_defs_module"

    module_name: Word


class GrpcServerTable(Table):
    host: Word = "localhost"
    port: Port | None = None
    socket: Word | None = None
    location_name: Word | None = None
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
