"""The dagster.yaml that has runs launched by codelocd, and what is said where it cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from codelocd.dagster.instance import dagster_home
from codelocd.dagster.warm_launch import LAUNCHER, suit_release, what_to_write

QUEUED, NOT_QUEUED = Version("1.13.2"), Version("1.9.13")
"""Whose runs wait in a queue unless dagster.yaml says otherwise, and whose do not."""
EVERY_SECOND = {"dequeue_interval_seconds": 1}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def home_of(tmp_path: Path, project: Path, *, warm: bool = True) -> Path:
    return dagster_home({}, tmp_path / "state", project, warm=warm)


def read(home: Path) -> object:
    return yaml.safe_load((home / "dagster.yaml").read_text())


def test_the_projects_settings_hold_beside_the_launcher(tmp_path, project):
    home = home_of(tmp_path, project)
    assert (read(home), what_to_write(home, NOT_QUEUED)) == ({"run_launcher": LAUNCHER}, None)
    (project / "dagster.yaml").write_text("# ours\ntelemetry: {enabled: false}\n")
    home = home_of(tmp_path, project)
    assert read(home) == {"telemetry": {"enabled": False}, "run_launcher": LAUNCHER}
    before = (home / "dagster.yaml").stat().st_ino
    assert (home_of(tmp_path, project) / "dagster.yaml").stat().st_ino == before
    assert (project / "dagster.yaml").read_text().startswith("# ours")


def test_without_the_launcher_the_projects_file_is_linked_again(tmp_path, project):
    (project / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    home_of(tmp_path, project)
    home = home_of(tmp_path, project, warm=False)
    assert (home / "dagster.yaml").readlink() == project / "dagster.yaml"
    home_of(tmp_path, project)
    (project / "dagster.yaml").unlink()
    assert (home_of(tmp_path, project, warm=False) / "dagster.yaml").read_bytes() == b""


@pytest.mark.parametrize(
    "text", ["run_launcher: {module: a, class: B}\n", "- no map\n", "{ no: yaml\n"]
)
def test_a_file_that_names_a_launcher_or_is_wrong_is_left_and_told(tmp_path, project, text):
    (project / "dagster.yaml").write_text(text)
    home = home_of(tmp_path, project)
    assert (home / "dagster.yaml").read_text() == text
    assert "has to say run_launcher: {module: codeloc_runner." in str(
        what_to_write(home, NOT_QUEUED)
    )


def test_a_home_of_the_user_is_left_and_told(tmp_path, project):
    given = {"DAGSTER_HOME": str(tmp_path / "own")}
    home = dagster_home(given, tmp_path / "state", project, warm=True)
    assert list(home.iterdir()) == []
    assert str(home / "dagster.yaml") in str(what_to_write(home, NOT_QUEUED))
    module, name = LAUNCHER["module"], LAUNCHER["class"]
    (home / "dagster.yaml").write_text(f"run_launcher: {{module: {module}, class: {name}}}\n")
    assert what_to_write(home, NOT_QUEUED) is None


def test_the_queue_that_a_release_has_is_looked_at_each_second(tmp_path, project):
    home = home_of(tmp_path, project)
    suit_release(home, QUEUED)
    assert read(home) == {"run_launcher": LAUNCHER, "run_queue": EVERY_SECOND}
    assert what_to_write(home, QUEUED) is None
    assert read(home_of(tmp_path, project))["run_queue"] == EVERY_SECOND  # type: ignore[index]
    suit_release(home, NOT_QUEUED)
    assert read(home) == {"run_launcher": LAUNCHER}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"run_queue": {"max_concurrent_runs": 3}}, {"run_queue": {"max_concurrent_runs": 3}}),
        (
            {"run_coordinator": {"module": "dagster", "class": "QueuedRunCoordinator"}},
            {
                "run_coordinator": {
                    "module": "dagster",
                    "class": "QueuedRunCoordinator",
                    "config": {},
                }
            },
        ),
    ],
)
def test_a_queue_of_the_projects_is_looked_at_each_second(tmp_path, project, given, wanted):
    (project / "dagster.yaml").write_text(yaml.safe_dump(given))
    home = home_of(tmp_path, project)
    for queue in wanted.values():
        queue.get("config", queue).update(EVERY_SECOND)
    for release in (QUEUED, NOT_QUEUED):
        suit_release(home, release)
        assert read(home) == {**wanted, "run_launcher": LAUNCHER}


@pytest.mark.parametrize(
    "given",
    [
        {"run_queue": {"dequeue_interval_seconds": 9}},
        {"run_coordinator": {"module": "dagster", "class": "DefaultRunCoordinator"}},
    ],
)
def test_what_a_project_says_of_its_queue_stays(tmp_path, project, given):
    (project / "dagster.yaml").write_text(yaml.safe_dump(given))
    home = home_of(tmp_path, project)
    suit_release(home, QUEUED)
    assert read(home) == {**given, "run_launcher": LAUNCHER}
    assert what_to_write(home, QUEUED) is None


def test_of_a_file_of_the_users_is_told_that_runs_wait_in_the_queue(tmp_path, project):
    home = dagster_home({"DAGSTER_HOME": str(tmp_path / "own")}, tmp_path, project, warm=True)
    own = {"run_launcher": dict(LAUNCHER)}

    def told(release: Version, **more: object) -> str:
        (home / "dagster.yaml").write_text(yaml.safe_dump({**own, **more}))
        suit_release(home, release)
        assert read(home) == {**own, **more}
        return str(what_to_write(home, release))

    assert "run_queue: {dequeue_interval_seconds: 1} in" in told(QUEUED)
    assert told(NOT_QUEUED) == told(QUEUED, run_queue=EVERY_SECOND) == "None"
    assert "run_queue: {dequeue" in told(NOT_QUEUED, run_queue={"max_concurrent_runs": 3})
    coordinator = {"module": "dagster", "class": "QueuedRunCoordinator"}
    assert "with dequeue_interval_seconds: 1 in" in told(QUEUED, run_coordinator=coordinator)
