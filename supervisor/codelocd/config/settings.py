"""The settings of the tables beside the locations: the daemon, Dagster's UI, the page. Pure."""

from __future__ import annotations

from codeloc_envs.request import Index
from codelocd.config.document import Document
from codelocd.config.location import path_of, request_of
from codelocd.config.tables import DaemonTable, DagsterTable, PageTable
from codelocd.model import DaemonSettings, DagsterSettings, PageSettings


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
