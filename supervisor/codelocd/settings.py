"""Settings of a config that no part of the daemon but their own knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DRAIN_TIMEOUT = 600.0
"""Seconds for runs at the end of a service, where the config says nothing else."""


@dataclass(frozen=True, slots=True)
class RunsSettings:
    """The `[runs]` table: how many runs go on at a time, and what is kept of those that ended.

    `max_concurrent` None: as many as there are cores. `locations`, `jobs`, `tags`: how many of a
    location, of a `LOCATION/JOB`, with a tag (`NAME` or `NAME=VALUE`). `drain_timeout`: seconds for
    runs when the daemon ends; None: DRAIN_TIMEOUT for a service, 0 under `dev`. `keep`: seconds for
    which a run is kept that has ended, and of these not more than `keep_runs`. `tick`: whether a
    service starts what schedules and sensors start.
    """

    max_concurrent: int | None = None
    locations: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    drain_timeout: float | None = None
    keep: float = 30 * 86400.0
    keep_runs: int = 10_000
    tick: bool = True


NO_RUNS = RunsSettings()
"""Those of a config that says nothing of runs."""
