"""Reads config files and command lines, and makes locations of them.

Importing this costs next to nothing: the parsers are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codelocd.config.errors import ConfigError, Mistake

if TYPE_CHECKING:
    from codelocd.config.discovery import Found
    from codelocd.config.examination import Choose
    from codelocd.config.rules import Pythons
    from codelocd.config.targets import Targets
    from codelocd.model import Config

__all__ = [
    "ConfigError",
    "Mistake",
    "describe",
    "discover",
    "examine",
    "from_targets",
    "json_schema",
    "load",
    "remark",
    "written",
]


def load(path: Path, environ: Mapping[str, str], *, activated: bool) -> Config:
    """What a config file asks for, whichever of the known formats it has.

    `environ` gives the values of variables that the file refers to; `activated` says whether
    the activated environment of the caller's shell may serve locations of Dagster's formats.
    Raises ConfigError with everything that is wrong.
    """
    from codelocd.config import formats
    from codelocd.config.dagster import ReadingContext
    from codelocd.config.limits import with_idle_limits
    from codelocd.config.location import distinct

    found = formats.read(path.absolute(), ReadingContext(environ, activated))
    return with_idle_limits(distinct(found))


def examine(
    path: Path, environ: Mapping[str, str], pythons: Pythons, choose: Choose
) -> tuple[Config | None, list[Mistake]]:
    """What a config file asks for, None where it cannot be used, and all that is wrong with it.

    Looks at what the file names, too: files, folders, requirements, Pythons. `pythons` are those
    of this machine, `choose` says what a location's environment is made of.
    """
    from functools import partial

    from codelocd.config import examination

    return examination.examine(
        path.absolute(), partial(load, path, environ, activated=True), pythons, choose
    )


def from_targets(targets: Targets, cwd: Path, environ: Mapping[str, str]) -> Config:
    """The locations that a command line names, or those of the config that `discover` finds.

    Its `env` and `python` hold for all of them. Raises ConfigError.
    """
    from codelocd.config import command_line

    return command_line.from_targets(targets, cwd, environ)


def discover(start: Path, environ: Mapping[str, str] | None = None) -> Found | None:
    """The config of the first folder, from `start` (absolute) upwards, that has any.

    With `environ` it is meant to be used: ConfigError where another user decides about it.
    """
    from codelocd.config import discovery

    found = discovery.discover(start)
    if found is not None and environ is not None:
        from codelocd.config import discovery

        discovery.check_found(found.path, environ)
    return found


def remark(path: Path, environ: Mapping[str, str]) -> str | None:
    """What to say of a config that was named, where another user can change it."""
    from codelocd.config import discovery

    return discovery.remark(path, environ)


def describe(config: Config) -> dict[str, Any]:
    """The config as a JSON document; values of variables that may be secret are null."""
    from codelocd.config import export

    return export.describe(config)


def written(config: Config) -> str:
    """The text of a codelocd.toml that asks for the same."""
    from codelocd.config import export

    return export.written(config)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of codelocd.toml."""
    from codelocd.config import export

    return export.json_schema()
