"""`codelocd status` of a daemon that is stopped, hangs or is dead: what is known without it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from codelocd.cli.connection import ANSWER_TIMEOUT
from codelocd.storage import last_status
from tests.end_to_end.daemons import CODELOCD, DEADLINE, Dev, StartDev, failed, native

CONFIG = '[location.sales]\npython_file = "defs.py"\n[location.broken]\npython_file = "broken.py"\n'


SLOW = "import os, time\nwhile os.path.exists('slow'):\n    time.sleep(0.05)\n"


@pytest.fixture
def daemon(dev: StartDev, project: Path) -> Dev:
    """Serves `sales`, fails with `broken`, and has written so."""
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "defs.py").write_text(native("orders", before="print('hello from sales')\n"))
    (project / "broken.py").write_text("1 / 0\n")
    started = dev()
    started.until_serving("sales")
    started.until("broken", failed)
    pid = started.entry("sales")["pid"]
    until_kept(started, lambda each: each["sales"]["pid"] == pid and each["broken"]["problem"])
    return started


def until_kept(daemon: Dev, holds: Callable[[dict[str, Any]], Any]) -> None:
    """Wait until the file holds entries of which that holds. It is replaced as a whole."""
    file, end = Path(f"{daemon.socket}.json"), time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if file.exists():
            locations = json.loads(file.read_text())["status"]["locations"]
            if holds({each["name"]: each for each in locations}):
                return
        time.sleep(0.05)
    raise AssertionError(f"{file} never held it")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_promise_15_a_stopped_daemon_does_not_keep_status_waiting(daemon: Dev) -> None:
    pid = daemon.process.pid
    truth = {each["name"]: each for each in daemon.json("status")["locations"]}
    with stopped(pid):
        began = time.monotonic()
        done = daemon.cli("status")
        assert time.monotonic() - began < ANSWER_TIMEOUT
        document = daemon.json("status", "sales")
    assert done.returncode == 3
    assert done.stderr.startswith(f"codelocd: the dev daemon of {daemon.project}, process {pid},")
    assert "is stopped: what follows is from its file of " in done.stderr
    assert f"`kill -CONT {pid}` lets it go on" in done.stderr
    rows = [line.split()[:2] for line in done.stdout.splitlines()[1:]]
    assert rows == [["broken", "failed"], ["sales", "serving"]]
    about, (sales,) = document["daemon"], document["locations"]
    assert (about["answers"], about["condition"], about["pid"]) == (False, "stopped", pid)
    assert about["age"] >= 0
    assert sales["uptime"] >= truth["sales"]["uptime"]
    moving = {"uptime", "phase_seconds", "last_answer", "memory", "cpu"}
    for name in sales.keys() - moving:
        assert sales[name] == truth["sales"][name], name
    assert daemon.json("status")["daemon"]["answers"] is True


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("show", "sales"), "1 asset"),
        (("show", "sales/orders"), "orders"),
        (("logs",), "hello from sales"),
        (("events", "-n", "5"), "sales"),
        (("status", "--watch"), "serving"),
        (("logs", "-f"), ""),
        (("definitions",), "orders"),
        (("definitions", "sales", "--kind", "asset", "--json"), '"orders"'),
    ],
)
def test_promise_15_what_is_on_disk_is_shown_of_a_daemon_that_does_not_answer(
    daemon: Dev, command: tuple[str, ...], shown: str
) -> None:
    with stopped(daemon.process.pid):
        began = time.monotonic()
        done = daemon.cli(*command)
        assert time.monotonic() - began < ANSWER_TIMEOUT
    assert done.returncode == 3, done.stderr
    assert shown in done.stdout
    assert shown or not done.stdout
    assert re.search(r"did not answer within 1\.5 s|is stopped", done.stderr)


def test_promise_15_what_only_reads_does_not_wait_for_a_daemon_that_is_stopped(
    daemon: Dev,
) -> None:
    with stopped(daemon.process.pid):
        for command in ("show sales --stacks", "call sales ping", "apply --dry-run"):
            done = daemon.cli(*command.split())
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1), command
            assert "is stopped; `kill -CONT" in done.stderr
        began = time.monotonic()
        environments = daemon.cli("env", "list", "--json")
        doctor = daemon.cli("doctor")
        assert time.monotonic() - began < 2 * ANSWER_TIMEOUT
    assert (environments.returncode, json.loads(environments.stdout)[0]["used_by"]) == (0, [])
    assert "did not answer within" in doctor.stdout


def test_promise_15_an_order_says_what_it_waits_for_and_is_carried_out_when_it_can_be(
    daemon: Dev,
) -> None:
    pid, former = daemon.process.pid, daemon.entry("sales")["generation"]
    reload: list[str | Path] = [CODELOCD, "reload", "sales"]
    with stopped(pid):
        waiting = subprocess.Popen(
            reload, cwd=daemon.project, env=daemon.environ, stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
    assert said == (
        f"waiting up to 8.5 s for the dev daemon of {daemon.project}, process {pid}, "
        f"which is stopped; `kill -CONT {pid}` lets it go on\n"
    )
    waiting.communicate(timeout=DEADLINE)
    assert waiting.returncode == 0
    assert daemon.entry("sales")["generation"] == former + 1


def test_promise_15_an_order_under_way_says_that_the_daemon_fell_silent(daemon: Dev) -> None:
    (daemon.project / "slow").touch()
    (daemon.project / "defs.py").write_text(native("orders", before=SLOW))
    daemon.until("sales", lambda entry: entry["reloading"] == "starting")
    waiting = subprocess.Popen(
        [CODELOCD, "start", "sales"],
        cwd=daemon.project,
        env=daemon.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    assert "waiting for" in waiting.stderr.readline()
    with stopped(daemon.process.pid):
        assert "waiting for the daemon, which does not answer (" in waiting.stderr.readline()
        (daemon.project / "slow").unlink()
    waiting.communicate(timeout=DEADLINE)
    assert waiting.returncode == 0


def test_promise_15_a_runner_that_ended_while_the_daemon_was_stopped_is_not_said_to_serve(
    daemon: Dev,
) -> None:
    runner = daemon.entry("sales")["pid"]
    with stopped(daemon.process.pid):
        os.kill(runner, signal.SIGKILL)
        (sales,) = daemon.json("status", "sales")["locations"]
    assert (sales["state"], sales["pid"], sales["uptime"]) == ("stopped", None, None)
    assert sales["problem"]["summary"] == f"its runner, process {runner}, is gone"
    daemon.until("sales", lambda entry: entry["state"] == "serving" and entry["pid"] != runner)


def test_promise_15_a_dead_daemon_leaves_its_last_status(daemon: Dev) -> None:
    daemon.stop(signal.SIGKILL)
    done = daemon.cli("status", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, "is gone: what follows is from its file" in done.stderr) == (3, True)
    assert (document["daemon"]["condition"], document["daemon"]["uptime"]) == ("gone", None)
    states = {each["name"]: each["state"] for each in document["locations"]}
    assert states == {"sales": "stopped", "broken": "failed"}
    unknown = daemon.cli("status", "sale")
    assert (unknown.returncode, 'did you mean "sales"?' in unknown.stderr) == (4, True)


def test_a_daemon_that_ended_in_good_order_is_only_said_to_be_absent(daemon: Dev) -> None:
    daemon.stop()
    done = daemon.cli("status")
    assert (done.returncode, done.stdout) == (3, "")
    assert "no dev daemon for" in done.stderr
    assert not Path(f"{daemon.socket}.json").exists()


def test_a_stopped_daemon_with_a_damaged_file_is_only_said_not_to_answer(daemon: Dev) -> None:
    with stopped(daemon.process.pid):
        Path(f"{daemon.socket}.json").write_text("")
        done = daemon.cli("status")
    assert (done.returncode, done.stdout) == (3, "")
    assert "did not answer within 1.5 s" in done.stderr


@pytest.mark.parametrize("content", ["", "[1, 2]", "{}", '{"version": 1, "status": 3}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    Path(last_status.beside(f"{tmp_path}/socket")).write_text(content)
    assert last_status.read(f"{tmp_path}/socket") is None


# --- one that is starting -----------------------------------------------------------------------

HELD = """
import os, sys, time

