"""Dagster's own formats of config files; here, a location is made of an entry in any of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from codeloc_envs import Request
from codelocd.config import env_files
from codelocd.config.document import Document
from codelocd.config.env_files import EnvFiles
from codelocd.config.errors import ConfigError, KeyPath, Problems, UnfitError
from codelocd.config.location import check_foreign
from codelocd.config.variables import Variables
from codelocd.model import GrpcServer, LocationSpec, Target


@dataclass(frozen=True, slots=True)
class ReadingContext:
    """What a config is read with.

    `environ` are the daemon's variables; `activated`: the activated environment of the
    caller's shell may serve locations of Dagster's formats.
    """

    environ: Mapping[str, str]
    activated: bool


@dataclass(frozen=True, slots=True)
class LocationEntry:
    """What one entry says, at `key` of its document; paths relative to the document."""

    key: KeyPath
    name: str
    target: Target | GrpcServer
    attribute: str | None = None
    working_directory: str | None = None
    executable: str | None = None


def spec(
    document: Document, entry: LocationEntry, files: EnvFiles, surroundings: ReadingContext
) -> LocationSpec:
    """The location of an entry; of `files` the last that sets a variable wins. ConfigError."""
    try:
        check_foreign(entry.name)
    except UnfitError as error:
        raise ConfigError([document.mistake(entry.key, error.what, error.remedy)]) from None
    return LocationSpec(
        name=entry.name,
        target=entry.target,
        working_directory=document.absolute(entry.working_directory or "."),
        declared_in=document.place(entry.key),
        declared_line=document.line_of((*document.root, *entry.key)),
        attribute=entry.attribute,
        variables=Variables(env_files.joined(files)),
        env_file=next(reversed([*files]), None),
        environment=_environment(document, entry.executable, surroundings),
        activated_allowed=surroundings.activated,
    )


def specs(
    document: Document,
    entries: Iterable[LocationEntry],
    files: EnvFiles | None,
    surroundings: ReadingContext,
    problems: Problems,
) -> tuple[LocationSpec, ...]:
    """The locations of all entries; ConfigError with what `problems` has or gets by that."""
    steps = (partial(spec, document, entry, files or {}, surroundings) for entry in entries)
    found = tuple(filter(None, map(problems.attempt, steps)))
    if problems.found:
        raise ConfigError(problems.found, found)
    return found


def _environment(
    document: Document, executable: str | None, surroundings: ReadingContext
) -> Request | None:
    """The interpreter that an entry names: a command on PATH, or a path."""
    if not executable:
        return None
    path = surroundings.environ.get("PATH")
    command = None if "/" in executable else shutil.which(executable, path=path)
    return Request(python=str(document.absolute(command or executable)))
