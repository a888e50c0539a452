"""Reads locations and settings from codelocd.toml and [tool.codelocd]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from codeloc_envs.request import Index
from codelocd.config import env_files, validation
from codelocd.config.discovery import is_settings
from codelocd.config.document import Document
from codelocd.config.engine import EngineTable, broken_engine, engine_settings
from codelocd.config.errors import ConfigError, KeyPath, Mistake, Problems
from codelocd.config.location import (
    Raw,
    as_table,
    broken,
    index,
    location,
    merged,
    path_of,
    request_of,
)
from codelocd.config.tables import CodelocdTable, DaemonTable, DagsterTable, PageTable
from codelocd.config.variables import LONGEST, MOST, are_too_many, is_too_long
from codelocd.model import (
    Config,
    DaemonSettings,
    DagsterSettings,
    LocationSpec,
    MetricsSettings,
    NotifySettings,
    PageSettings,
)
from codelocd.placement import EngineSettings
from codelocd.process import accounts
from codelocd.settings import RunsSettings

# --- the tables beside the locations -----------------------------------------------------------


def daemon_settings(document: Document, table: DaemonTable) -> DaemonSettings:
    return DaemonSettings(
        state_dir=path_of(document, table.state_dir),
        store=path_of(document, table.store),
        socket=path_of(document, table.socket),
        socket_group=table.socket_group,
        operator_group=table.operator_group,
        observe_group=table.observe_group,
        log_format=table.log_format,
        warm_idle=table.warm_idle,
        prune=table.prune,
        orphan_timeout=table.orphan_timeout,
        trusted=tuple(table.trusted),
    )


def dagster_settings(document: Document, table: DagsterTable, index: Index) -> DagsterSettings:
    return DagsterSettings(
        serve=table.serve,
        page=table.page,
        host=table.host,
        port=table.port,
        drain_timeout=table.drain_timeout,
        environment=request_of(document, table.environment, index) if table.environment else None,
        launcher=table.launcher,
    )


def page_settings(document: Document, table: PageTable) -> PageSettings:
    return PageSettings(
        serve=table.serve,
        host=table.host,
        port=table.port,
        socket=path_of(document, table.socket),
        socket_group=table.socket_group,
        allowed_hosts=tuple(table.allowed_hosts),
        read_only=table.read_only,
        editor=table.editor,
        auth=table.auth,
    )


def _engine_settings(document: Document, table: EngineTable, index: Index) -> EngineSettings:
    asked = request_of(document, table.environment, index) if table.environment else None
    return engine_settings(document, table, asked)


# --- the file ----------------------------------------------------------------------------------


def read(document: Document, environ: Mapping[str, str]) -> Config:
    """What the document asks for; ConfigError with everything that is wrong in it."""
    environ = dict(environ)  # of os.environ each look is a decoding, and each location looks
    problems = Problems(_broken_rules(document, environ))
    named = _named_files(document.data)
    parsed = problems.attempt(partial(_parsed, document))
    files = problems.attempt(partial(env_files.read_named, document, named, environ))
    if parsed is None or files is None or problems.found:
        raise ConfigError(problems.found)
    packages = index(document, parsed.index)
    locations = tuple(
        location(document, name, table, files, environ, packages)
        for name, table in parsed.location.items()
    )
    if too_many := [
        _too_many(document, spec.name) for spec in locations if _is_full(spec, environ)
    ]:
        raise ConfigError(too_many)
    return Config(
        locations=locations,
        daemon=daemon_settings(document, parsed.daemon),
        dagster=dagster_settings(document, parsed.dagster, packages),
        metrics=MetricsSettings(**parsed.metrics.model_dump()),
        notify=NotifySettings(tuple(parsed.notify.command), parsed.notify.url),
        otlp=parsed.telemetry.otlp,
        page=page_settings(document, parsed.ui),
        runs=RunsSettings(**parsed.runs.model_dump()),
        engine=_engine_settings(document, parsed.engine, packages),
        files=(document.path, *files),
        notes=tuple(_notes(document, parsed.daemon.trusted, environ)),
    )


def _notes(document: Document, trusted: Sequence[str], environ: Raw) -> Iterator[str]:
    if trusted and not is_settings(document.path, environ):
        yield "[daemon] trusted: has no effect but in your own settings"


def _parsed(document: Document) -> CodelocdTable:
    """Every table, validated once: a location's with the defaults under it, for a rule about two
    keys holds wherever each of them stands.

    Raises ConfigError; what is wrong in the defaults is said there, not of each location.
    """
    data = document.data
    complete = {**as_table(data.get("location")), **_complete(data)}
    whole = {**data, "location": complete} if complete else data
    try:
        return validation.parsed(replace(document, data=whole), CodelocdTable)
    except ConfigError as error:
        keys = {mistake: mistake.key[len(document.root) :] for mistake in error.problems}
    known = set(keys.values())
    raise ConfigError(
        mistake
        for mistake, key in keys.items()
        if ("defaults", *key[2:]) not in known or _is_own(data, key)
    )


def _is_own(data: Raw, key: KeyPath) -> bool:
    """Whether what stands here does not come from the defaults."""
    if key[0] != "location" or len(key) < 3:
        return True
    value: object = as_table(data.get("location")).get(str(key[1]))
    for part in key[2:4]:
        if isinstance(value, Mapping) and part not in value:
            return False
        value = as_table(value).get(str(part))
    return True


def _broken_rules(document: Document, environ: Mapping[str, str]) -> Iterator[Mistake]:
    complete = _complete(document.data)
    yield from broken_engine(document, complete)
    for name, table in complete.items():
        yield from broken(document, name, table)
        yield from _unfit_account(document, ("location", name), table)
    for key, table in written_tables(document.data):
        yield from _unfit(document, (*key, "env"), as_table(table.get("env")), environ)


def _unfit_account(document: Document, key: KeyPath, table: Raw) -> Iterator[Mistake]:
    """Said where it stands, which may be in the defaults."""
    asked = [table.get(name) for name in ("user", "group")]
    user, group = (text if isinstance(text, str) and text else None for text in asked)
    try:
        accounts.account(user, group)
    except accounts.NoAccount as none:
        own = as_table(as_table(document.data.get("location")).get(str(key[-1])))
        place = key if none.key in own else ("defaults",)
        yield document.mistake((*place, none.key), none.what, none.remedy)


def _is_full(spec: LocationSpec, environ: Mapping[str, str]) -> bool:
    return are_too_many({**environ, **spec.variables})


def _too_many(document: Document, name: str) -> Mistake:
    what = f"has, with those of codelocd itself, more than a process can have ({MOST} bytes)"
    return document.mistake(("location", name, "env"), what, "put the long ones into files")


def _unfit(
    document: Document, key: KeyPath, env: Raw, environ: Mapping[str, str]
) -> Iterator[Mistake]:
    """Variables without a value, and with one that no process can have."""
    for name, value in env.items():
        source = as_table(value).get("from_env")
        if isinstance(source, str) and source and source not in environ:
            remedy = f"set {source} where codelocd starts, or write a value"
            yield document.mistake((*key, name), f"takes {source}, which is not set", remedy)
            continue
        text = environ[source] if isinstance(source, str) and source else value
        if isinstance(text, str) and is_too_long(name, text):
            what = f"is longer than a process can have ({LONGEST} bytes, its name included)"
            yield document.mistake((*key, name), what, "put it into a file")


def _named_files(data: Raw) -> Iterator[tuple[KeyPath, str]]:
    for key, table in written_tables(data):
        named = table.get("env_file")
        if isinstance(named, str) and named:
            yield (*key, "env_file"), named


def written_tables(data: Raw) -> Iterator[tuple[KeyPath, Raw]]:
    """The tables of locations as they stand in the file, the defaults first."""
    yield ("defaults",), as_table(data.get("defaults"))
    for name, table in as_table(data.get("location")).items():
        yield ("location", name), as_table(table)


def _complete(data: Raw) -> dict[str, Raw]:
    """The tables of locations with the defaults under them, by name."""
    defaults = as_table(data.get("defaults"))
    tables = as_table(data.get("location"))
    return {
        name: merged(defaults, table)
        for name, table in tables.items()
        if isinstance(table, Mapping)
    }
