"""What is imported ahead of runs of Dagster's, and when."""

from __future__ import annotations

from pathlib import Path

from codelocd.daemon.runs.dagster_reports import BESIDE
from codelocd.runners.warm.pools import WarmPools


class NoChoices:
    """No location is there to choose for."""


def test_what_runs_import_is_added_to_what_is_preloaded_once() -> None:
    first = {"dagster": ("dagster._cli", "dagster._core.storage.root")}
    pools = WarmPools(
        None,  # type: ignore[arg-type]
        Path("/entry"),
        None,  # type: ignore[arg-type]
        NoChoices(),  # type: ignore[arg-type]
        idle=60.0,
        beside=first,
    )
    pools.preload_beside(BESIDE)
    preloaded = pools.beside["dagster"]
    assert preloaded[:2] == first["dagster"]
    assert set(preloaded) == {*first["dagster"], *BESIDE["dagster"]}
    assert len(set(preloaded)) == len(preloaded)
    pools.preload_beside(BESIDE)
    assert pools.beside["dagster"] is preloaded
