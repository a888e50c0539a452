"""What hangs, what only seems to, and what a daemon that was itself held up makes of it."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from codelocd.process import identity
from tests.end_to_end.daemons import (
    DEADLINE,
    Dev,
    StartDev,
    failed,
    native,
    serving,
    wait_for,
)

CONFIG = """\
[location.sales]
python_file = "defs.py"
ping_interval = "200ms"
ping_timeout = "{timeout}"
stop_timeout = "1s"
{more}
"""

ON_SIGNAL = """\
import signal

def spin():
    {code}

signal.signal(signal.SIGUSR1, lambda *_: spin())
"""
IN_C, IN_PYTHON = "sum(range(10 ** 15))", "while True: pass"


def started(dev: StartDev, project: Path, code: str, timeout: str, more: str = "") -> Dev:
    """A daemon with one location whose main thread does `code` when it gets SIGUSR1."""
    (project / "codelocd.toml").write_text(CONFIG.format(timeout=timeout, more=more))
    (project / "defs.py").write_text(native("orders", before=ON_SIGNAL.format(code=code)))
    daemon = dev()
    daemon.until_serving("sales")
    return daemon


def stop(pid: int) -> None:
    since = identity.began(pid)
    assert since is not None
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: identity.state(pid, since) == "T")


def test_promise_5_a_c_call_that_holds_the_lock_ends_its_runner_and_the_problem_has_the_stacks(
    dev: StartDev, project: Path
) -> None:
    daemon = started(dev, project, IN_C, "1s", 'restart = "never"')
    os.kill(daemon.entry("sales")["pid"], signal.SIGUSR1)
    problem = daemon.until("sales", failed)["problem"]
    assert problem["kind"] == "unresponsive"
    what = "the runner did not answer a ping within 1 s (ping_timeout) (defs.py:"
    assert problem["summary"].startswith(what)
    assert "MainThread:\n" in problem["detail"]
    assert ", in spin" in problem["detail"]


def test_promise_5_a_stopped_runner_is_replaced_and_the_problem_says_that_it_was_stopped(
    dev: StartDev, project: Path
) -> None:
    daemon = started(dev, project, IN_PYTHON, "500ms", 'restart = "never"')
    stop(daemon.entry("sales")["pid"])
    problem = daemon.until("sales", failed)["problem"]
    assert (problem["kind"], "the process is stopped" in problem["detail"]) == (
        "unresponsive",
        True,
    )


def test_promise_5_an_endless_loop_in_python_still_answers_and_tells_its_stacks(
    dev: StartDev, project: Path
) -> None:
    daemon = started(dev, project, IN_PYTHON, "5s")
    first = daemon.entry("sales")
    os.kill(first["pid"], signal.SIGUSR1)
    wait_for(lambda: ", in spin" in daemon.cli("show", "--stacks", "sales").stdout)
    with daemon.client() as client:
        for _ in range(20):
            client.call("call", {"location": "sales", "method": "ping"}, timeout=DEADLINE)
    document = daemon.json("show", "--stacks", "sales")
    assert (document["pid"], document["note"]) == (first["pid"], "")
    (main,) = document["threads"]
    assert main["name"] == "MainThread"
    assert "in spin" in main["stack"][-1]
    now = daemon.entry("sales")
    assert (now["pid"], now["restarts"]) == (first["pid"], 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_promise_5_ten_minutes_at_full_load_end_no_runner(dev: StartDev, project: Path) -> None:
    daemon = started(dev, project, IN_PYTHON, "10s")
    first = daemon.entry("sales")
    os.kill(first["pid"], signal.SIGUSR1)
    spent, end = psutil.Process(first["pid"]).cpu_times().user, time.monotonic() + 600
    with daemon.client() as client:
        while time.monotonic() < end:
            client.call("call", {"location": "sales", "method": "ping"}, timeout=DEADLINE)
            time.sleep(0.1)  # what is looked at is that nothing happens meanwhile
    now = daemon.entry("sales")
    assert (now["pid"], now["restarts"]) == (first["pid"], 0)
    spent = psutil.Process(first["pid"]).cpu_times().user - spent
    print(f"the runner spent {spent:.0f} s of a processor in ten minutes")
    assert spent > 60, "it was busy for as long as the machine let it"


def test_promise_5_a_machine_that_stood_still_ends_no_runner(dev: StartDev, project: Path) -> None:
    """Daemon and runner are stopped together, and for longer than the runner may be silent."""
    daemon = started(dev, project, IN_PYTHON, "1s")
    runner = daemon.entry("sales")["pid"]
    for _ in range(2):
        os.kill(daemon.process.pid, signal.SIGSTOP)
        os.kill(runner, signal.SIGSTOP)
        time.sleep(1.5)  # what is looked at is that time passes
        os.kill(runner, signal.SIGCONT)
        os.kill(daemon.process.pid, signal.SIGCONT)
    with daemon.client() as client:
        for _ in range(10):
            client.call("call", {"location": "sales", "method": "ping"}, timeout=DEADLINE)
    now = daemon.entry("sales")
    assert (now["pid"], now["restarts"]) == (runner, 0)


SET_CLOCK = """\
import os, time

told, real = {file!r}, time.time

def moved():
    return real() + float(open(told).read() or 0)

time.time = moved
"""


def test_promise_8_a_clock_that_is_set_by_a_day_restarts_nothing_and_tells_no_wrong_uptime(
    dev: StartDev, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon alone sees another time of day; its runners do not get its PYTHONPATH."""
    offset, site = tmp_path / "offset", tmp_path / "site"
    offset.write_text("0")
    site.mkdir()
    (site / "sitecustomize.py").write_text(SET_CLOCK.format(file=str(offset)))
    monkeypatch.setenv("PYTHONPATH", str(site))
    daemon = started(dev, project, IN_PYTHON, "2s")
    first = daemon.entry("sales")
    for days in (0, -1, 1):
        draft = tmp_path / "draft"
        draft.write_text(str(days * 86400))
        draft.replace(offset)
        answers = answered(daemon)
        wait_for(partial(lambda former: answered(daemon) > former + 0.5, answers))
        now = daemon.entry("sales")
        assert (now["pid"], now["restarts"], now["state"]) == (first["pid"], 0, "serving")
        assert first["uptime"] <= now["uptime"] < 3600
    (project / "defs.py").write_text(native("more"))
    daemon.until("sales", lambda each: each["generation"] == 2)
    assert daemon.json("events", "-n", "1")["at"] > time.time() + 80000


def answered(daemon: Dev) -> float:
    """When the runner answered its last ping, in seconds since the daemon began."""
    document = daemon.status()
    (sales,) = document["locations"]
    uptime: float = document["daemon"]["uptime"]
    return uptime - float(sales["last_answer"] or uptime)


def test_user_code_that_closes_every_descriptor_goes_on_serving(
    dev: StartDev, project: Path
) -> None:
    (project / "codelocd.toml").write_text(CONFIG.format(timeout="5s", more=""))
    (project / "defs.py").write_text(native("orders", before="import os\nos.closerange(3, 1000)\n"))
    daemon = dev()
    daemon.until_serving("sales")
    first = daemon.entry("sales")
    with daemon.client() as client:
        for _ in range(5):
            client.call("call", {"location": "sales", "method": "ping"}, timeout=DEADLINE)
    assert serving(daemon.entry("sales"))
    assert daemon.entry("sales")["pid"] == first["pid"]
    os.kill(first["pid"], signal.SIGKILL)
    daemon.until("sales", lambda each: serving(each) and each["pid"] != first["pid"])
