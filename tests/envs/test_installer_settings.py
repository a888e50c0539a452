"""What uv is told: pip's configuration where uv has none, and nothing that misleads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codeloc_envs.install.pip_settings import pip_settings
from codeloc_envs.install.uv_settings import (
    NO_INDEX,
    begin_of_uv_settings,
    settings_that_count,
    variables_for_uv,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def told(home: Path, variables: dict[str, str]) -> dict[str, str]:
    return variables_for_uv({"PIP_CONFIG_FILE": os.devnull, **variables}, home, Path("/cache"))


def test_an_empty_variable_of_uvs_is_one_that_is_not_set(home: Path) -> None:
    private = {"PIP_EXTRA_INDEX_URL": "https://own/simple"}
    assert told(home, {**private, "UV_EXTRA_INDEX_URL": ""}) == told(home, private)
    names = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_FIND_LINKS", "UV_CONFIG_FILE", "UV_OFFLINE")
    assert told(home, {**private, **dict.fromkeys(names, "")}) == told(home, private)


def test_files_of_pip_are_read_and_its_variables_win(home: Path) -> None:
    file = home / ".config/pip/pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[global]\nindex-url = https://file\ncert = /file.pem\n[install]\nno_index=1\n")
    found = pip_settings({"PIP_INDEX_URL": "https://variable"}, home)
    assert (found["index-url"], found["cert"]) == ("https://variable", "/file.pem")
    assert found["no-index"] == "1"


def test_a_later_file_wins_and_a_broken_one_is_passed_over(home: Path, tmp_path: Path) -> None:
    (home / ".pip").mkdir(parents=True)
    (home / ".pip/pip.conf").write_text("[global]\nindex-url = https://old\n")
    named = tmp_path / "named.conf"
    named.write_text("[global]\nindex-url = https://named\n")
    assert pip_settings({"PIP_CONFIG_FILE": str(named)}, home)["index-url"] == "https://named"
    named.write_text("no section\n")
    assert pip_settings({"PIP_CONFIG_FILE": str(named)}, home)["index-url"] == "https://old"


def test_pips_indexes_become_uvs_with_pips_strategy(home: Path) -> None:
    found = told(
        home,
        {
            "PIP_INDEX_URL": "https://one/simple",
            "PIP_EXTRA_INDEX_URL": "https://two/simple https://three/simple",
            "PIP_CERT": "/bundle.pem",
            "PIP_TRUSTED_HOST": "one two",
            "PIP_PROXY": "http://proxy:1",
        },
    )
    assert found["UV_DEFAULT_INDEX"] == "https://one/simple"
    assert found["UV_INDEX"] == "https://two/simple https://three/simple"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert found["SSL_CERT_FILE"] == "/bundle.pem"
    assert found["UV_INSECURE_HOST"] == "one two"
    assert found["ALL_PROXY"] == "http://proxy:1"


def test_local_places_that_are_not_there_are_left_out(home: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    found = told(
        home,
        {
            "PIP_EXTRA_INDEX_URL": f"file:///gone/simple {there.as_uri()}",
            "PIP_FIND_LINKS": f"/gone {there} https://example.org/links",
        },
    )
    assert found["UV_INDEX"] == there.as_uri()
    assert found["UV_FIND_LINKS"] == f"{there},https://example.org/links"
    assert "UV_FIND_LINKS" not in told(home, {"PIP_FIND_LINKS": "/gone"})


def test_pips_no_index_leaves_only_links(home: Path, tmp_path: Path) -> None:
    found = told(
        home,
        {
            "PIP_NO_INDEX": "true",
            "PIP_EXTRA_INDEX_URL": "https://two",
            "PIP_FIND_LINKS": str(tmp_path),
        },
    )
    assert (found["UV_DEFAULT_INDEX"], found["UV_INDEX"]) == (NO_INDEX, "")
    assert found["UV_FIND_LINKS"] == str(tmp_path)


def test_indexes_that_uv_is_configured_with_replace_pips(home: Path) -> None:
    found = told(home, {"PIP_INDEX_URL": "https://pip", "UV_DEFAULT_INDEX": "https://uv"})
    assert found["UV_DEFAULT_INDEX"] == "https://uv"
    assert "UV_INDEX_STRATEGY" not in told(
        home, {"UV_INDEX": "https://uv", "PIP_EXTRA_INDEX_URL": "https://pip"}
    )


@pytest.mark.parametrize(
    "name",
    ["UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_NO_CACHE", "VIRTUAL_ENV", "PYTHONPATH", "UV_TARGET"],
)
def test_what_would_mislead_the_installer_is_taken_away(home: Path, name: str) -> None:
    assert name not in told(home, {name: "1"})


def test_python_is_never_downloaded_and_the_cache_is_the_stores(home: Path) -> None:
    found = told(home, {"UV_PYTHON_DOWNLOADS": "automatic", "UV_CACHE_DIR": "/other"})
    assert found["UV_PYTHON_DOWNLOADS"] == "never"
    assert found["UV_CACHE_DIR"] == "/cache"
    assert found["UV_LINK_MODE"] == "hardlink"


def test_secrets_and_harmless_settings_are_no_part_of_a_key() -> None:
    variables = {
        "UV_INDEX_X_PASSWORD": "secret",
        "UV_HTTP_TIMEOUT": "9",
        "UV_CACHE_DIR": "/cache",
        "HOME": "/home",
        "UV_PRERELEASE": "allow",
        "CFLAGS": "-O3",
    }
    assert settings_that_count(variables) == {"UV_PRERELEASE": "allow", "CFLAGS": "-O3"}


STRANGER = 65533
only_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make a file of another user"
)


@only_root
@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml"])
@pytest.mark.parametrize("where", ["beside", "above"])
def test_planted_settings_of_uv_are_not_heeded(tmp_path: Path, name: str, where: str) -> None:
    """Where every user can write, each could name an index whose packages are then installed."""
    shared = tmp_path / "shared"
    project = shared if where == "beside" else shared / "project"
    project.mkdir(parents=True)
    shared.chmod(0o1777)
    settings = shared / name
    settings.write_text('[tool.uv]\nindex-url = "https://evil/simple"\n')
    os.chown(settings, STRANGER, -1)
    begin = begin_of_uv_settings(project)
    assert settings not in [folder / name for folder in (begin, *begin.parents)]
    os.chown(settings, 0, -1)
    assert begin_of_uv_settings(project) in (shared, project)


def test_a_pip_conf_beside_the_project_is_no_setting_of_pips(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    for folder in (project, tmp_path):
        for name in ("pip.conf", "pip.ini", ".pip/pip.conf", "pip/pip.conf"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("[global]\nindex-url = https://evil/simple\n")
    variables = {"XDG_CONFIG_DIRS": str(home)}
    assert "evil" not in repr(pip_settings(variables, home))
    assert "evil" not in repr(variables_for_uv(variables, home, Path("/cache")))