class Held:
    @staticmethod
    def find_spec(name, path=None, target=None):
        while name == "codelocd.daemon.service" and not os.path.exists({go!r}):
            time.sleep(0.01)

sys.meta_path.insert(0, Held)
"""


@pytest.fixture
def starting(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dev]:
    """It has yet to load, until a file `go` is beside its project."""
    (project / "codelocd.toml").write_text('[location.sales]\npython_file = "defs.py"\n')
    job = "@job\ndef nightly(): pass\n"
    (project / "defs.py").write_text(
        f"from codeloc import Definitions, job\n{job}defs = Definitions(jobs=[nightly])\n"
    )
    (tmp_path / "held").mkdir()
    held = HELD.format(go=str(project.parent / "go"))
    (tmp_path / "held" / "sitecustomize.py").write_text(held)
    with monkeypatch.context() as of_daemon:
        of_daemon.setenv("PYTHONPATH", str(tmp_path / "held"))
        started = Dev(project, tmp_path / "home", (), serves=False)
    del started.environ["PYTHONPATH"]
    yield started
    (project.parent / "go").touch()
    started.stop()


def waiting(daemon: Dev, *words: str) -> subprocess.Popen[str]:
    """The command, once it has said that it waits for the daemon."""
    pipe = subprocess.PIPE
    command = subprocess.Popen(
        [CODELOCD, *words],
        cwd=daemon.project,
        env=daemon.environ,
        stdout=pipe,
        stderr=pipe,
        text=True,
    )
    assert command.stderr is not None
    assert command.stderr.readline().endswith(f"{daemon.project}, which is starting\n")
    return command


def test_commands_wait_for_a_daemon_that_is_starting(starting: Dev) -> None:
    status, order = waiting(starting, "status"), waiting(starting, "run", "sales/nightly")
    (starting.project.parent / "go").touch()
    out, err = order.communicate(timeout=DEADLINE)
    assert (order.returncode, "succeeded" in out) == (0, True), err
    out, err = status.communicate(timeout=DEADLINE)
    assert "sales" in out, err


@pytest.mark.slow
def test_a_daemon_that_ends_while_it_starts_is_waited_for_no_longer(starting: Dev) -> None:
    status = waiting(starting, "status")
    starting.process.kill()
    _, err = status.communicate(timeout=DEADLINE)
    assert (status.returncode, "no dev daemon for" in err) == (3, True)


MANAGER = """
import socket, sys
open("/proc/self/comm", "w").write("systemd")
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listens", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="who listens is read from Linux's /proc")
def test_a_daemon_that_a_service_manager_starts_is_waited_for_as_long(tmp_path: Path) -> None:
    """The manager holds the socket, and starts the daemon at the first connection."""
    control, pipe = str(tmp_path / "control.sock"), subprocess.PIPE
    command = [str(CODELOCD), "--socket", control, "reload", "sales"]
    held = subprocess.Popen([sys.executable, "-c", MANAGER, control], stdin=pipe, stdout=pipe)
    with held:
        assert held.stdout is not None
        assert held.stdout.readline() == b"listens\n"
        waiting = subprocess.Popen(command, cwd=tmp_path, stderr=pipe, text=True)
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        held.kill()
    waiting.communicate(timeout=DEADLINE)
    assert said == "waiting up to 28.5 s for the daemon, which is started just now\n"
