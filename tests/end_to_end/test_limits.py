"""Limits of a location: fork bombs, open files, niceness, and their changes while it runs."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from pathlib import Path

import pytest

from codelocd.process import tasks
from tests.end_to_end.daemons import Dev, StartDev, failed, native, wait_for

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what processes there are is read from Linux's /proc"
)

CONFIG = """\
[location.sales]
python_file = "defs.py"
restart = "never"
{limits}
[location.other]
python_file = "other.py"
"""

BOMB = """\
import os, signal, time

def bomb(*_):
    for number in range(1500):
        if not os.fork():
            if number % 10 == 0:
                os.setsid()
            time.sleep(600)

"""
OVER = r"the runner had (\d+) tasks \(processes and threads\), more than tasks_limit = 40"


def started(dev: StartDev, project: Path, before: str, limits: str) -> Dev:
    (project / "codelocd.toml").write_text(CONFIG.format(limits=limits))
    (project / "defs.py").write_text(native("orders", before=before))
    (project / "other.py").write_text(native("weather"))
    daemon = dev()
    daemon.until_serving("other")
    return daemon


def bombing(project: Path) -> str:
    """Limits of a location whose processes alone bear a mark: no warm interpreter does."""
    return f'tasks_limit = 40\nstart_method = "spawn"\nenv = {{ BOMB = "{project}" }}'


def bombs(project: Path) -> list[str]:
    """The processes with that mark."""
    found, mark = [], f"BOMB={project}\0".encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += [name] if mark in Path(f"/proc/{name}/environ").read_bytes() else []
        except OSError:
            continue
    return found


def test_a_fork_bomb_at_import_ends_with_its_runner_and_harms_no_other(
    dev: StartDev, project: Path
) -> None:
    daemon = started(dev, project, f"{BOMB}bomb()\n", bombing(project))
    other = daemon.entry("other")["pid"]
    problem = daemon.until("sales", failed)["problem"]
    found = re.fullmatch(OVER, problem["summary"])
    assert found, problem
    assert (problem["kind"], int(found[1]) > 40) == ("limit", True)
    wait_for(lambda: not bombs(project))
    assert daemon.entry("other")["pid"] == other


def test_a_fork_bomb_of_a_runner_that_serves_ends_with_it(dev: StartDev, project: Path) -> None:
    daemon = started(dev, project, f"{BOMB}signal.signal(signal.SIGUSR1, bomb)\n", bombing(project))
    daemon.until_serving("sales")
    pid = daemon.entry("sales")["pid"]
    os.kill(pid, signal.SIGUSR1)
    problem = daemon.until("sales", failed)["problem"]
    assert problem["kind"] == "limit"
    assert re.match(OVER, problem["summary"])
    wait_for(lambda: not bombs(project))
    assert tasks.count(pid) == 0


@pytest.mark.slow
def test_a_fork_bomb_that_doubles_ends_with_its_runner(dev: StartDev, project: Path) -> None:
    """Two thousand processes at most, for the sake of who runs this test."""
    before = "import os, time\nfor _ in range(11):\n    os.fork()\ntime.sleep(600)\n"
    daemon = started(dev, project, before, bombing(project))
    other = daemon.entry("other")["pid"]
    problem = daemon.until("sales", failed)["problem"]
    assert problem["kind"] == "limit"
    wait_for(lambda: not bombs(project))
    assert daemon.entry("other")["pid"] == other


def test_files_beyond_the_limit_are_a_problem_of_kind_limit(dev: StartDev, project: Path) -> None:
    before = "files = [open('/dev/null') for _ in range(500)]\n"
    daemon = started(dev, project, before, "open_files = 100")
    problem = daemon.until("sales", failed)["problem"]
    assert problem["kind"] == "limit"
    assert problem["summary"].endswith("; open_files = 100")
    assert "Too many open files" in problem["summary"]


def test_other_limits_hold_for_what_runs_already(dev: StartDev, project: Path) -> None:
    before = (
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nprint('child', child.pid)\n"
    )
    daemon = started(dev, project, before, "open_files = 200\ncpu_weight = 50")
    daemon.until_serving("sales")
    pid = daemon.entry("sales")["pid"]
    child = int(daemon.json("logs", "sales", "-n", "1")["text"].split()[1])

    def held(one: int) -> tuple[int, int]:
        soft, _ = resource.prlimit(one, resource.RLIMIT_NOFILE)
        return os.getpriority(os.PRIO_PROCESS, one), soft

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [held(pid), held(child)] == [(4, 200), (4, 200)]
    (project / "codelocd.toml").write_text(CONFIG.format(limits="open_files = 300\nnice = 7"))
    wait_for(lambda: [held(pid), held(child)] == [(7, 300), (7, 300)])
    usual, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    (project / "codelocd.toml").write_text(CONFIG.format(limits=""))
    wait_for(lambda: held(pid)[1] == usual)
    if os.geteuid() == 0:  # only root may take niceness back
        assert held(pid)[0] == own
    (project / "codelocd.toml").write_text(CONFIG.format(limits="tasks_limit = 1"))
    assert daemon.until("sales", failed)["problem"]["kind"] == "limit"
