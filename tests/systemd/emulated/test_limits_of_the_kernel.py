"""Limits that the kernel keeps, under the unit as it is installed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.systemd.box import Box, debian, own_release
from tests.systemd.emulated import machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> dict[str, Any]:
    """What became of locations that need more than they may have."""
    if reason := machine.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("machine")
    kernel = machine.kernel(folder / "kernel")
    if kernel is None:
        pytest.skip(f"apt has no {machine.PACKAGE} here")
    box = Box(folder, debian(own_release(), folder / "debian", "iproute2"))
    try:
        box.make()
        box.install(wheel)
        check = Path(__file__).with_name("check_limits.py").read_text()
        printed = machine.Machine(box.root, kernel, folder, check).run()
    finally:
        box.close()
        for each in folder.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
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
