"""The dagster.yaml that has runs launched by codelocd, and what is said where it cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from codelocd.dagster.instance import dagster_home
from codelocd.dagster.warm_launch import LAUNCHER, why_not


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
    assert (read(home), why_not(home)) == ({"run_launcher": LAUNCHER}, None)
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
    assert "has to say run_launcher: {module: codeloc_runner." in str(why_not(home))


def test_a_home_of_the_user_is_left_and_told(tmp_path, project):
    given = {"DAGSTER_HOME": str(tmp_path / "own")}
    home = dagster_home(given, tmp_path / "state", project, warm=True)
    assert list(home.iterdir()) == []
    assert str(home / "dagster.yaml") in str(why_not(home))
    module, name = LAUNCHER["module"], LAUNCHER["class"]
    (home / "dagster.yaml").write_text(f"run_launcher: {{module: {module}, class: {name}}}\n")
    assert why_not(home) is None
