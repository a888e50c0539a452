"""The package works alike on every Python from 3.8 on, and costs little to import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.pythons import VERSIONS, interpreter

RUNNER = Path(__file__).parents[3] / "runner"
SMOKE = Path(__file__).with_name("smoke_of_codeloc.py")
HEAVY = ["typing", "inspect", "dataclasses", "re", "json", "difflib", "datetime", "zoneinfo"]


def run(python: Path | str, *arguments: str) -> Any:
    done = subprocess.run(
        [python, *arguments],
        env={"PATH": os.defpath, "PYTHONPATH": str(RUNNER), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@cache
def described_here() -> Any:
    return run(sys.executable, str(SMOKE))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_definitions_are_described_alike(version: str) -> None:
    assert run(interpreter(version), str(SMOKE)) == described_here()


def test_every_kind_is_among_them() -> None:
    kinds = {(each["repository"], each["kind"]) for each in described_here()}

    assert kinds == {
        *(("__repository__", kind) for kind in ("asset", "asset_check", "job")),
        *(("__repository__", kind) for kind in ("resource", "schedule", "sensor")),
        ("older", "asset"),
        ("older", "resource"),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_definitions_are_made_without_the_slow_parts_of_the_standard_library(version: str) -> None:
    code = f"""
import sys
before = set(sys.modules)
from codeloc import Definitions, asset, job, schedule
def one(context, *, limit=3): "Documented."
def two(one, db): "Documented."
tick = schedule(cron="@daily", job="j", timezone="Asia/Tokyo", name="tick")(one)
Definitions(
    assets=[asset(one), asset(two)], jobs=[job(name="j")(two)],
    schedules=[tick], resources={{"db": 1}},
).describe()
heavy = sorted((set(sys.modules) - before) & set({HEAVY}))
print("[" + ",".join('"' + name + '"' for name in heavy) + "]")
"""
    assert run(interpreter(version), "-S", "-c", code) == []
