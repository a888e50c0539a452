"""[tool.dagster] in pyproject.toml to locations.

Its form: `dagster/_core/workspace/load_target.py`. There, entries of an unknown type are
dropped and the working directory is that of the process; here the first is a mistake, the
second the folder of the file.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field, model_validator

from codelocd.config import env_files
from codelocd.config.dagster_location import Entry, Surroundings, spec
from codelocd.config.document import Document
from codelocd.config.mistakes import ConfigError, Problems, UnfitError, gathered
from codelocd.config.tables import Table, Text
from codelocd.config.validation import parsed
from codelocd.model import Config, Target


class _Module(Table):
    type: Literal["module"]
    name: Text


class _DagsterTable(Table):
    module_name: Text | None = None
    modules: list[_Module] | None = Field(None, min_length=1)
    code_location_name: Text | None = None

    @model_validator(mode="after")
    def _is_one(self) -> _DagsterTable:
        if (self.module_name is None) == (self.modules is None):
            raise UnfitError("must have either module_name or modules", "give one of the two")
        return self


def read(document: Document, surroundings: Surroundings) -> Config:
    """What the table asks for; ConfigError with everything that is wrong in it."""
    problems = Problems()
    table = problems.attempt(partial(parsed, document, _DagsterTable))
    files = problems.attempt(partial(env_files.beside, document.folder, surroundings.environ))
    if table is None or files is None:
        raise ConfigError(problems.found)
    steps = [partial(spec, document, entry, files, surroundings) for entry in _entries(table)]
    return Config(
        locations=tuple(gathered(steps)),
        files=(document.path, *files),
        looked_for=env_files.looked_for(document.folder),
    )


def _entries(table: _DagsterTable) -> list[Entry]:
    if table.module_name is not None:
        name = table.code_location_name or table.module_name
        return [Entry(("module_name",), name, Target("module", table.module_name))]
    return [
        Entry(
            ("modules", index), table.code_location_name or each.name, Target("module", each.name)
        )
        for index, each in enumerate(table.modules or ())
    ]
