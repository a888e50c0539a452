"""`codelocd service`: which units there are, and what is done with them. What systemd makes of the
installed ones is in tests/systemd."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from codelocd.cli import units
from codelocd.cli.units import ServicePlace, launch_agent, unit_files
from tests import commands

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def texts(*, user: bool = False, program: str = "/srv/c/codelocd", config: str) -> dict[str, str]:
    place = ServicePlace(user, Path(program), Path(config), Path("/units"))
    return {each.path.name: each.text for each in unit_files(place)}


def lines(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_the_units_start_this_codelocd_with_that_config() -> None:
    found = texts(config="/srv/c/codelocd.toml")
    start = "/srv/c/codelocd serve --system -c /srv/c/codelocd.toml"
    assert lines(found["codelocd.service"], "ExecStart") == [start]
    found = texts(user=True, config="/home/a/codelocd.toml")
    start = "/srv/c/codelocd serve --user -c /home/a/codelocd.toml"
    assert lines(found["codelocd.service"], "ExecStart") == [start]


def test_what_a_killed_daemon_left_ends_with_the_same_program_and_config() -> None:
    guard = """/bin/sh -c 'test "$$EXIT_STATUS" != TERM || exec "$$0" "$$@"' """
    found = texts(config="/srv/c.toml")
    ends = "/srv/c/codelocd serve --system --end -c /srv/c.toml"
    assert lines(found["codelocd.service"], "ExecStopPost") == [guard + ends]
    ends = "/srv/c/codelocd serve --system --end -c /etc/codelocd/%i.toml"
    assert lines(found["codelocd@.service"], "ExecStopPost") == [guard + ends]
    found = texts(user=True, program="/srv/a b/codelocd", config="/srv/c.toml")
    ends = '"/srv/a b/codelocd" serve --user --end -c /srv/c.toml'
    assert lines(found["codelocd.service"], "ExecStopPost") == [guard + ends]


def test_a_path_that_systemd_would_read_otherwise_is_quoted() -> None:
    found = texts(program="/srv/a b/codelocd", config='/srv/50%/$x/"c".toml')
    start = r'"/srv/a b/codelocd" serve --system -c "/srv/50%%/$$x/\"c\".toml"'
    assert lines(found["codelocd.service"], "ExecStart") == [start]


def test_an_instance_shares_nothing_with_another_but_the_user() -> None:
    found = texts(config="/srv/c/codelocd.toml")
    service, socket = found["codelocd@.service"], found["codelocd@.socket"]
    start = "/srv/c/codelocd serve --system -c /etc/codelocd/%i.toml"
    assert lines(service, "ExecStart") == [start]
    assert lines(service, "StateDirectory") == lines(service, "RuntimeDirectory") == ["codelocd-%i"]
    assert "HOME=/var/lib/codelocd-%i" in lines(service, "Environment")
    assert lines(service, "User") == ["codelocd"]
    assert lines(socket, "ListenStream") == ["/run/codelocd-%i/control.sock"]


def test_an_edit_of_a_unit_is_noticed() -> None:
    for text in texts(config="/c").values():
        assert units.is_as_written(text)
        assert not units.is_as_written(text.replace("[Unit]", "[Unit]\n# mine"))
        assert not units.is_as_written(text + "\n[Service]\nNice=5\n")
    assert not units.is_as_written("[Unit]\n")


def test_launchd_gets_a_property_list(tmp_path: Path) -> None:
    place = ServicePlace(True, Path("/c/codelocd"), tmp_path / "c.toml", tmp_path)
    agent = plistlib.loads(launch_agent(place))
    config = str(tmp_path / "c.toml")
    assert agent["ProgramArguments"] == ["/c/codelocd", "serve", "--user", "-c", config]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}


class Home:
    """A home folder whose user has no manager of systemd running."""

    def __init__(self, folder: Path) -> None:
        self.units = folder / "config" / "systemd" / "user"
        self.unit = self.units / "codelocd.service"
        runtime = folder / "run"
        runtime.mkdir()
        self.environ = os.environ | {
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(runtime),
        }

    def service(self, *words: str) -> subprocess.CompletedProcess[str]:
        command, *rest = words
        return commands.run(["service", command, "--user", *rest], environ=self.environ)

    def state(self) -> str:
        rows = json.loads(self.service("status", "--json").stdout)
        return next(str(r["file"]) for r in rows if r["unit"].endswith("/codelocd.service"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@needs_systemd
def test_what_will_be_done_is_shown_and_a_dry_run_does_nothing(home: Home) -> None:
    done = home.service("install", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"write {home.unit}\n" in done.stdout
    assert "codelocd.toml is not there yet: the service needs it to start" in done.stderr
    assert not home.units.exists()
    done = home.service("install")
    assert done.returncode == 1
    assert "give --yes to do that without a terminal" in done.stderr
    assert not home.units.exists()


@needs_systemd
def test_units_are_installed_brought_up_to_date_and_removed(home: Home) -> None:
    assert home.service("status").returncode == 1
    assert home.service("install", "--yes").returncode == 0
    assert home.state() == "as written"
    assert home.service("install", "--yes").stdout == "nothing to do\n"
    done = home.service("install", "--yes", "--config", "/srv/other.toml")
    assert f"bring up to date {home.unit}\n" in done.stdout
    assert "-c /srv/other.toml\n" in home.unit.read_text()
    assert home.state() == "outdated"
    assert home.service("uninstall", "--yes").returncode == 0
    assert list(home.units.iterdir()) == []


@needs_systemd
def test_all_users_may_read_an_installed_unit_whatever_the_umask(home: Home) -> None:
    before = os.umask(0o077)
    try:
        assert home.service("install", "--yes").returncode == 0
    finally:
        os.umask(before)
    assert {stat.S_IMODE(unit.stat().st_mode) for unit in home.units.iterdir()} == {0o644}


@needs_systemd
def test_an_edited_unit_is_overwritten_only_by_force(home: Home) -> None:
    home.service("install", "--yes")
    edited = home.unit.read_text().replace("WatchdogSec=30", "WatchdogSec=60")
    home.unit.write_text(edited)
    assert home.state() == "edited"
    done = home.service("install", "--yes")
    assert done.stdout == "nothing to do\n"
    assert f"{home.unit} was edited: --force overwrites it" in done.stderr
    assert home.unit.read_text() == edited
    assert home.service("uninstall", "--yes").returncode == 0
    assert home.unit.read_text() == edited
    assert home.service("install", "--yes", "--force").returncode == 0
    assert home.state() == "as written"
    assert home.unit.with_name("codelocd.service.old").read_text() == edited


@pytest.mark.skipif(os.geteuid() != 0, reason="the units of the machine are root's to install")
@needs_systemd
def test_the_units_of_the_machine_pass_systemd_before_anything_is_written() -> None:
    done = commands.run(["service", "install", "--dry-run"])
    assert done.returncode == 0, done.stderr
