"""What needs a newer systemd than 252: that of Debian 13, in a container of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemons import native, wait_for
from tests.systemd.box import ROOT, Box, debian

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SOCKET = "/run/codelocd/control.sock"
CONFIG = "/etc/codelocd/codelocd.toml"
DROP_IN = "/etc/systemd/system/codelocd.service.d/notify-reload.conf"


def config(*names: str) -> str:
    return "".join(f'[location.{name}]\npython_file = "/srv/defs.py"\n' for name in names)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("newer")
    below = debian("trixie", folder / "debian")
    box = Box(folder, below)
    try:
        box.make()
        box.install(wheel)
        box.boot()
        box.write("/srv/defs.py", native("orders"))
        box.write(CONFIG, config("sales"))
        box.run("codelocd", "service", "install", "--yes")
        box.write(DROP_IN, (ROOT / "systemd" / "drop-ins" / "notify-reload.conf").read_text())
        box.run("systemctl", "daemon-reload")
        yield box
    finally:
        box.close()
        shutil.rmtree(below)


def test_a_newer_systemd_has_nothing_to_say_about_the_units(newer: Box) -> None:
    assert int(newer.run("systemctl", "--version").stdout.split()[1]) >= 253
    units = ("codelocd.service", "codelocd.socket", "codelocd-ui.service", "codelocd@a.service")
    done = newer.run("systemd-analyze", "verify", *units)
    assert done.stdout + done.stderr == ""


def test_systemd_reloads_by_the_signal_and_waits_until_it_is_done(newer: Box) -> None:
    newer.run("systemctl", "start", "codelocd.service")
    wait_for(lambda: set(newer.serving(SOCKET)) == {"sales"})
    runners = newer.serving(SOCKET)
    newer.write(CONFIG, config("sales", "late"))
    newer.run("systemctl", "reload", "codelocd.service")
    done = newer.run("codelocd", "--system", "config", "show", CONFIG)
    assert "[location.late]" in done.stdout
    wait_for(lambda: set(newer.serving(SOCKET)) == {"sales", "late"})
    assert newer.serving(SOCKET)["sales"] == runners["sales"]
    newer.write(CONFIG, "[location.sales]\nnonsense = 1\n")
    newer.run("systemctl", "reload", "codelocd.service")
    wait_for(lambda: "not applied" in newer.show("codelocd.service", "StatusText"))
    assert set(newer.serving(SOCKET)) == {"sales", "late"}
    newer.run("systemctl", "stop", "codelocd.service")
