"""What happens to a daemon when its runners, or itself, come to harm."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import psutil
import pytest

from codelocd.client import RpcError
from tests.end_to_end.daemons import DEADLINE, Dev, StartDev, failed, native, serving, stale


def test_a_killed_runner_is_back_by_itself(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    os.kill(daemon.entry("defs")["pid"], signal.SIGKILL)
    entry = daemon.until("defs", lambda each: serving(each) and each["restarts"] == 1)
    assert entry["generation"] == 2
    shown = daemon.json("show", "defs")
    assert shown["last_exit"]["signal"] == signal.SIGKILL
    assert not shown["last_exit"]["asked"]


def test_a_crash_loop_ends_and_says_so(dev: StartDev, project: Path) -> None:
    (project / "codelocd.toml").write_text(
        '[location.loop]\npython_file = "defs.py"\n'
        'restart_limit = { count = 2, period = "60s" }\n'
        'backoff = { initial = "1ms", maximum = "1ms" }\n'
    )
    (project / "defs.py").write_text("import os\nprint('last words', flush=True)\nos._exit(7)\n")
    daemon = dev()
    entry = daemon.until("loop", failed)
    assert entry["problem"]["kind"] == "crash"
    assert "exited with status 7 while it loaded the code" in entry["problem"]["summary"]
    assert "gave up after 3 failures" in entry["problem"]["summary"]
    assert entry["problem"]["detail"].count("last words") == 1, "those of the last try alone"
    (project / "defs.py").write_text(native("one"))
    daemon.until_serving("loop")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit(7)", "sys.exit(7)"),
        ("import os; os._exit(7)", "exited with status 7"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("raise ValueError('oh')", "ValueError: oh"),
        ("import nothing_like_it", "nothing_like_it"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_whatever_an_edit_does_at_import_the_old_definitions_stay(
    dev: StartDev, project: Path, code: str, words: str
) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    (project / "defs.py").write_text(f"{code}\n{native('two')}")
    entry = daemon.until("defs", stale)
    assert words in entry["problem"]["summary"]
    assert daemon.definitions() == ["asset one"]
    (project / "defs.py").write_text(native("three"))
    daemon.until("defs", serving)
    assert daemon.definitions() == ["asset three"]


def test_a_hang_at_import_is_dropped_at_once_by_the_fix(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    (project / "defs.py").write_text(f"print('hanging')\nwhile True: pass\n{native('two')}")
    daemon.until_printed("| hanging")
    assert daemon.definitions() == ["asset one"]
    (project / "defs.py").write_text(native("three"))
    daemon.until("defs", serving)
    assert daemon.definitions() == ["asset three"]


def test_a_load_that_never_ends_is_ended_and_the_problem_says_where_it_was(
    dev: StartDev, project: Path
) -> None:
    (project / "codelocd.toml").write_text(
        '[location.slow]\npython_file = "defs.py"\nstart_timeout = "500ms"\n'
    )
    (project / "defs.py").write_text("def wait():\n    while True: pass\n\nwait()\n")
    daemon = dev()
    entry = daemon.until("slow", failed)
    assert "start_timeout" in entry["problem"]["summary"]
    assert 'defs.py", line 2, in wait' in entry["problem"]["detail"]


def test_locations_that_hang_at_import_do_not_hold_up_a_good_one(
    dev: StartDev, project: Path
) -> None:
    hanging = [f"hang{number}" for number in range((os.cpu_count() or 1) + 1)]
    for name in hanging:
        (project / f"{name}.py").write_text("while True: pass\n")
    (project / "good.py").write_text(native("one"))
    targets = [part for name in (*hanging, "good") for part in ("-f", f"{name}.py")]
    daemon = dev(*targets)
    daemon.until_serving("good")
    assert {daemon.entry(name)["state"] for name in hanging} <= {"starting", "building"}


def test_no_call_fails_during_reloads(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("a0"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    calls = Calls(daemon)
    calls.start()
    for number in range(1, 11):
        (project / "defs.py").write_text(native(*(f"a{n}" for n in range(number + 1))))
        daemon.until("defs", partial(lambda n, e: serving(e) and e["generation"] == n + 1, number))
    calls.stop()
    assert calls.failures == []
    assert calls.answered > 10
    assert calls.generations == sorted(calls.generations)


class Calls(threading.Thread):
    """Calls `describe` about a hundred times a second until it is stopped."""

    def __init__(self, daemon: Dev) -> None:
        super().__init__()
        self.client = daemon.client()
        self.stopped = threading.Event()
        self.failures: list[RpcError] = []
        self.generations: list[int] = []

    @property
    def answered(self) -> int:
        return len(self.generations)

    def run(self) -> None:
        while not self.stopped.wait(0.01):
            try:
                answer = self.client.call("call", {"location": "defs", "method": "describe"})
                self.generations.append(answer["generation"])
            except RpcError as failure:
                self.failures.append(failure)

    def stop(self) -> None:
        self.stopped.set()
        self.join(DEADLINE)
        self.client.close()


def test_nothing_is_left_of_a_daemon_that_was_killed(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(
        native(
            "one",
            before="import subprocess\nsubprocess.Popen(['sleep', '600'])\n"
            "subprocess.Popen(['sleep', '600'], start_new_session=True)",
        )
    )
    (project / "codelocd.toml").write_text(
        '[location.serves]\npython_file = "defs.py"\n'
        '[location.builds]\npython_file = "defs.py"\n'
        f"environment = {{ packages = ['slow-to-build @ file://{slow_package(project)}'] }}\n"
    )
    daemon = dev("--verbose")
    daemon.until_serving("serves")
    daemon.until_printed("building slow-to-build")
    family = psutil.Process(daemon.process.pid).children(recursive=True)
    assert len(family) >= 5, "a runner with both children, a builder with its installer, guardian"
    daemon.process.kill()
    _, alive = psutil.wait_procs(family, timeout=DEADLINE)
    assert alive == []
    daemon.process.wait()
    left = sockets(daemon)
    (project / "codelocd.toml").write_text('[location.serves]\npython_file = "defs.py"\n')
    again = dev()
    again.until_serving("serves")
    assert left
    assert left.isdisjoint(sockets(again))


def sockets(daemon: Dev) -> set[str]:
    """Those of the runners of a project's daemons."""
    return {path.name for path in Path(daemon.socket).with_name("runners").glob("*.sock")}


