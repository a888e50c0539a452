"""Reads locations from [tool.dagster] in pyproject.toml.

Its form: `dagster/_core/workspace/load_target.py`. What that passes over is passed over here too,
and said. There the working directory is that of the process, here the folder of the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import Field, model_validator

from codelocd.config import env_files
from codelocd.config.dagster import LocationEntry, ReadingContext, specs
from codelocd.config.document import Document
from codelocd.config.errors import ConfigError, Problems, UnfitError
from codelocd.config.validation import parsed_in_part, parsed_leniently
from codelocd.config.values import Table, Text
from codelocd.model import Config, Target

_MODULE = "module"
"""The one type of `modules` that there is."""


class _Module(Table):
    type: str
    name: Text


class _ToolDagster(Table):
    module_name: Text | None = None
    modules: list[_Module] | None = Field(None, min_length=1)
    code_location_name: Text | None = None

    @model_validator(mode="after")
    def _is_one(self) -> _ToolDagster:
        if self.module_name is not None and self.modules is not None:
            raise UnfitError("must have either module_name or modules", "give one of the two")
        return self


def read(document: Document, surroundings: ReadingContext) -> Config:
    """What the table asks for; ConfigError with everything that is wrong in it."""
    parse = partial(parsed_leniently, model=_ToolDagster)
    read, kept, mistakes = parsed_in_part(_sole(document), parse, ("modules",))
    problems = Problems(mistakes)
    files = problems.attempt(partial(env_files.beside, document.folder, surroundings.environ))
    if read is None:
        raise ConfigError(problems.found)
    table, notes = read
    return Config(
        locations=specs(document, _entries(table, kept), files, surroundings, problems),
        notes=(*notes, *_notes(document, table)),
        files=(document.path, *(files or ())),
        looked_for=env_files.looked_for(document.folder),
    )


def names_code(table: Mapping[str, Any]) -> bool:
    """Whether Dagster finds something to load in it; else it looks at [tool.dg]."""
    return "module_name" in table or "modules" in table


def _sole(document: Document) -> Document:
    """Beside a module_name, Dagster does not look at `modules` that list nothing."""
    table = document.data
    if "module_name" not in table or (isinstance(given := table.get("modules"), list) and given):
        return document
    return replace(document, data={key: table[key] for key in table if key != "modules"})


def _notes(document: Document, table: _ToolDagster) -> Iterator[str]:
    if not names_code(document.data):
        yield document.passed_over((), "names no module", "add module_name")
    for index, each in enumerate(table.modules or ()):
        if each.type != _MODULE:
            key = ("modules", index, "type")
            what = f"is {json.dumps(each.type)}"
            yield document.passed_over(key, what, f'write type = "{_MODULE}"')


def _entries(table: _ToolDagster, places: list[int]) -> list[LocationEntry]:
    if table.module_name is not None:
        name = table.code_location_name or table.module_name
        return [LocationEntry(("module_name",), name, Target("module", table.module_name))]
    return [
        LocationEntry(
            ("modules", index), table.code_location_name or each.name, Target("module", each.name)
        )
        for index, each in zip(places, table.modules or (), strict=False)
        if each.type == _MODULE
    ]
