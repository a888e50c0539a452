"""Which folder is DAGSTER_HOME, and which dagster.yaml holds in it."""

from __future__ import annotations

import pytest

from codelocd.dagster.instance import dagster_home


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_a_home_that_the_user_set_is_made_and_otherwise_left_alone(tmp_path, project, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (project / "dagster.yaml").touch()
    home = dagster_home({"DAGSTER_HOME": "~/instance"}, tmp_path / "state", project)
    assert home == tmp_path / "instance"
    assert list(home.iterdir()) == []


def test_without_one_it_is_a_folder_in_the_state_directory(tmp_path, project):
    home = dagster_home({}, tmp_path / "state", project)
    assert home == tmp_path / "state" / "dagster"
    assert [(each.name, each.read_bytes()) for each in home.iterdir()] == [("dagster.yaml", b"")]


def test_the_dagster_yaml_of_the_project_holds_as_long_as_it_is_there(tmp_path, project):
    dagster_home({}, tmp_path, project)
    (project / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    home = dagster_home({}, tmp_path, project)
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    (project / "dagster.yaml").unlink()
    assert not (dagster_home({}, tmp_path, project) / "dagster.yaml").is_symlink()


def test_a_dagster_yaml_that_was_written_there_stays(tmp_path, project):
    (project / "dagster.yaml").touch()
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("{}\n")
    home = dagster_home({}, tmp_path, project)
    assert (home / "dagster.yaml").read_text() == "{}\n"
