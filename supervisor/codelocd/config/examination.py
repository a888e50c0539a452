"""Finds the mistakes of a config that show only on this machine, such as missing files.

A daemon does not refuse such a config. A file may appear later, and one location whose
environment cannot be built must not hold up the others.
"""

from __future__ import annotations

import grp
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from codeloc_envs import Choice, EnvironmentProblem, credentials
from codelocd.config import codelocd_toml, formats
from codelocd.config.document import Document
from codelocd.config.errors import ConfigError, KeyPath, Mistake, Problems, dotted
from codelocd.config.location import Raw, as_table, merged
from codelocd.config.rules import (
    Pythons,
    broken_environment,
    broken_index,
    missing_module,
    missing_part,
    unfit_attribute,
    unfit_module,
)
from codelocd.model import Config, LocationSpec, Target

Load = Callable[[], Config]
Choose = Callable[[LocationSpec], Choice]
"""What a location's environment is made of; raises EnvironmentProblem."""
Say = Callable[[KeyPath, str, str], Mistake]
"""A mistake at a key of a location, by what is wrong and what to do."""


def examine(
    path: Path, load: Load, pythons: Pythons, choose: Choose
) -> tuple[Config | None, list[Mistake]]:
    """The config of a file, where it can be read, and everything that is wrong with it."""
    problems = Problems()
    config = problems.attempt(load)
    document = formats.own_document(path)
    own = [spec for spec in problems.readable if isinstance(spec.target, Target)]
    found = config.own if config is not None else _readable(document) if document else own
    if document is not None:
        problems.found += _own(document, pythons)
    else:
        for spec in found:
            problems.found += _location(partial(_foreign, spec), _written(spec), Path, pythons)
    for spec in found:
        say: Say = partial(_foreign, spec)
        if document is not None:
            table = as_table(as_table(document.data.get("location")).get(spec.name))
            say = partial(_at, document, spec.name, table)
        problems.found += _together(spec, say, choose, problems.found)
    if config is not None:
        config = replace(config, notes=(*config.notes, *_out_of_sight(config)))
    return config, list(ConfigError(problems.found).problems)


def _out_of_sight(config: Config) -> Iterator[str]:
    """The credentials that a service will have and a shell has not."""
    if not os.environ.get(credentials.FOLDER):
        for spec in config.own:
            for variable, name in spec.credentials.items():
                where = f"location.{spec.name}.env.{variable} takes the credential {name}"
                here = f"${credentials.FOLDER} is not set here, so it cannot be looked for"
                yield f"{where}: {here}; the service needs LoadCredential={name}:/PATH"


_CODE_AND_ENVIRONMENT = frozenset({
    "python_file", "module", "package", "autoload_defs_module", "attribute", "working_directory",
    "environment",
})  # fmt: skip


def _readable(document: Document) -> Iterator[LocationSpec]:
    """The locations whose code and environment can be understood, whatever else cannot."""
    data = document.data
    defaults = _code_and_environment(as_table(data.get("defaults")))
    for name, table in as_table(data.get("location")).items():
        alone = {"defaults": defaults, "location": {name: _code_and_environment(as_table(table))}}
        read = partial(codelocd_toml.read, replace(document, data=alone, unfit=()), {})
        config = Problems().attempt(read)
        yield from config.own if config is not None else ()


def _code_and_environment(table: Raw) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key in _CODE_AND_ENVIRONMENT}


def _own(document: Document, pythons: Pythons) -> Iterator[Mistake]:
    """What is wrong with codelocd.toml, whatever else is; each at the key that has it."""
    data = document.data
    defaults, tables = as_table(data.get("defaults")), as_table(data.get("location"))
    for name, table in tables.items():
        if isinstance(table, Mapping):
            say = partial(_at, document, name, table)
            yield from _location(say, merged(defaults, table), document.absolute, pythons)
    if os.environ.get(credentials.FOLDER):
        for key, table in codelocd_toml.written_tables(data):
            yield from _credentials(document, (*key, "env"), as_table(table.get("env")))
    yield from _daemon(document, as_table(data.get("daemon")))
    say_index = partial(_under, document, ("index",))
    yield from broken_index(as_table(data.get("index")), document.absolute, say_index)
    page = as_table(as_table(data.get("dagster")).get("environment"))
    say_page = partial(_under, document, ("dagster", "environment"))
    yield from broken_environment(page, document.absolute, say_page, pythons)


def _credentials(document: Document, key: KeyPath, env: Raw) -> Iterator[Mistake]:
    for name, value in env.items():
        credential = as_table(value).get("credential")
        if isinstance(credential, str) and credentials.NAME.fullmatch(credential):
            try:
                credentials.read(credential, os.environ)
            except credentials.NoCredential as problem:
                yield document.mistake((*key, name), problem.what, problem.remedy)


