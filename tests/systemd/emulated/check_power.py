"""Runs in the machine, twice. First it brings runs to where a power cut may meet them, and says
that it has; once the power is back it prints one line of what became of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codelocd.client import Client

PATIENCE = 1500.0
SRV = Path("/srv")
SOCKET = "/run/codelocd/control.sock"
CONFIG = """
[defaults]
start_timeout = "1h"
ping_timeout = "1h"
[runs]
max_concurrent = 5
[location.sales]
python_file = "/srv/sales.py"
start_method = "spawn"
"""
DROP_IN = "/etc/systemd/system/codelocd.service.d/test.conf"
UNIT = "[Service]\nTimeoutStartSec=infinity\nWatchdogSec=0\nReadWritePaths=/srv\n"
"""An emulated processor may take its time."""

SALES = '''
import os, time
from codeloc import Definitions, asset, job

def effect(name, waits=True):
    """On the disk, as the effect of a program that is careful."""
    file = os.open(f"/srv/effects-{name}", os.O_WRONLY | os.O_APPEND)
    os.write(file, b"x")
    os.fsync(file)
    while waits and not os.path.exists(f"/srv/go-{name}"):
        time.sleep(0.05)

@job
def lost(): effect("lost")
@job(retries=1, retry_delay=0.1)
def again(): effect("again")
@asset
def ended():
    effect("ended")
    return list(range(10000))
@job
def unheard(): effect("unheard")
@job
def before(): effect("before", waits=False)
@job
def queued(): effect("queued", waits=False)
@asset
def takes(ended):
    assert ended == list(range(10000))
defs = Definitions(assets=[ended, takes], jobs=[lost, again, unheard, before, queued])
'''
RUNS = ("lost", "again", "ended", "unheard", "before", "queued")
"""In the order of their numbers, from 1."""
UNHEARD, BEFORE, QUEUED = 4, 5, 6

HOLD = """
import os, sys, time
if sys.orig_argv[-1:] == ["run"]:  # of an attempt, whose order is in the folder of its run
    hold = "/srv/hold-" + os.path.basename(os.path.dirname(sys.orig_argv[-2]))
    while os.path.exists(hold):
        time.sleep(0.05)
"""
"""Holds an attempt before its first line, for as long as there is a file."""


def until(holds: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)
    return found


def called(method: str, **params: Any) -> Any:
    with Client(SOCKET, foreign=True) as client:
        return client.call(method, params)


def run(number: int) -> dict[str, Any]:
    found: dict[str, Any] = called("run_show", id=number)["run"]
    return found


def has_state(number: int, state: str) -> Callable[[], bool]:
    def holds() -> bool:
        found = run(number)
        return found["state"] == state and (state == "queued" or bool(found["attempts"][0]["pid"]))

    return holds


def started() -> None:
    """The service serves."""
    subprocess.run(["systemctl", "start", "codelocd.service"], check=True)
    until(lambda: called("status")["locations"][0]["state"] == "serving")


def effects(name: str) -> int:
    return len((SRV / f"effects-{name}").read_text())


def ends(pid: int) -> bool:
    """A stopped daemon has taken no notice of it."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def before_the_cut() -> None:
    SRV.chmod(0o777)
    (SRV / "sales.py").write_text(SALES)
    for number in (UNHEARD, BEFORE):
        (SRV / f"hold-{number}").touch()
    for name in RUNS:
        (SRV / f"effects-{name}").touch(0o666)
        (SRV / f"effects-{name}").chmod(0o666)
    site = Path(sysconfig.get_path("stdlib"), "sitecustomize.py")
    site.unlink(missing_ok=True)  # Debian's is a link
    site.write_text(HOLD)
    Path("/etc/codelocd").mkdir(exist_ok=True)
    Path("/etc/codelocd/codelocd.toml").write_text(CONFIG)
    Path(DROP_IN).parent.mkdir()
    Path(DROP_IN).write_text(UNIT)
    install = ("/opt/codelocd/bin/codelocd", "service", "install", "--yes")
    subprocess.run(install, check=True)
    started()
    (SRV / "cut").touch()
    os.sync()  # all of this is there again; of what follows, only what codelocd sees to
    for name in RUNS:
        params: dict[str, Any] = {"location": "sales", "names": [name]}
        called("run", **params)
    for number in (1, 2, 3):
        until(has_state(number, "running"))
    for number in (UNHEARD, BEFORE):
        until(has_state(number, "starting"))
    until(has_state(QUEUED, "queued"))
    shown = ("systemctl", "show", "-P", "MainPID", "codelocd.service")
    daemon = int(subprocess.run(shown, capture_output=True, text=True, check=True).stdout)
    ended = run(3)["attempts"][0]["pid"]
    os.kill(daemon, signal.SIGSTOP)  # the book has nothing of what follows
    (SRV / "hold-4").unlink()
    until(lambda: effects("unheard"))
    (SRV / "go-ended").touch()
    until(lambda: ends(ended))
    print("POWER-CUT", flush=True)
    time.sleep(PATIENCE)


def after_the_cut() -> None:
    for each in SRV.glob("hold-*"):
        each.unlink()
    (SRV / "go-again").touch()
    found = {name: effects(name) for name in RUNS}
    started()
    numbers = range(1, len(RUNS) + 1)
    until(lambda: all(run(number)["ended"] for number in numbers))
    with Client(SOCKET, foreign=True) as client:
        taken = client.call("run", {"location": "sales", "names": ["takes"], "wait": True})["run"]
    result = {
        "before": found,
        "effects": {name: effects(name) for name in RUNS},
        "runs": {name: run(number) for name, number in zip(RUNS, numbers, strict=True)},
        "taken": taken,
    }
    print("RESULT " + json.dumps(result), flush=True)


if (SRV / "cut").exists():
    after_the_cut()
else:
    before_the_cut()
