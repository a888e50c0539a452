"""A config as the JSON document of `config show`, and the JSON Schema of codelocd.toml."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from codelocd.config.tables import CodelocdTable
from codelocd.config.variables import shown
from codelocd.model import Config, GrpcServer, LocationSpec, Target


def describe(config: Config) -> dict[str, Any]:
    """What became of each entry, with every path absolute and every default filled in.

    The value of a variable is null unless it stands in the config file itself: it may be a
    secret.
    """
    document = {
        "files": config.files,
        "daemon": asdict(config.daemon),
        "dagster": asdict(config.dagster),
        "locations": [_location(spec) for spec in config.locations],
        "notes": config.notes,
    }
    return {name: _plain(value) for name, value in document.items()}


def _location(spec: LocationSpec) -> dict[str, Any]:
    fields = {name: each for name, each in asdict(spec).items() if name != "declared_line"}
    return {**fields, "target": _target(spec.target), "variables": shown(spec.variables)}


def _target(target: Target | GrpcServer) -> dict[str, Any]:
    if isinstance(target, Target):
        return asdict(target)
    return {"kind": "grpc_server", **asdict(target)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def json_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 with a description of every key."""
    schema = CodelocdTable.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **schema, "title": "codelocd.toml"}
