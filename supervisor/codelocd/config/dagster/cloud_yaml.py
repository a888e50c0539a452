"""Reads locations from Dagster's dagster_cloud.yaml and build.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import model_validator

from codelocd.config import env_files
from codelocd.config.dagster import LocationEntry, ReadingContext, specs
from codelocd.config.document import Document
from codelocd.config.errors import ConfigError, KeyPath, Mistake, Problems, UnfitError
from codelocd.config.syntax import parse_yaml
from codelocd.config.validation import parsed, parsed_in_part
from codelocd.config.values import Table, Text
from codelocd.model import Config, Target, TargetKind

_UNUSED = (("image",), ("build", "registry"), ("container_context",), ("agent_queue",))
"""The keys that are about containers and agents."""

_REMEDY = "write what it renders to"


def read(path: Path, text: str, surroundings: ReadingContext) -> Config:
    """What the file asks for; ConfigError with everything that is wrong in it."""
    document = _document(path, rendered(text, surroundings.environ))
    parse = partial(parsed, model=CloudTable)
    table, kept, mistakes = parsed_in_part(document, parse, ("locations",))
    problems = Problems(mistakes)
    files = problems.attempt(partial(env_files.beside, document.folder, surroundings.environ))
    templates = list(_templates(document, table, kept)) if table else []
    problems.found += templates
    entries = (
        [
            _entry(document, index, location, table.common)
            for index, location in zip(kept, table.locations, strict=True)
            if location.code_source is not None
            and all(mistake.key[:2] != ("locations", index) for mistake in templates)
        ]
        if table
        else []
    )
    return Config(
        locations=specs(document, entries, files, surroundings, problems),
        files=(path, *(files or ())),
        looked_for=env_files.looked_for(document.folder),
        notes=(*document.notes, *(_notes(document, table) if table else ())),
    )


def _document(path: Path, text: str) -> Document:
    """The parsed file. Dagster renders it with jinja first; more than variables is refused."""
    first = re.search(r"\{%", text)
    if first is None:
        try:
            return parse_yaml(path, text)
        except ConfigError:
            first = re.search(r"\{[{#]", text)
            if first is None:
                raise
    line = text.count("\n", 0, first.start()) + 1
    what = "is a template, which is not rendered here"
    raise ConfigError([Mistake(str(path), line, (), what, _REMEDY)])


def _templates(document: Document, table: CloudTable, places: list[int]) -> Iterator[Mistake]:
    """Templates in the keys that count; in the others they may stand as they are."""
    for key, entry in _tables(table, places):
        for name, value in _leaves(entry.model_dump(exclude_none=True)):
            if name not in _UNUSED and "{{" in str(value):
                what = "holds a template, which is not rendered here"
                yield document.mistake((*key, *name), what, _REMEDY)


def _entry(
    document: Document, index: int, location: CloudLocation, defaults: Defaults
) -> LocationEntry:
    assert location.code_source is not None
    kind, code = location.code_source.target
    return LocationEntry(
        key=("locations", index),
        name=location.location_name,
        target=Target(kind, str(document.absolute(code)) if kind == "python_file" else code),
        attribute=location.attribute or None,
        working_directory=_directory(location, defaults),
        executable=location.executable_path or defaults.executable_path,
    )


def _directory(location: CloudLocation, defaults: Defaults) -> str | None:
    """Where the code runs: the folder that is built, unless another one is given."""
    given = location.working_directory or defaults.working_directory
    builds = filter(None, (location.build, defaults.build))
    return given or next((build.directory for build in builds if build.directory), None)


def _notes(document: Document, table: CloudTable) -> Iterator[str]:
    for key, entry in _tables(table, range(len(table.locations))):
        for name, _ in _leaves(entry.model_dump(exclude_none=True)):
            if name in _UNUSED:
                yield document.note((*key, *name))
    for index, location in enumerate(table.locations):
        if location.code_source is None:
            what, remedy = "names no code, only an image", "add code_source to load it here"
            yield document.passed_over(("locations", index), what, remedy)


def _tables(table: CloudTable, places: Iterable[int]) -> Iterator[tuple[KeyPath, Defaults]]:
    yield ("defaults",), table.common
    for index, location in zip(places, table.locations, strict=True):
        yield ("locations", index), location


def _leaves(table: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    """The keys of a table and their values, those of `build` and `code_source` too."""
    for name, value in table.items():
        if name in ("build", "code_source"):
            yield from (((name, inner), leaf) for inner, leaf in value.items())
        else:
            yield (name,), value


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


_TEXT = r"""(?:"([^"\n]*)"|'([^'\n]*)')"""
_GET_ENV = re.compile(
    r"\{\{\s*get_env\(\s*" + _TEXT + r"\s*(?:,\s*(?:default\s*=\s*)?" + _TEXT + r"\s*)?\)\s*\}\}"
)


def rendered(text: str, environ: Mapping[str, str]) -> str:
    """With each `{{ get_env("NAME", "default") }}` replaced, without a default by "".

    Dagster renders all of jinja (`dagster_cloud_cli/config/jinja_template_loader.py`); what is
    more than this one function stays as it is.
    """

    def value(found: re.Match[str]) -> str:
        double, single, *default = found.groups()
        return environ.get(double or single or "", next(filter(None, default), ""))

    return _GET_ENV.sub(value, text)
