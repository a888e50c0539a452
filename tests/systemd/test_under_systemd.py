"""codelocd under a real systemd, installed as an administrator installs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import native, wait_for
from tests.systemd.box import Box

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SOCKET = "/run/codelocd/control.sock"
CODE = "/srv/code"
CONFIG = "/etc/codelocd/codelocd.toml"

SECRETIVE = """
import os
from codeloc import Definitions, asset
defs = Definitions(assets=[asset(lambda: None, name=f"has_{len(os.environ['KEY'])}")])
"""


def config(*names: str) -> str:
    return "\n".join(f'[location.{name}]\npython_file = "{CODE}/{name}.py"\n' for name in names)


class Daemon:
    """The daemon of one unit, as an administrator asks it."""

    def __init__(self, box: Box, unit: str = "codelocd.service", socket: str = SOCKET) -> None:
        self.box = box
        self.unit = unit
        self.socket = socket

    @property
    def pid(self) -> int:
        return int(self.box.show(self.unit, "MainPID"))

    def status(self) -> dict[str, Any]:
        done = self.box.run("codelocd", "--socket", self.socket, "status", "--json", check=False)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def locations(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.status()["locations"]}

    def runners(self) -> dict[str, int]:
        return {name: each["pid"] for name, each in self.locations().items() if each["pid"]}

    def until_serving(self, *names: str) -> dict[str, int]:
        """The pids of the runners, as soon as these locations serve."""
        wait_for(lambda: set(names) <= self.runners().keys())
        return self.runners()

    def until_another(self, pid: int) -> None:
        """Returns when another process than this is the unit's, and has said that it is ready."""
        wait_for(lambda: self.pid not in (0, pid) and self.is_active())
        assert self.status()["daemon"]["pid"] == self.pid

    def is_active(self) -> bool:
        return self.box.show(self.unit, "ActiveState") == "active"


@pytest.fixture(scope="module")
def installed(box: Box) -> Box:
    """codelocd with two locations, not started."""
    box.write(f"{CODE}/sales.py", native("orders"))
    box.write(f"{CODE}/ingest.py", native("raw_orders"))
    box.write(f"{CODE}/late.py", native("late"))
    box.write(f"{CODE}/crashes.py", "import os\nos._exit(3)\n")
    box.write(CONFIG, config("sales", "ingest"))
    done = box.run("codelocd", "service", "install", "--yes")
    assert "codelocd.service" in done.stdout
    return box


@pytest.fixture
def daemon(installed: Box) -> Iterator[Daemon]:
    """Not running, as installed; stopped again at the end."""
    installed.write(CONFIG, config("sales", "ingest"))
    yield Daemon(installed)
    installed.run("systemctl", "stop", "codelocd.socket", "codelocd.service")
    installed.run("systemctl", "reset-failed", "codelocd.socket", "codelocd.service", check=False)


def test_install_makes_the_user_and_units_that_systemd_takes(installed: Box) -> None:
    assert "/var/lib/codelocd" in installed.run("getent", "passwd", "codelocd").stdout
    for unit in ("codelocd.service", "codelocd.socket"):
        assert installed.show(unit, "LoadState") == "loaded"
    done = installed.run("codelocd", "service", "status", "--json")
    assert {each["file"] for each in json.loads(done.stdout)} == {"as written"}


def test_start_returns_when_the_daemon_answers(daemon: Daemon) -> None:
    daemon.box.run("systemctl", "start", daemon.unit)
    assert daemon.status()["daemon"]["pid"] == daemon.pid  # asked once, with no second try
    assert daemon.box.show(daemon.unit, "StatusText")
    daemon.until_serving("sales", "ingest")
    who = daemon.box.run("stat", "--format=%U", f"/proc/{daemon.runners()['sales']}")
    assert who.stdout == "codelocd\n"


def test_the_first_client_of_the_socket_starts_the_daemon(daemon: Daemon) -> None:
    daemon.box.run("systemctl", "start", "codelocd.socket")
    assert daemon.box.show(daemon.unit, "ActiveState") == "inactive"
    found = answers(ask_all_the_time(daemon))
    assert (found["answered"] >= 1, found["errors"]) == (True, [])
    wait_for(daemon.is_active)  # the socket answers a moment before


