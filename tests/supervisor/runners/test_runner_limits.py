"""Limits that a runner is told: they hold before its code runs, however it was started."""

from __future__ import annotations

from pathlib import Path

import pytest

from codelocd.model import StartMethod
from tests.supervisor.runners.launching import Bench, installed, telling

HELD = """
import plain, os, resource
told = [os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]
"""


@pytest.mark.parametrize("method", ["spawn", "spare", "fork"])
async def test_limits_hold_before_user_code_however_it_starts(
    bench: Bench, extreme: Path, packages: Path, method: StartMethod
) -> None:
    (packages / "plain.py").write_text("")
    plain = installed(bench, extreme, packages, telling(HELD))
    first = await bench.load(plain, method)
    spec = installed(bench, extreme, packages, telling(HELD), nice=9, open_files=321)
    limited = await bench.load(spec, method)
    assert (limited.runner.start_method, limited.told) == (method, [9, 321])
    again = await bench.load(plain, method)
    assert again.told == first.told


async def test_what_the_system_refuses_is_said(bench: Bench, newest: Path) -> None:
    told = telling("told = 1")
    await bench.load(bench.spec(newest, told, open_files=10**9), "spawn")
    assert "open_files = 1000000000 is refused: " in "".join(bench.printed)
