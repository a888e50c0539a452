"""The blocks of docs/operations.md under a real systemd, from the start to a restored machine."""

from __future__ import annotations

import subprocess

import pytest

from tests.end_to_end.daemons import native, wait_for
from tests.end_to_end.test_operations_document import BLOCKS, until_backup
from tests.systemd.box import Box
from tests.systemd.test_under_systemd import CODE, CONFIG, Daemon, config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIRST = """cd /tmp
sudo() { "$@"; }
codelocd() {
    command codelocd "$@" || case "$*" in *status*|*doctor*) ;; *) return 1;; esac
}
"""
"""Who runs them in the box is root. `status` and `doctor` end with 1 for what they tell of."""


def run(box: Box, block: str) -> subprocess.CompletedProcess[str]:
    """Without pip's line: there is no index in the box."""
    lines = [line for line in block.splitlines() if "bin/pip " not in line]
    return box.run("bash", "-euo", "pipefail", "-c", FIRST + "\n".join(lines))


def test_a_machine_is_run_backed_up_and_restored_by_the_page(box: Box) -> None:
    for name in ("sales", "web", "models"):
        box.write(f"{CODE}/{name}.py", native(f"{name}_a", f"{name}_b"))
    box.write(CONFIG, config("sales", "web", "models"))
    box.run("codelocd", "service", "install", "--yes")
    daemon = Daemon(box)
    daily = until_backup()
    backup, restore, *others = BLOCKS[len(daily) :]
    for block in daily:
        run(box, block)
        daemon.until_serving("sales", "web", "models")
    runners = daemon.runners()
    pid = daemon.pid
    run(box, "codelocd --system upgrade")
    assert (daemon.pid, daemon.runners()) == (pid, runners)
    box.run("codelocd", "--system", "stop", "models")
    box.write(f"{CODE}/web.py", "def broken(")
    wait_for(lambda: daemon.locations()["web"]["stale"])
    run(box, backup)
    before = box.run("codelocd", "--system", "definitions").stdout

    run(box, "systemctl stop codelocd; rm -rf /etc/codelocd/* /var/lib/codelocd/*")
    run(box, restore)
    daemon.until_serving("sales")
    wait_for(lambda: daemon.locations()["web"]["state"] == "failed")
    assert box.run("codelocd", "--system", "definitions").stdout == before
    assert "web_b" in before
    assert daemon.locations()["models"]["state"] == "stopped"
    for block in others:
        run(box, block)
    run(box, "systemctl stop codelocd; codelocd service uninstall --yes")
