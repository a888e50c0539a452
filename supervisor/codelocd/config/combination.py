"""Joins several configs to one, in which every location has a name of its own. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path

from codelocd.config.errors import ConfigError, Mistake
from codelocd.config.location import clashes
from codelocd.model import Config, DaemonSettings, DagsterSettings, MetricsSettings


def file_names(paths: Iterable[Path], taken: Collection[str] = ()) -> dict[Path, str]:
    """For each absolute path its stem, or where that is not the only one, `FOLDER.STEM`.

    Those that are still alike, or `taken`, get more folders, as far as there are any.
    """
    names = {path: path.stem for path in paths}
    folders = {path: path.parent for path in names}
    while growing := [path for path in _alike(names, taken) if folders[path].name]:
        for path in growing:
            names[path] = f"{folders[path].name}.{names[path]}"
            folders[path] = folders[path].parent
    return names


def _alike(names: dict[Path, str], taken: Collection[str]) -> list[Path]:
    count = Counter([*names.values(), *set(taken)])
    return [path for path, name in names.items() if count[name] > 1]


def combined(configs: Iterable[Config]) -> Config:
    """All locations, files and notes; of the daemon's settings the first that say something."""
    parts = list(configs)
    dagster = [part.dagster for part in parts if part.dagster != DagsterSettings()]
    settings = [part for part in parts if part.daemon != DaemonSettings()]
    metrics = [part.metrics for part in parts if part.metrics != MetricsSettings()]
    unused = [
        f"{part.files[0]}: daemon has no effect here, that of {settings[0].files[0]} has"
        for part in settings[1:]
    ]
    return Config(
        locations=tuple(chain.from_iterable(part.locations for part in parts)),
        daemon=settings[0].daemon if settings else DaemonSettings(),
        dagster=dagster[0] if dagster else DagsterSettings(),
        metrics=metrics[0] if metrics else MetricsSettings(),
        files=tuple(dict.fromkeys(chain.from_iterable(part.files for part in parts))),
        looked_for=tuple(dict.fromkeys(chain.from_iterable(part.looked_for for part in parts))),
        notes=(*chain.from_iterable(part.notes for part in parts), *unused),
    )


def distinct(config: Config) -> Config:
    """The config itself; ConfigError where two locations have one name."""
    mistakes = [
        Mistake(
            later.declared_in,
            None,
            (),
            f'location "{later.name}" is also declared in {earlier.declared_in}',
            "give one of them another name",
        )
        for earlier, later in clashes(config.locations)
    ]
    if mistakes:
        raise ConfigError(mistakes, config.own)
    return config
