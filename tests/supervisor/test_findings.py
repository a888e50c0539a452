"""What `codelocd doctor` makes of what it sees."""

from __future__ import annotations

from typing import Any

import pytest

from codelocd.core import findings


@pytest.mark.parametrize(
    ("used", "most", "level"),
    [(10, 100, "ok"), (80, 100, "warning"), (100, 100, "problem"), (10, None, "ok")],
)
def test_a_limit_that_is_nearly_used_up_comes_with_what_raises_it(
    used: int, most: int | None, level: str
) -> None:
    found = findings.limit("inotify", "max_user_watches", used, most, "raise it")
    assert found.level == level
    assert found.then == ("" if level == "ok" else "raise it")


def test_locations_that_will_not_fit_into_a_limit_are_a_warning_before_they_run() -> None:
    coming = findings.Needs.of(50).files
    few = findings.descriptors(20, 256, "this shell", coming, "50 locations of the config")
    assert (few.level, few.then[:8]) == ("warning", "raise it")
    assert "20 of 256 used, and 50 locations of the config may need 580 more" in few.what
    assert findings.descriptors(20, 1024, "this shell", coming, "50").level == "ok"
    assert findings.descriptors(1024, 1024, "the daemon", 0, "").level == "problem"


def test_memory_that_is_too_little_for_the_locations_or_their_limits_is_a_warning() -> None:
    gib = 1024 * findings.MIB
    assert findings.memory(4 * gib, 50, [], 8 * gib).level == "ok"
    little = findings.memory(gib, 50, [], 8 * gib)
    assert "1.0 of 8.0 GiB available, and 50 locations with Dagster need 1.3 GiB" in little.what
    limits = findings.memory(4 * gib, 0, [6 * gib, 6 * gib, None], 8 * gib)
    assert (limits.level, limits.then) == ("warning", "lower `memory_limit`")


@pytest.mark.parametrize(("free", "level"), [(50, "problem"), (500, "warning"), (5000, "ok")])
def test_a_disk_without_room_is_in_the_way(free: int, level: str) -> None:
    assert findings.room("store", "/store", free * findings.MIB).level == level


def test_a_clock_that_differs_or_was_set_back_is_told() -> None:
    assert findings.clock(0.1, -5.0, "/state").level == "ok"
    assert "+60 s" in findings.clock(60.0, 0.0, "/state").what
    assert "set back" in findings.clock(0.0, 86400.0, "/state").what


def test_processes_of_a_daemon_that_ended_are_named_with_the_command_that_ends_them() -> None:
    (none,) = findings.orphans([])
    (some,) = findings.orphans([7, 9])
    assert none.level == "ok"
    assert some.then.endswith("`kill 7 9`")


def test_processes_that_wait_for_the_next_daemon_are_not_to_be_killed() -> None:
    (waiting,) = findings.orphans([], [(600.0, [7, 9])])
    assert waiting.what.endswith("wait for the next: 7 9")
    assert "it adopts those that serve; otherwise they end within 600 s" in waiting.then
    assert "kill" not in waiting.then
    assert len(list(findings.orphans([8], [(600.0, [7, 9])]))) == 2


def test_packages_of_dagster_from_two_releases_are_a_problem() -> None:
    def environment(*packages: str) -> dict[str, Any]:
        return {"key": "k" * 20, "used_by": ["sales"], "packages": list(packages)}

    (good,) = findings.dagsters([environment("dagster==1.9.0", "dagster-webserver==1.9.0")])
    (bad,) = findings.dagsters([environment("dagster==1.9.0", "dagster-webserver==1.8.0")])
    assert (good.level, good.what) == ("ok", "sales: dagster 1.9.0")
    assert (bad.level, bad.then) == ("problem", "pin them all to 1.9.0")
    assert list(findings.dagsters([environment("pandas==2.2.0")])) == []


def test_nothing_but_a_problem_makes_the_verdict_bad() -> None:
    found = [findings.pythons(["3.12.1"]), *findings.orphans([7])]
    assert findings.verdict(found)
    assert not findings.verdict([*found, findings.pythons([])])
