"""The process of a spare: what it imports, and how it becomes what it is ordered to be."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from codelocd.dagster.code_server import MODULES
from codelocd.dagster.servers import SCRIPT

DEADLINE = 60


@pytest.fixture(params=["newest", "1.9", "1.5"])
def python(request, dagster_environment) -> Path:
    folder: Path = dagster_environment(request.param)
    return folder / "bin" / "python"


def spare(python: Path, order: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, SCRIPT, "dagster", *MODULES],
        input=order,
        cwd="/",
        env=os.environ | {"DAGSTER_DISABLE_TELEMETRY": "yes"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def test_a_spare_waits_for_its_order_and_then_is_dagsters_command_line(python):
    order = json.dumps(
        {"directory": "/", "module": "dagster", "arguments": ["api", "grpc", "--help"]}
    )
    told = spare(python, order + "\n")
    assert (told.returncode, told.stderr) == (0, "")
    assert "api grpc" in told.stdout
    assert "--socket" in told.stdout


def test_a_spare_that_nobody_needs_ends_quietly(python):
    told = spare(python, "")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_a_spare_imports_what_it_is_given_and_passes_over_what_is_not_there(interpreter, tmp_path):
    (tmp_path / "tool.py").write_text("import sys; print('decimal' in sys.modules)")
    order = f'{{"module": "tool", "arguments": [], "directory": "{tmp_path}"}}\n'
    done = subprocess.run(
        [interpreter, SCRIPT, "no_such_module", "decimal"],
        input=order,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="the platform has no such policy")
def test_a_spare_gives_way_while_it_imports_and_no_longer(interpreter, tmp_path):
    looks = "import os; print(os.sched_getscheduler(0))"
    for name in ("preloaded", "tool"):
        (tmp_path / f"{name}.py").write_text(looks)
    done = subprocess.run(
        [interpreter, SCRIPT, "preloaded"],
        input=f'{{"module": "tool", "arguments": [], "directory": "{tmp_path}"}}\n',
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.stdout.split() == [str(os.SCHED_BATCH), str(os.SCHED_OTHER)]