def _location(
    say: Say, table: Raw, absolute: Callable[[str], Path], pythons: Pythons
) -> Iterator[Mistake]:
    """Everything that one location's complete table names and that cannot be."""
    if file := _text(table, "python_file"):
        yield from _unfit_file(("python_file",), absolute(file), say)
    directory = _text(table, "working_directory")
    if directory:
        yield from _unfit_folder(("working_directory",), absolute(directory), say)
    for key in ("module", "package", "autoload_defs_module"):
        if name := _text(table, key):
            yield from unfit_module((key,), name, say)
            yield from missing_part((key,), name, absolute(directory or "."), say)
    if attribute := _text(table, "attribute"):
        yield from unfit_attribute(("attribute",), attribute, say)

    def in_environment(key: KeyPath, what: str, remedy: str) -> Mistake:
        return say(("environment", *key), what, remedy)

    environment = as_table(table.get("environment"))
    yield from broken_environment(environment, absolute, in_environment, pythons)


def _together(
    spec: LocationSpec, say: Say, choose: Choose, before: list[Mistake]
) -> Iterator[Mistake]:
    """What the location's parts make together: its environment, and its module in it."""
    assert isinstance(spec.target, Target)
    try:
        choice = choose(spec)
    except EnvironmentProblem as problem:
        what, _, remedy = problem.summary.partition("; ")
        mistake = say(("environment",), what, remedy or "correct it, or say what it is made of")
        known = {(e.source, e.line if not e.key else e.key[: len(mistake.key)]) for e in before}
        if (mistake.source, mistake.key or mistake.line) not in known:
            yield mistake
        return
    if spec.target.kind != "python_file" and os.path.isdir(spec.working_directory):
        yield from missing_module(spec, choice.specification, say)


def _daemon(document: Document, table: Raw) -> Iterator[Mistake]:
    say = partial(_under, document, ("daemon",))
    for key in ("state_dir", "store"):
        named = _text(table, key)
        if named and os.path.isfile(document.absolute(named)):
            yield say((key,), f"is a file: {document.absolute(named)}", "name a folder")
    socket = _text(table, "socket")
    if socket and os.path.isdir(document.absolute(socket)):
        path = document.absolute(socket)
        yield say(("socket",), f"is a folder: {path}", "name the socket in it, like control.sock")
    for key in ("socket_group", "operator_group", "observe_group"):
        group = _text(table, key)
        try:
            if group:
                grp.getgrnam(group)
        except KeyError:
            yield say((key,), f"there is no group {group!r}", "create it, or name another")


def _unfit_file(key: KeyPath, path: Path, say: Say) -> Iterator[Mistake]:
    if os.path.isdir(path):
        is_package = os.path.isfile(path / "__init__.py")
        other = f', or write package = "{path.name}"' if is_package else ""
        yield say(key, f"is a folder: {path}", f"name the file with the definitions{other}")
    elif not os.path.exists(path):
        yield replace(
            say(key, f"no such file: {path}", "create it, or correct the path"), absent=path
        )


def _unfit_folder(key: KeyPath, path: Path, say: Say) -> Iterator[Mistake]:
    if os.path.isfile(path):
        yield say(key, f"is a file: {path}", "name a folder")
    elif not os.path.exists(path):
        yield say(key, f"no such folder: {path}", "create it, or correct the path")


def _written(spec: LocationSpec) -> dict[str, Any]:
    """The table that codelocd.toml would have for a location of another format."""
    assert isinstance(spec.target, Target)
    table: dict[str, Any] = {
        spec.target.kind: spec.target.value,
        "attribute": spec.attribute,
        "working_directory": str(spec.working_directory),
    }
    if spec.environment is not None:
        table["environment"] = {"python": spec.environment.python}
    return table


def _foreign(spec: LocationSpec, key: KeyPath, what: str, remedy: str) -> Mistake:
    """Their formats call the keys otherwise: the place is that of the whole entry."""
    file, _, entry = spec.declared_in.rpartition(" [")
    place = f"{entry.removesuffix(']')}: location {json.dumps(spec.name)}"
    return Mistake(file, spec.declared_line, (), f"{place}, {dotted(key)}: {what}", remedy)


def _at(document: Document, name: str, table: Raw, key: KeyPath, what: str, remedy: str) -> Mistake:
    """At the location's own key, or at that of the defaults where it has none."""
    head: KeyPath = ("location", name)
    if key[0] not in table and key[0] in as_table(document.data.get("defaults")):
        head = ("defaults",)
    return document.mistake((*head, *key), what, remedy)


def _under(document: Document, head: KeyPath, key: KeyPath, what: str, remedy: str) -> Mistake:
    return document.mistake((*head, *key), what, remedy)


def _text(table: Raw, key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) and value else None
