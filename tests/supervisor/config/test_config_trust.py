"""Configs that were found by searching, in folders that others decide about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.selection import choose
from codelocd import config
from codelocd.config.targets import Targets
from codelocd.process import accounts

if TYPE_CHECKING:
    from tests.supervisor.config.conftest import Folder

STRANGER = 65533
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make a file of another user"
)


@pytest.fixture
def foreign(folder):
    """A project of another user's, whose config runs their code."""
    folder.write("shop/codelocd.toml", '[location.sales]\npython_file = "defs.py"\n')
    for path in ("shop", "shop/codelocd.toml"):
        os.chown(folder.path / path, STRANGER, -1)
    return folder.path / "shop"


@pytest.fixture
def settings(folder):
    """Writes the user's own settings; gives the variables with which they count."""

    def write(text):
        folder.write("home/codelocd/codelocd.toml", text)
        return {"XDG_CONFIG_HOME": str(folder.path / "home")}

    return write


def found(folder, environ):
    return config.from_targets(Targets(), folder, environ).files


def test_that_of_another_user_is_not_taken_and_the_line_says_how_to_allow_it(foreign, settings):
    environ = settings("")
    (foreign / "inner").mkdir()
    for start in (foreign, foreign / "inner"):
        with pytest.raises(config.ConfigError) as caught:
            found(start, environ)
        assert str(caught.value) == (
            f"{foreign}/codelocd.toml: is not taken: {foreign} belongs to user {STRANGER}, and it "
            f'decides what is run as you (user 0); if you trust it, add "{foreign}" to `trusted` '
            f"under [daemon] in {environ['XDG_CONFIG_HOME']}/codelocd/codelocd.toml"
        )
        with pytest.raises(config.ConfigError):
            config.discover(start, environ)


@pytest.mark.parametrize("listed", ["{}", "{}/..", "*"])
def test_that_of_a_folder_in_the_own_settings_is_taken(foreign, settings, listed):
    text = listed.replace("{}/..", str(foreign.parent)).replace("{}", str(foreign))
    environ = settings(f'[daemon]\ntrusted = ["{text}"]\n')
    assert found(foreign, environ) == (foreign / "codelocd.toml",)


def test_settings_that_others_can_write_to_allow_nothing(foreign, settings):
    environ = settings('[daemon]\ntrusted = ["*"]\n')
    Path(environ["XDG_CONFIG_HOME"], "codelocd", "codelocd.toml").chmod(0o666)
    with pytest.raises(config.ConfigError):
        found(foreign, environ)


def test_a_config_cannot_allow_itself(foreign, settings, folder):
    (foreign / "codelocd.toml").write_text('[daemon]\ntrusted = ["*"]\n')
    with pytest.raises(config.ConfigError):
        found(foreign, settings(""))
    os.chown(foreign, 0, -1)
    os.chown(foreign / "codelocd.toml", 0, -1)
    [note] = folder.load("shop/codelocd.toml").notes
    assert note == "[daemon] trusted: has no effect but in your own settings"


def test_one_that_is_named_is_taken_and_the_daemon_says_who_else_decides(foreign, settings):
    assert config.load(foreign / "codelocd.toml", settings(""), activated=False).locations
    path = foreign / "codelocd.toml"
    said = config.remark(path, {})
    assert said == f"{path} decides what is run, and {foreign} belongs to user {STRANGER}"


def test_one_in_a_folder_that_everybody_writes_to_is_not_taken(folder, settings):
    folder.write("codelocd.toml", "")
    folder.path.chmod(0o777)
    with pytest.raises(config.ConfigError, match="others can write to"):
        found(folder.path, settings(""))
    folder.path.chmod(0o1777)
    assert found(folder.path, settings("")) == (folder.path / "codelocd.toml",)


def test_projects_that_a_group_shares_and_those_of_who_called_sudo_are_taken(
    foreign, settings, folder
):
    os.chown(foreign / "codelocd.toml", 0, STRANGER)
    os.chown(foreign, 0, STRANGER)
    foreign.chmod(0o2775)
    assert found(foreign, settings(""))
    os.chown(foreign, STRANGER, -1)
    assert found(foreign, {**settings(""), "SUDO_UID": str(STRANGER)})


class Shared:
    """A folder like the temporary one, in which another user plants what is searched for."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def __call__(self, name: str, text: str = "") -> Path:
        path = self.folder.write(name, text)
        for each in (path, *([path.parent] if path.parent != self.folder.path else [])):
            os.lchown(each, STRANGER, -1)
        return path


@pytest.fixture
def shared(folder: Folder) -> Shared:
    folder.write("defs.py", "")
    folder.path.chmod(0o1777)
    return Shared(folder)


def test_a_planted_env_file_is_refused(shared):
    shared(".env", "LD_PRELOAD=/evil.so\n")
    [line] = shared.folder.target_problems(python_files=["defs.py"])
    assert f".env belongs to user {STRANGER}" in line


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "uv.lock", "setup.py"])
def test_a_planted_project_file_is_refused(shared, name):
    text = '[project]\nname = "x"\nversion = "1"\ndependencies = ["evil"]\n'
    if name == "setup.py":
        text = "from setuptools import setup\nsetup(install_requires=['evil'])\n"
    shared(name, text)
    with pytest.raises(EnvironmentProblem, match=f"{name} belongs to user {STRANGER}"):
        choose(None, code=shared.folder.path / "defs.py")


def test_a_planted_environment_is_refused_and_that_of_the_codes_owner_is_not(shared):
    place = shared.folder.path
    shared(".venv/pyvenv.cfg", "home = /usr/bin\n")
    (place / ".venv/bin").mkdir()
    (place / ".venv/bin/python").symlink_to("/bin/sh")
    with pytest.raises(EnvironmentProblem, match=rf"\.venv belongs to user {STRANGER}"):
        choose(None, code=place / "defs.py")
    os.chown(place / "defs.py", STRANGER, -1)
    assert choose(None, code=place / "defs.py").specification.request.path == place / ".venv"


def test_only_root_may_ask_for_another_user(folder, monkeypatch):
    folder.write("codelocd.toml", '[location.a]\nmodule = "a"\nuser = "root"\n')
    assert folder.load("codelocd.toml").locations[0].user == "root"
    accounts.account.cache_clear()
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    [line] = folder.problems("codelocd.toml")
    assert line == (
        "codelocd.toml:3: location.a.user: is another user than that of codelocd, and only root "
        "may become one; run codelocd as root, or as that user, or remove the key"
    )