def test_a_command_waits_for_a_daemon_that_it_starts_however_long_that_takes(
    daemon: Daemon,
) -> None:
    drop_in = f"/run/systemd/system/{daemon.unit}.d/slow.conf"
    daemon.box.write(drop_in, "[Service]\nExecStartPre=/bin/sleep 4\n")
    daemon.box.run("systemctl", "daemon-reload")
    for command in ("status", "definitions"):
        daemon.box.run("systemctl", "stop", daemon.unit)
        daemon.box.run("systemctl", "start", "codelocd.socket")
        words = ["codelocd", "--socket", daemon.socket, command, "--json"]
        done = daemon.box.run(*words, check=False)
        assert done.returncode in (0, 1), done.stderr  # 1: locations are still loading
        assert json.loads(done.stdout), done.stderr
        assert "hangs" not in done.stderr
    daemon.box.run("rm", drop_in)
    daemon.box.run("systemctl", "daemon-reload")


def ask_all_the_time(daemon: Daemon) -> subprocess.Popen[str]:
    daemon.box.write("/opt/client.py", Path(__file__).with_name("client.py").read_text())
    client = daemon.box.start("/opt/codelocd/bin/python", "/opt/client.py", daemon.socket)
    assert client.stdout is not None
    assert client.stdout.readline() == "begins\n"
    return client


