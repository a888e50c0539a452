"""The tables of dagster_cloud.yaml and build.yaml: which keys there are and what each takes."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from codelocd.config.mistakes import UnfitError
from codelocd.config.tables import Table, Text
from codelocd.model import TargetKind


class CodeSource(Table):
    package_name: str | None = None
    module_name: str | None = None
    python_file: str | None = None
    autoload_defs_module_name: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> CodeSource:
        if len(self._given()) != 1:
            found = " and ".join(self._given()) or "nothing"
            valid = ", ".join(type(self).model_fields)
            raise UnfitError(f"has {found}", f"give one of {valid}")
        return self

    @property
    def target(self) -> tuple[TargetKind, str]:
        """What is to be loaded, and its path or dotted name as the file writes it."""
        kinds: dict[str, TargetKind] = {
            "package_name": "package",
            "module_name": "module",
            "python_file": "python_file",
            "autoload_defs_module_name": "autoload_defs_module",
        }
        [(key, value)] = self._given().items()
        return kinds[key], value

    def _given(self) -> dict[str, str]:
        return {key: value for key, value in self.model_dump().items() if value}


class Build(Table):
    directory: str | None = None
    registry: str | None = None


class Defaults(Table):
    build: Build | None = None
    working_directory: str | None = None
    image: str | None = None
    executable_path: str | None = None
    container_context: dict[str, Any] | None = None
    agent_queue: str | None = None


class CloudLocation(Defaults):
    location_name: Text
    code_source: CodeSource | None = None
    attribute: str | None = None


class CloudTable(Table):
    locations: list[CloudLocation]
    defaults: Defaults | None = None

    @property
    def common(self) -> Defaults:
        return self.defaults or Defaults()
