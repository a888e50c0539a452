"""A conda prefix is used as if it had been activated, and its scripts are asked once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codeloc_envs import Environment, EnvironmentProblem, Request, Specification, Store, choose


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """As conda leaves one, with a Python that runs."""
    prefix = tmp_path / "prefix"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").symlink_to(Path(sys.executable).resolve())
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta/history").touch()
    (prefix / "etc/conda/activate.d").mkdir(parents=True)
    return prefix


def script(prefix: Path, text: str, name: str = "one.sh") -> Path:
    file = prefix / "etc/conda/activate.d" / name
    file.write_text(text)
    return file


def wanted(prefix: Path, workplace: Path) -> Specification:
    return choose(Request(path=prefix), code=workplace).specification


def test_its_scripts_run_in_order_as_in_a_shell(
    prefix: Path, store: Store, workplace: Path
) -> None:
    script(prefix, 'export GDAL_DATA="$CONDA_PREFIX/share/gdal"\necho loud\n')
    script(prefix, 'export BOTH="${GDAL_DATA}:and two\nlines"\n', "two.sh")
    environment = store.build(wanted(prefix, workplace), print)
    assert environment.variables == {
        "CONDA_PREFIX": str(prefix),
        "GDAL_DATA": f"{prefix}/share/gdal",
        "BOTH": f"{prefix}/share/gdal:and two\nlines",
    }
    assert Environment.from_json(environment.to_json()) == environment


def test_they_are_asked_once_and_again_when_one_changes(
    prefix: Path, store: Store, workplace: Path, tmp_path: Path
) -> None:
    count = f"echo x >> {tmp_path}/asked\nexport A=1\n"
    script(prefix, count)
    specification = wanted(prefix, workplace)
    assert store.find(specification) is None
    store.build(specification, print)
    found = store.find(specification)
    assert found is not None
    assert found.variables["A"] == "1"
    assert (tmp_path / "asked").read_text() == "x\n"
    script(prefix, count + "export A=23\n")
    assert store.find(specification) is None
    assert store.build(specification, print).variables["A"] == "23"


def test_variables_that_conda_keeps_are_set(prefix: Path, store: Store, workplace: Path) -> None:
    (prefix / "conda-meta/state").write_text('{"env_vars": {"REGION": "eu"}}')
    assert store.build(wanted(prefix, workplace), print).variables["REGION"] == "eu"


def test_a_script_that_fails_is_a_problem_with_its_output(
    prefix: Path, store: Store, workplace: Path
) -> None:
    script(prefix, "echo no licence >&2\nfalse\n")
    with pytest.raises(EnvironmentProblem, match=f"activating {prefix} failed") as caught:
        store.build(wanted(prefix, workplace), print)
    assert "no licence" in caught.value.detail


def test_a_change_of_a_script_is_a_change_of_the_environments_inputs(
    prefix: Path, workplace: Path
) -> None:
    file = script(prefix, "export A=1\n")
    assert file in choose(Request(path=prefix), code=workplace).inputs
