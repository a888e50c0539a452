"""Dagster's workspace.yaml to locations.

Its form: `dagster/_core/workspace/config_schema.py`; default names: `names.dagster_default`,
but for a server at a socket: its default has the whole path, and a name has no `/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath

from codelocd.config import env_files, yaml_text
from codelocd.config.dagster_location import Entry, Surroundings, spec
from codelocd.config.document import Document
from codelocd.config.mistakes import ConfigError, Problems, gathered
from codelocd.config.names import dagster_default
from codelocd.config.validation import parsed
from codelocd.config.workspace_tables import GrpcServerTable, Selector, WorkspaceTable
from codelocd.model import Config, GrpcServer, Target


def read(path: Path, text: str, surroundings: Surroundings) -> Config:
    """What the file asks for; ConfigError with everything that is wrong in it."""
    document = yaml_text.parse(path, text)
    environ, problems = surroundings.environ, Problems()
    workspace = problems.attempt(partial(parsed, document, WorkspaceTable, environ))
    files = problems.attempt(partial(env_files.beside, document.folder, environ))
    if workspace is None or files is None:
        raise ConfigError(problems.found)
    entries = [_entry(document, *each) for each in enumerate(workspace.load_from)]
    steps = [partial(spec, document, entry, files, surroundings) for entry in entries]
    return Config(
        locations=tuple(gathered(steps)),
        files=(path, *files),
        looked_for=env_files.looked_for(document.folder),
        notes=(*document.notes, *_notes(document, workspace)),
    )


def _entry(document: Document, index: int, selector: Selector) -> Entry:
    table = selector.chosen
    if isinstance(table, GrpcServerTable):
        return _grpc_server(index, table)
    kind, code, attribute = table.target_kind, table.code, table.loaded_attribute
    is_file = kind == "python_file"
    default = dagster_default(PurePath(code).name if is_file else code, attribute)
    return Entry(
        key=("load_from", index),
        name=table.location_name or default,
        target=Target(kind, str(document.absolute(code)) if is_file else code),
        attribute=attribute,
        working_directory=table.working_directory,
        executable=table.executable_path,
    )


def _grpc_server(index: int, table: GrpcServerTable) -> Entry:
    server = GrpcServer(table.host, table.port, table.socket, bool(table.ssl))
    default = f"grpc:{table.host}:{PurePath(table.socket).name if table.socket else table.port}"
    return Entry(key=("load_from", index), name=table.location_name or default, target=server)


def _notes(document: Document, workspace: WorkspaceTable) -> Iterator[str]:
    for index, selector in enumerate(workspace.load_from):
        server = selector.grpc_server
        if server is not None and server.additional_metadata is not None:
            yield document.note(("load_from", index, "grpc_server", "additional_metadata"))
