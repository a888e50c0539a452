"""Limits that the kernel keeps, under the unit as it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.systemd.emulated.conftest import Machines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def found(machines: Machines) -> dict[str, Any]:
    """What became of locations that need more than they may have."""
    with machines(Path(__file__).with_name("check_limits.py")) as emulated:
        printed = emulated.run()
    [line] = [line for line in printed.splitlines() if line.startswith("RESULT ")]
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return found


def test_a_location_over_memory_max_is_named_and_the_kernel_with_it(found: dict[str, Any]) -> None:
    problem = found["problems"]["hungry"]
    assert problem["kind"] == "limit", found
    assert problem["summary"].startswith(
        "the kernel ended the runner, which needed more than memory_limit = 100 MiB"
    )


def test_a_location_over_pids_max_is_named(found: dict[str, Any]) -> None:
    problem = found["problems"]["crowded"]
    assert problem["kind"] == "limit", found
    assert "tasks_limit = 40" in problem["summary"]


def test_the_service_and_its_other_locations_go_on(found: dict[str, Any]) -> None:
    assert found["states"]["sales"] == "serving"
    assert (found["service"], found["restarts"]) == ("active", "0")
    [group] = found["groups"]
    assert group.startswith("runner-")
