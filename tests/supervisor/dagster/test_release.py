"""Which Dagster an environment has."""

from __future__ import annotations

import pytest
from packaging.version import Version

from codeloc_envs import EnvironmentProblem
from codelocd.dagster.instance import newest_of, release_in


@pytest.fixture
def executable(tmp_path):
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin" / "python"


def installed(executable, *names: str) -> None:
    for name in names:
        packages = executable.parent.parent / "lib" / "python3.12" / "site-packages"
        (packages / f"{name}.dist-info").mkdir(parents=True)


def test_the_release_is_read_from_the_environment(executable):
    installed(executable, "dagster-1.9.13", "dagster_shared-1.9.13", "dagster_webserver-1.9.13")
    found = release_in(executable)
    assert found is not None
    assert (found.version, found.python) == (Version("1.9.13"), "3.12")


def test_an_environment_without_dagster_has_none(executable):
    installed(executable, "dagster_shared-1.9.13", "pandas-2.2")
    assert release_in(executable) is None


def test_the_newest_of_several_environments_counts(executable, tmp_path_factory):
    other, bare = (tmp_path_factory.mktemp(name) / "bin" / "python" for name in ("other", "bare"))
    installed(executable, "dagster-1.10.0")
    installed(other, "dagster-1.9.13")
    assert newest_of([other, executable, bare]) == release_in(executable)


def test_it_is_said_when_the_last_dagster_was_uninstalled(executable):
    with pytest.raises(EnvironmentProblem, match="put it back into one"):
        newest_of([executable])
