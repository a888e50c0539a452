"""Runs that Dagster launches, while their locations are replaced under them."""

from __future__ import annotations

import pytest

JOBS = """
import time
from pathlib import Path
import dagster as dg

@dg.op
def at_once(): ...

@dg.op
def until_told():
    while not Path({signal!r}).exists():
        time.sleep(0.05)

@dg.job
def quick():
    at_once()

@dg.job
def long():
    until_told()

@dg.asset
def {asset}(): ...

defs = dg.Definitions(assets=[{asset}], jobs=[quick, long])
"""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("release", ["newest", "1.9"])
def test_a_run_succeeds_one_in_progress_survives_a_reload_and_another_can_be_terminated(
    project, declare, page, tmp_path, release
):
    told = tmp_path / "told"
    declare(shop=release)
    (project / "shop.py").write_text(JOBS.format(signal=str(told), asset="one"))
    shown = page("shop")

    quick = shown.launch("shop", "quick")
    shown.until(lambda: shown.status(quick) == "SUCCESS")

    survivor, doomed = shown.launch("shop", "long"), shown.launch("shop", "long")
    for run in (survivor, doomed):
        shown.until(lambda run=run: shown.status(run) == "STARTED")
    before = shown.about()["servers"]["shop"]
    (project / "shop.py").write_text(JOBS.format(signal=str(told), asset="two"))
    shown.until(lambda: shown.assets() == {"two"})
    assert shown.about()["servers"]["shop"] != before
    assert [shown.status(run) for run in (survivor, doomed)] == ["STARTED", "STARTED"]

    shown.terminate(doomed)
    shown.until(lambda: shown.status(doomed) == "CANCELED")
    assert shown.status(survivor) == "STARTED"
    told.touch()
    shown.until(lambda: shown.status(survivor) == "SUCCESS")
    later = shown.launch("shop", "quick")
    shown.until(lambda: shown.status(later) == "SUCCESS")
