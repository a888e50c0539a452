"""The reader for each kind of config file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from codelocd.config import codelocd_toml, discovery
from codelocd.config.dagster import ReadingContext, cloud_yaml, dg, pyproject, workspace_yaml
from codelocd.config.discovery import ConfigKind
from codelocd.config.document import Document, read_text
from codelocd.config.errors import ConfigError, Mistake
from codelocd.config.syntax import parse_toml, parse_yaml
from codelocd.core.config_files import PYPROJECT
from codelocd.model import Config

_Reader: TypeAlias = Callable[[Path, str, ReadingContext], Config]


def read(path: Path, surroundings: ReadingContext) -> Config:
    """What a file (absolute) asks for, read as its name or its keys say; ConfigError.

    Any other `.toml` is read as codelocd.toml; any other `.yaml` as dagster_cloud.yaml if it
    has `locations`, else as workspace.yaml.
    """
    text = read_text(path)
    return _reader(path, text)(path, text, surroundings)


def own_document(path: Path) -> Document | None:
    """The tables of a codelocd.toml or [tool.codelocd]; None for what is none, or no TOML."""
    try:
        text = read_text(path)
        if path.name != PYPROJECT:
            is_own = path.suffix == ".toml" and path.name != ConfigKind.DG_TOML
            return parse_toml(path, text) if is_own else None
        is_own = ConfigKind.TOOL_CODELOCD in discovery.tables(text)
        return parse_toml(path, text).table("tool", "codelocd") if is_own else None
    except ConfigError:
        return None


def _reader(path: Path, text: str) -> _Reader:
    if path.name == PYPROJECT:
        return _pyproject
    if path.name == ConfigKind.DG_TOML:
        return _dg
    if path.suffix == ".toml":
        return _codelocd
    if path.suffix in (".yaml", ".yml"):
        return _yaml(path, text)
    remedy = "name a .toml or .yaml file"
    raise ConfigError([Mistake(str(path), None, (), "is of no known kind", remedy)])


def _yaml(path: Path, text: str) -> _Reader:
    if path.stem in ("build", "dagster_cloud"):
        return cloud_yaml.read
    data = parse_yaml(path, text).data
    is_cloud = "locations" in data and "load_from" not in data
    return cloud_yaml.read if is_cloud else workspace_yaml.read


def _codelocd(path: Path, text: str, surroundings: ReadingContext) -> Config:
    return codelocd_toml.read(parse_toml(path, text), surroundings.environ)


def _dg(path: Path, text: str, surroundings: ReadingContext) -> Config:
    return dg.read(parse_toml(path, text), surroundings)


def _pyproject(path: Path, text: str, surroundings: ReadingContext) -> Config:
    document = parse_toml(path, text)
    kinds = discovery.tables(text)
    if ConfigKind.TOOL_CODELOCD in kinds:
        return codelocd_toml.read(document.table("tool", "codelocd"), surroundings.environ)
    is_dagster = ConfigKind.TOOL_DAGSTER in kinds
    dagster = document.table("tool", "dagster") if is_dagster else None
    if dagster is not None and (
        ConfigKind.TOOL_DG not in kinds or pyproject.names_code(dagster.data)
    ):
        return pyproject.read(dagster, surroundings)
    if ConfigKind.TOOL_DG in kinds:
        return dg.read(document.table("tool", "dg"), surroundings)
    known = (ConfigKind.TOOL_CODELOCD, ConfigKind.TOOL_DAGSTER, ConfigKind.TOOL_DG)
    what = "has none of {}, {} and {}".format(*known)
    raise ConfigError([Mistake(str(path), None, (), what, "add one, or name another file")])