def answers(client: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = client.communicate("enough\n")
    found: dict[str, Any] = json.loads(said)
    return found


def test_no_client_is_refused_when_the_daemon_is_killed_and_runners_go_on(daemon: Daemon) -> None:
    daemon.box.run("systemctl", "start", "codelocd.socket", daemon.unit)
    runners = daemon.until_serving("sales", "ingest")
    client = ask_all_the_time(daemon)
    for _ in range(3):
        pid = daemon.pid
        daemon.box.run("kill", "-KILL", str(pid))
        daemon.until_another(pid)
    found = answers(client)
    # What a daemon was answering when it was killed is cut off; no connection is refused.
    assert len(found["errors"]) <= 3, found
    assert all("closed the connection" in each for each in found["errors"]), found
    assert found["answered"] > len(found["errors"])
    assert daemon.until_serving("sales", "ingest") == runners


def test_a_daemon_that_hangs_is_started_again_by_the_watchdog(daemon: Daemon) -> None:
    drop_in = f"/run/systemd/system/{daemon.unit}.d/watchdog.conf"
    daemon.box.write(drop_in, "[Service]\nWatchdogSec=3\n")
    daemon.box.run("systemctl", "daemon-reload")
    daemon.box.run("systemctl", "start", daemon.unit)
    runners = daemon.until_serving("sales", "ingest")
    pid = daemon.pid
    daemon.box.run("kill", "-STOP", str(pid))
    daemon.until_another(pid)
    assert daemon.until_serving("sales", "ingest") == runners
    assert int(daemon.box.show(daemon.unit, "NRestarts")) >= 1
    daemon.box.run("rm", drop_in)
    daemon.box.run("systemctl", "daemon-reload")


def test_reload_applies_the_config(daemon: Daemon) -> None:
    daemon.box.run("systemctl", "start", daemon.unit)
    runners = daemon.until_serving("sales", "ingest")
    daemon.box.write(CONFIG, config("sales", "late"))
    daemon.box.run("systemctl", "reload", daemon.unit)
    assert daemon.until_serving("late")["sales"] == runners["sales"]
    wait_for(lambda: "ingest" not in daemon.locations())
    before = set(daemon.locations())
    daemon.box.write(CONFIG, config("sales") + "nonsense = 1\n")
    refused = daemon.box.run("systemctl", "reload", daemon.unit, check=False)
    assert refused.returncode != 0
    wait_for(lambda: "the config is not applied" in daemon.box.show(daemon.unit, "StatusText"))
    assert (set(daemon.locations()), daemon.is_active()) == (before, True)


def test_the_journal_can_be_searched_by_location(daemon: Daemon) -> None:
    daemon.box.write(f"{CODE}/loud.py", "print('here I am', flush=True)\n" + native("loud"))
    daemon.box.write(CONFIG, config("sales", "loud"))
    daemon.box.run("systemctl", "start", daemon.unit)
    runners = daemon.until_serving("sales", "loud")

    def entries(*matches: str) -> list[dict[str, str]]:
        said = daemon.box.run("journalctl", "--output=json", *matches).stdout
        return [json.loads(line) for line in said.splitlines()]

    wait_for(lambda: entries("CODELOCD_LOCATION=loud", "CODELOCD_STREAM=stdout"))
    [line] = entries("CODELOCD_LOCATION=loud", "CODELOCD_STREAM=stdout")
    assert line["MESSAGE"] == "loud: here I am"
    assert line["_SYSTEMD_UNIT"] == daemon.unit
    events = entries("CODELOCD_LOCATION=loud", "CODELOCD_EVENT=loaded")
    assert [each["MESSAGE"] for each in events] == ["loud: loaded (serving)"]
    assert events[0]["CODELOCD_PID"] == str(runners["loud"])
    assert not [each for each in entries("_PID=" + str(daemon.pid)) if "Z [info" in each["MESSAGE"]]


def test_a_location_gets_a_credential_of_the_unit_and_nothing_else_shows_it(
    daemon: Daemon,
) -> None:
    secret = "hunter2-of-the-unit"
    box, drop_in = daemon.box, f"/run/systemd/system/{daemon.unit}.d/secret.conf"
    box.write(f"{CODE}/secretive.py", SECRETIVE)
    box.write(CONFIG, config("sales", "secretive") + 'env = { KEY = { credential = "key" } }\n')
    box.run("systemctl", "start", daemon.unit)
    wait_for(lambda: daemon.locations()["secretive"]["state"] == "failed")
    assert "LoadCredential=key:" in daemon.locations()["secretive"]["problem"]["summary"]

    box.write("/etc/codelocd/secrets/key", f"{secret}\n")
    box.run("chmod", "-R", "go=", "/etc/codelocd/secrets")
    box.write(drop_in, "[Service]\nLoadCredential=key:/etc/codelocd/secrets/key\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", daemon.unit)
    runners = daemon.until_serving("sales", "secretive")
    told = box.run("codelocd", "--socket", daemon.socket, "definitions").stdout
    assert f"has_{len(secret)}" in told
    pid = daemon.pid
    box.run("kill", "-KILL", str(pid))
    daemon.until_another(pid)
    assert daemon.until_serving("sales", "secretive") == runners
    said = box.run("journalctl", "--output=verbose", "--all").stdout
    titles = box.run("ps", "-eo", "args").stdout
    assert secret not in said + titles
    found = box.run("grep", "-rlF", secret, "/var/lib/codelocd", "/run/codelocd", check=False)
    assert found.stdout == ""
    box.run("rm", drop_in)
    box.run("systemctl", "daemon-reload")


def test_stop_leaves_nothing(daemon: Daemon) -> None:
    daemon.box.run("systemctl", "start", daemon.unit)
    daemon.until_serving("sales", "ingest")
    daemon.box.run("systemctl", "stop", daemon.unit)
    assert daemon.box.run("pgrep", "--uid", "codelocd", check=False).stdout == ""
    left = daemon.box.run("find", "/run/codelocd", "-type", "s", check=False).stdout
    assert left == ""
    assert daemon.box.show(daemon.unit, "Result") == "success"


def test_a_stop_before_the_daemon_can_heed_it_leaves_nothing_of_the_one_before(
    daemon: Daemon,
) -> None:
    """In place of the next daemon there is a process that SIGTERM ends, as it ends a Python that
    only begins."""
    drop_in = f"/run/systemd/system/{daemon.unit}.d/early.conf"
    daemon.box.run("systemctl", "start", daemon.unit)
    runners = daemon.until_serving("sales", "ingest")
    pid = daemon.pid
    daemon.box.write(drop_in, "[Service]\nExecStart=\nExecStart=/bin/sleep 1000\n")
    daemon.box.run("systemctl", "daemon-reload")
    daemon.box.run("kill", "-KILL", str(pid))
    wait_for(lambda: daemon.pid not in (0, pid))
    for runner in runners.values():
        daemon.box.run("kill", "-0", str(runner))
    daemon.box.run("systemctl", "stop", daemon.unit)
    assert daemon.box.run("pgrep", "--uid", "codelocd", check=False).stdout == ""
    assert daemon.box.show(daemon.unit, "Result") == "success"
    daemon.box.run("rm", drop_in)
    daemon.box.run("systemctl", "daemon-reload")


def test_a_location_that_takes_its_time_to_stop_is_not_cut_off(daemon: Daemon) -> None:
    drop_in = f"/run/systemd/system/{daemon.unit}.d/stop.conf"
    daemon.box.write(drop_in, "[Service]\nTimeoutStopSec=1\n")
    daemon.box.run("systemctl", "daemon-reload")
    slow = native("slow") + "import atexit, time\natexit.register(time.sleep, 3)\n"
    daemon.box.write(f"{CODE}/slow.py", slow)
    daemon.box.write(CONFIG, config("slow"))
    daemon.box.run("systemctl", "start", daemon.unit)
    daemon.until_serving("slow")
    daemon.box.run("systemctl", "stop", daemon.unit)
    assert daemon.box.show(daemon.unit, "Result") == "success"
    daemon.box.run("rm", drop_in)
    daemon.box.run("systemctl", "daemon-reload")


def test_a_location_that_crashes_takes_neither_unit_nor_socket_down(daemon: Daemon) -> None:
    daemon.box.write(CONFIG, config("sales", "crashes"))
    daemon.box.run("systemctl", "start", "codelocd.socket", daemon.unit)
    daemon.until_serving("sales")
    wait_for(lambda: daemon.locations()["crashes"]["state"] == "failed")
    for unit in ("codelocd.socket", daemon.unit):
        assert daemon.box.show(unit, "ActiveState") == "active"
    assert daemon.box.show(daemon.unit, "NRestarts") == "0"
    assert daemon.locations()["sales"]["state"] == "serving"


def test_two_instances_of_the_template_know_nothing_of_each_other(daemon: Daemon) -> None:
    box, found = daemon.box, []
    for name, location in (("shop", "sales"), ("lake", "ingest")):
        box.write(f"/etc/codelocd/{name}.toml", config(location))
        box.run("systemctl", "start", f"codelocd@{name}.service")
        one = Daemon(box, f"codelocd@{name}.service", f"/run/codelocd-{name}/control.sock")
        one.until_serving(location)
        found.append(one)
    assert [set(each.locations()) for each in found] == [{"sales"}, {"ingest"}]
    box.run("systemctl", "stop", "codelocd@shop.service")
    assert set(found[1].locations()) == {"ingest"}
    box.run("systemctl", "stop", "codelocd@lake.service")


def test_a_user_that_systemd_makes_up_adopts_its_runners(daemon: Daemon) -> None:
    drop_in = f"/run/systemd/system/{daemon.unit}.d/dynamic.conf"
    users = "User=codelocd-dynamic\nGroup=codelocd-dynamic\nDynamicUser=yes\n"
    daemon.box.write(drop_in, f"[Service]\n{users}StateDirectory=\nStateDirectory=dynamic\n")
    daemon.box.run("systemctl", "daemon-reload")
    daemon.box.run("systemctl", "start", daemon.unit)
    runners = daemon.until_serving("sales", "ingest")
    pid = daemon.pid
    who = daemon.box.run("stat", "--format=%u", f"/proc/{pid}").stdout
    assert 61184 <= int(who) <= 65519, "no number for users of systemd's own"
    daemon.box.run("kill", "-KILL", str(pid))
    daemon.until_another(pid)
    assert daemon.until_serving("sales", "ingest") == runners
    daemon.box.run("systemctl", "stop", daemon.unit)
    daemon.box.run("rm", drop_in)
    daemon.box.run("systemctl", "daemon-reload")


def test_a_user_installs_and_runs_a_service_of_their_own(daemon: Daemon) -> None:
    box = daemon.box
    box.run("useradd", "--create-home", "--uid", "4711", "anna")
    box.run("systemctl", "start", "user@4711.service")
    box.write("/home/anna/.config/codelocd/codelocd.toml", config("sales"))
    box.run("chown", "-R", "anna:", "/home/anna")
    become = ["setpriv", "--reuid=anna", "--regid=anna", "--init-groups", "env"]
    words = ["HOME=/home/anna", "XDG_RUNTIME_DIR=/run/user/4711", "PATH=/usr/local/bin:/usr/bin"]
    as_anna = [*become, *words]
    done = box.run(*as_anna, "codelocd", "service", "install", "--user", "--start", "--yes")
    assert "systemctl --user restart codelocd.service" in done.stdout

    def state() -> str:
        said = box.run(*as_anna, "codelocd", "--user", "status", "--json", check=False).stdout
        return str(json.loads(said)["locations"][0]["state"])

    wait_for(lambda: state() == "serving")
    box.run(*as_anna, "codelocd", "service", "uninstall", "--user", "--yes")
    assert box.run("pgrep", "--uid", "anna", "codelocd", check=False).stdout == ""
    box.run("systemctl", "stop", "user@4711.service")


def test_uninstall_leaves_no_unit(daemon: Daemon) -> None:
    daemon.box.write("/etc/codelocd/third.toml", config("sales"))
    daemon.box.run("systemctl", "start", daemon.unit)
    daemon.box.run("systemctl", "enable", "--now", "codelocd@third.service")
    daemon.box.run("codelocd", "service", "uninstall", "--yes")
    assert daemon.box.show(daemon.unit, "LoadState") == "not-found"
    assert daemon.box.run("pgrep", "--uid", "codelocd", check=False).stdout == ""
    left = daemon.box.run("find", "/etc/systemd/system", "-name", "codelocd*").stdout
    assert left == ""
    daemon.box.run("codelocd", "service", "install", "--yes")
