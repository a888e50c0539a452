"""A valid table of codelocd.toml to what the daemon works with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from codeloc_envs import Request
from codeloc_envs.installation import ANYWHERE, Index, Installation
from codelocd.config.document import Document
from codelocd.config.env_files import EnvFiles
from codelocd.config.tables import (
    DaemonTable,
    DagsterTable,
    EnvironmentTable,
    FromEnv,
    IndexTable,
    LocationTable,
)
from codelocd.config.variables import Variables
from codelocd.model import (
    Backoff,
    DaemonSettings,
    DagsterSettings,
    LocationSpec,
    Policy,
    RestartLimit,
    Target,
)


def location(
    document: Document,
    name: str,
    table: LocationTable,
    files: EnvFiles,
    environ: Mapping[str, str],
    index: Index,
) -> LocationSpec:
    """The location of a complete, valid table whose variables are all set."""
    env_file = _path(document, table.env_file)
    return LocationSpec(
        name=name,
        target=_target(document, table),
        working_directory=_path(document, table.working_directory) or document.folder,
        declared_in=document.place(("location", name)),
        attribute=table.attribute,
        variables=_variables(table, files[env_file] if env_file else {}, environ),
        env_file=env_file,
        environment=_request(document, table.environment, index),
        watch=tuple(table.watch),
        ignore=tuple(table.ignore),
        policy=_policy(table),
    )


def daemon_settings(document: Document, table: DaemonTable) -> DaemonSettings:
    return DaemonSettings(
        state_dir=_path(document, table.state_dir),
        store=_path(document, table.store),
        socket=_path(document, table.socket),
        socket_group=table.socket_group,
        log_format=table.log_format,
        warm_idle=table.warm_idle,
        prune=table.prune,
    )


def dagster_settings(document: Document, table: DagsterTable, index: Index) -> DagsterSettings:
    return DagsterSettings(
        serve=table.serve,
        page=table.page,
        host=table.host,
        port=table.port,
        drain_timeout=table.drain_timeout,
        environment=_request(document, table.environment, index) if table.environment else None,
    )


def _target(document: Document, table: LocationTable) -> Target:
    if table.python_file:
        return Target("python_file", str(document.absolute(table.python_file)))
    if table.module:
        return Target("module", table.module)
    if table.package:
        return Target("package", table.package)
    return Target("autoload_defs_module", table.autoload_defs_module or "")


def _variables(
    table: LocationTable, file: Mapping[str, str], environ: Mapping[str, str]
) -> Variables:
    sources = {
        name: value.from_env for name, value in table.env.items() if isinstance(value, FromEnv)
    }
    referred = {name: environ[source] for name, source in sources.items()}
    literal = {name: value for name, value in table.env.items() if isinstance(value, str)}
    return Variables({**file, **referred, **literal}, literal, sources)


def index(document: Document, table: IndexTable) -> Index:
    return Index(
        url=table.url,
        extra=tuple(table.extra),
        find_links=tuple(_link(document, text) for text in table.find_links),
        certificate=_path(document, table.certificate),
        keyring=table.keyring,
        credential=table.credential,
    )


def _link(document: Document, text: str) -> str:
    return text if "://" in text else str(document.absolute(text))


def _request(document: Document, written: EnvironmentTable | None, index: Index) -> Request | None:
    """None where nothing is asked for: then the code's own files decide all of it."""
    if written is None and index == ANYWHERE:
        return None
    table = written or EnvironmentTable()
    python = table.python
    return Request(
        installation=Installation(
            index, table.link_mode, table.installer, table.allow_python_download
        ),
        python=str(document.absolute(python)) if python and "/" in python else python,
        packages=tuple(table.packages),
        requirements=tuple(map(document.absolute, table.requirements)),
        project=_path(document, table.project),
        extras=tuple(table.extras),
        groups=tuple(table.groups),
        lock=_path(document, table.lock),
        path=_path(document, table.path),
    )


def _policy(table: LocationTable) -> Policy:
    plain = {field.name: getattr(table, field.name) for field in fields(Policy)}
    nested = {
        "backoff": Backoff(**table.backoff.model_dump()),
        "restart_limit": RestartLimit(**table.restart_limit.model_dump()),
    }
    return Policy(**{**plain, **nested})


def _path(document: Document, text: str | None) -> Path | None:
    return document.absolute(text) if text else None
