"""Spares Dagster's databases in SQLite work that is the same each time, in the process of a run.

Each time that Dagster opens one it reads all scripts by which its format has changed, and makes an
engine of SQLAlchemy anew for each event that it stores.
"""

from __future__ import annotations

import sys

from ..load.sources import imported
from ..loaders.dagster_facts import fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


SQL = "dagster._core.storage.sql"
STORAGES = (
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
)
SCRIPTS: Dict[str, Any] = {}
"""By place; they are part of the Dagster that is imported."""


class ReadOnce:
    """In the place of alembic's ScriptDirectory, for Dagster alone."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def from_config(self, config: Any) -> Any:
        place = config.get_main_option("script_location")
        if place not in SCRIPTS:
            SCRIPTS[place] = self._made.from_config(config)
        return SCRIPTS[place]


class EnginesOnce:
    """In the place of SQLAlchemy's `create_engine`: an engine keeps the statements that it has
    compiled. None of these keeps a connection."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self._engines: Dict[str, Any] = {}

    def __call__(self, url: str, **options: Any) -> Any:
        named = f"{url} {options}"
        if fact(options.get("poolclass"), "__name__") != "NullPool":
            return self._made(url, **options)
        if named not in self._engines:
            self._engines[named] = self._made(url, **options)
        return self._engines[named]


def read_scripts() -> None:
    """Before a run, in the interpreter that it is to be a fork of; one that cannot reads them."""
    try:
        sql: Any = imported(SQL)
        config = sql.get_alembic_config(imported(STORAGES[1]).__file__)
        ReadOnce(sql.ScriptDirectory).from_config(config).as_revision_number("head")
    except Exception:  # noqa: BLE001  a release that has none of it
        SCRIPTS.clear()


def remember() -> None:
    """From now on, in this process; once. What a release does not have is passed over."""
    sql: Any = sys.modules.get(SQL)
    scripts = fact(sql, "ScriptDirectory")
    if scripts is not None and not isinstance(scripts, ReadOnce):
        sql.ScriptDirectory = ReadOnce(scripts)
    for name in STORAGES:
        storage: Any = sys.modules.get(name)
        made = fact(storage, "create_engine")
        if made is not None and not isinstance(made, EnginesOnce):
            storage.create_engine = EnginesOnce(made)