def slow_package(project: Path) -> Path:
    """A source distribution whose build does not end."""
    package = project / "slow"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow_backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow-to-build"\nversion = "1"\n'
    )
    (package / "slow_backend.py").write_text(
        "import threading\n"
        "def get_requires_for_build_wheel(settings=None): return []\n"
        "def build_wheel(*arguments, **settings): threading.Event().wait()\n"
    )
    return package


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_good_order(
    dev: StartDev, project: Path, number: signal.Signals
) -> None:
    (project / "defs.py").write_text(
        native("one", before="import atexit\natexit.register(print, 'said goodbye', flush=True)")
    )
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    family = psutil.Process(daemon.process.pid).children(recursive=True)
    assert daemon.stop(number) == 0
    assert not any(process.is_running() for process in family)
    assert any("said goodbye" in line for line in daemon.printed)
    assert not Path(daemon.socket).exists()


def test_a_second_interrupt_ends_everything_at_once(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(
        native(
            "one",
            before="import atexit, threading\natexit.register(threading.Event().wait)\n"
            "atexit.register(print, 'leaving', flush=True)",
        )
    )
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    daemon.process.send_signal(signal.SIGINT)
    daemon.until_printed("| leaving")
    assert daemon.stop(signal.SIGINT) == 0


def test_stop_of_a_runner_that_has_to_be_killed_succeeds_and_says_so(
    dev: StartDev, project: Path
) -> None:
    (project / "codelocd.toml").write_text(
        '[location.deaf]\npython_file = "defs.py"\nstop_timeout = "200ms"\n'
    )
    (project / "defs.py").write_text(
        native(
            "one",
            before="import atexit, signal, threading\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "atexit.register(threading.Event().wait)",
        )
    )
    daemon = dev()
    daemon.until_serving("deaf")
    stopped = daemon.cli("stop", "deaf")
    assert stopped.returncode == 0, stopped.stderr
    said = "deaf stopped; its runner did not leave within stop_timeout = 0.2 s, and was killed"
    assert stopped.stdout.strip() == said


@pytest.mark.skipif(sys.platform != "linux", reason="the state is read from Linux's /proc")
def test_promise_7_a_runner_that_somebody_has_stopped_is_woken_to_leave(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    pid = daemon.until("defs", serving)["pid"]
    os.kill(pid, signal.SIGSTOP)
    stopped = daemon.cli("stop", "defs")
    assert stopped.returncode == 0, stopped.stderr
    assert "killed" not in stopped.stdout
    assert not Path(f"/proc/{pid}").exists()


def test_a_stopped_location_stays_stopped_for_the_next_daemon(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    assert daemon.cli("stop", "defs").returncode == 0
    assert daemon.definitions() == []
    daemon.stop()
    again = dev("-f", "defs.py")
    assert again.entry("defs")["state"] == "stopped"
    assert again.cli("start", "defs").returncode == 0
    assert again.definitions() == ["asset one"]


def test_a_daemon_that_starts_with_broken_code_lists_the_last_good_definitions(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    daemon.stop()
    (project / "defs.py").write_text("this is no python")
    again = dev("-f", "defs.py")
    entry = again.until("defs", failed)
    assert entry["stale"]
    assert again.definitions() == ["asset one"]
    (project / "defs.py").write_text(native("two"))
    again.until_serving("defs")
    assert again.definitions() == ["asset two"]


def test_a_runner_that_no_longer_answers_is_replaced(dev: StartDev, project: Path) -> None:
    (project / "codelocd.toml").write_text(
        '[location.hangs]\npython_file = "defs.py"\n'
        'ping_interval = "200ms"\nping_timeout = "500ms"\n'
    )
    (project / "defs.py").write_text(native("one"))
    daemon = dev()
    daemon.until_serving("hangs")
    first = daemon.entry("hangs")["pid"]
    os.kill(first, signal.SIGSTOP)
    entry = daemon.until("hangs", lambda each: serving(each) and each["pid"] != first)
    assert entry["restarts"] == 1
    events = daemon.cli("events", "-n", "50").stdout
    assert "did not answer a ping within 0.5 s" in events


def test_a_runner_that_takes_too_much_memory_is_ended_and_the_problem_says_so(
    dev: StartDev, project: Path
) -> None:
    (project / "codelocd.toml").write_text(
        '[location.greedy]\npython_file = "defs.py"\n'
        'ping_interval = "100ms"\nmemory_limit = "1MiB"\nrestart = "never"\n'
    )
    (project / "defs.py").write_text(native("one"))
    daemon = dev()
    entry = daemon.until("greedy", failed)
    assert entry["problem"]["kind"] == "limit"
    assert re.fullmatch(
        r"the runner used [\d.]+ MiB of memory, more than memory_limit = 1.0 MiB",
        entry["problem"]["summary"],
    )


def test_promise_9_a_second_daemon_on_one_state_ends_with_75_and_names_the_first(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    second = daemon.cli("dev", "-f", "defs.py")
    assert second.returncode == 75
    assert f"another daemon (pid {daemon.process.pid})" in second.stderr
    assert daemon.cli("status").returncode == 0
