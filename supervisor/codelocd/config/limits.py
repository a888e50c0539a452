"""Notes on the limits of runs that hold for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codelocd.core.nearest import advice
from codelocd.model import Config


def with_idle_limits(config: Config) -> Config:
    """The config, with a note on each limit of `[runs]` that no run of it can reach."""
    limits = config.runs
    if not (limits.locations or limits.jobs):
        return config
    return replace(config, notes=(*config.notes, *_idle(config)))


def _idle(config: Config) -> Iterator[str]:
    names = [spec.name for spec in config.locations]
    for kind, limits in (("locations", config.runs.locations), ("jobs", config.runs.jobs)):
        for name in limits:
            location, slash, _ = name.partition("/") if kind == "jobs" else (name, "/", "")
            if location not in names:
                what = f"there is no location {location!r}; {advice(location, names)}"
            elif not slash:
                what = "it names no job; write LOCATION/JOB"
            else:
                continue
            yield f"[runs] {kind}: {name!r} limits nothing: {what}"
