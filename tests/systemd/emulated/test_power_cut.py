"""What the book says of runs after a power cut: of an emulated machine, whose disk has lost all
that it had not been told to flush."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.systemd.emulated import machine
from tests.systemd.emulated.conftest import Machines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * machine.PATIENCE)]

Document = dict[str, Any]


@pytest.fixture(scope="module")
def found(machines: Machines) -> Document:
    """Runs by name, how often the code of each had begun, and a run that takes a value."""
    with machines(Path(__file__).with_name("check_power.py"), journal=True) as emulated:
        emulated.cut("POWER-CUT")
        printed = emulated.run()
    [line] = [line for line in printed.splitlines() if line.startswith("RESULT ")]
    result: Document = json.loads(line.removeprefix("RESULT "))
    return result


def ends(found: Document, name: str) -> tuple[str, list[str], int]:
    """The state of a run, those of its attempts, and how often its code has begun."""
    run = found["runs"][name]
    return run["state"], [each["state"] for each in run["attempts"]], found["effects"][name]


def test_what_waited_and_what_had_not_begun_starts_once(found: Document) -> None:
    assert found["before"]["before"] == found["before"]["queued"] == 0
    assert ends(found, "before") == ("succeeded", ["succeeded"], 1)
    assert ends(found, "queued") == ("succeeded", ["succeeded"], 1)


def test_what_was_in_user_code_is_lost_and_repeated_by_policy_alone(found: Document) -> None:
    assert ends(found, "lost") == ("lost", ["lost"], 1)
    assert ends(found, "again") == ("succeeded", ["lost", "succeeded"], 2)


def test_what_had_begun_unrecorded_does_not_happen_twice(found: Document) -> None:
    assert ends(found, "unheard") == ("lost", ["lost"], 1)


def test_a_result_counts_and_the_value_of_its_asset_is_there(found: Document) -> None:
    assert ends(found, "ended") == ("succeeded", ["succeeded"], 1)
    assert found["taken"]["state"] == "succeeded", found["taken"]
