"""Which config `dev` without a target takes."""

from __future__ import annotations

import pytest

from codeloc_envs.project.neighbourhood import ROOT_MARKS
from codelocd import config
from codelocd.config.discovery import ConfigKind
from codelocd.core import config_files

FILES = {
    ConfigKind.CODELOCD_TOML: ("codelocd.toml", ""),
    ConfigKind.TOOL_CODELOCD: ("pyproject.toml", "[tool.codelocd]\n"),
    ConfigKind.DG_TOML: ("dg.toml", ""),
    ConfigKind.TOOL_DAGSTER: ("pyproject.toml", "[tool.dagster]\n"),
    ConfigKind.TOOL_DG: ("pyproject.toml", "[tool.dg]\n"),
    ConfigKind.WORKSPACE: ("workspace.yaml", ""),
    ConfigKind.WORKSPACE_YML: ("workspace.yml", ""),
    ConfigKind.BUILD: ("build.yaml", ""),
    ConfigKind.DAGSTER_CLOUD: ("dagster_cloud.yaml", ""),
}


def put(folder, kinds):
    for kind in kinds:
        name, text = FILES[kind]
        with (folder.path / name).open("a") as file:
            file.write(text)


@pytest.mark.parametrize("first", range(len(FILES)))
def test_the_first_in_the_order_of_the_contract_is_taken_and_the_others_are_named(folder, first):
    present = list(ConfigKind)[first:]
    put(folder, present)
    found = config.discover(folder.path)
    assert found is not None
    assert found.taken.kind is present[0]
    assert [other.kind for other in found.others] == present[1:]


def test_the_first_folder_upwards_that_has_any_is_taken(folder):
    put(folder, [ConfigKind.CODELOCD_TOML])
    inner = folder.path / "a"
    deepest = inner / "b" / "c"
    deepest.mkdir(parents=True)
    (inner / "dagster_cloud.yaml").touch()
    found = config.discover(deepest)
    assert found is not None
    assert (found.path, found.folder) == (inner / "dagster_cloud.yaml", inner)


def test_a_pyproject_without_our_tables_is_not_one(folder):
    put(folder, [ConfigKind.WORKSPACE])
    folder.write("sub/pyproject.toml", "[project]\nname = 'tool'\n[tool.ruff]\n")
    found = config.discover(folder.path / "sub")
    assert found is not None
    assert found.path == folder.path / "workspace.yaml"


def test_a_broken_pyproject_counts_by_its_headers_so_that_its_mistake_is_seen(folder):
    folder.write("pyproject.toml", "[tool.codelocd.location.a]\nmodule = \n")
    found = config.discover(folder.path)
    assert found is not None
    assert found.taken.kind is ConfigKind.TOOL_CODELOCD
    assert folder.problems("pyproject.toml") == [
        "pyproject.toml:2: is not valid TOML: Invalid value; correct the syntax there"
    ]


def test_a_candidate_names_its_file_and_its_table(folder):
    put(folder, [ConfigKind.TOOL_DAGSTER, ConfigKind.WORKSPACE])
    found = config.discover(folder.path)
    assert found is not None
    assert [str(each) for each in (found.taken, *found.others)] == [
        f"{folder.path}/pyproject.toml [tool.dagster]",
        f"{folder.path}/workspace.yaml",
    ]


def test_a_folder_with_the_name_of_a_config_is_none(folder):
    (folder.path / "codelocd.toml").mkdir()
    put(folder, [ConfigKind.BUILD])
    found = config.discover(folder.path)
    assert found is not None
    assert found.taken.kind is ConfigKind.BUILD


def test_where_nothing_is_found_the_error_names_the_folder(folder, monkeypatch):
    monkeypatch.setattr("codelocd.config.command_line.discover", lambda _: None)
    assert folder.target_problems() == [
        (
            f"command line: names no target, and neither {folder.path} nor a folder above it has "
            "a config; add -f FILE or -m MODULE"
        )
    ]


def test_a_pyproject_named_without_our_tables_is_an_error(folder):
    folder.write("pyproject.toml", "[project]\n")
    assert folder.problems("pyproject.toml") == [
        (
            "pyproject.toml: has none of [tool.codelocd], [tool.dagster] and [tool.dg]; "
            "add one, or name another file"
        )
    ]


def test_the_folder_of_dgs_own_environment_is_passed_over(folder):
    folder.write("dg.toml", "[workspace]\n")
    folder.write("deployments/local/pyproject.toml", '[tool.dg]\ndirectory_type = "deployment"\n')
    found = config.discover(folder.path / "deployments" / "local")
    assert found is not None
    assert found.path == folder.path / "dg.toml"


def test_the_files_at_which_the_search_for_an_environment_ends_are_those_of_configs() -> None:
    """The environments know nothing of the daemon's formats: they have the names themselves."""
    assert set(ROOT_MARKS) - {".git"} <= {*config_files.FILES, config_files.PYPROJECT}
