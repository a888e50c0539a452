"""Code that is hostile by accident: the runner keeps answering, the code keeps what is its own."""

from __future__ import annotations

import json
import os

import pytest

GOOD = """
from codeloc import Definitions, asset

@asset
def orders(): ...

defs = Definitions(assets=[orders])
"""
TIMEOUTS = {"7": 2, "271": 2, "202": 3, "73": 2, "98": 3}
"""Where poll, ppoll and futex of x86-64, then of AArch64, have theirs."""
FOR_EVER = ("0xffffffff", "0xffffffffffffffff", "0x0")
"""-1 in half of a register or, since glibc 2.43, in all of it; NULL."""


def test_closing_every_descriptor_is_survived(run, python):
    assert run(python, "import os\nos.closerange(3, 65536)\n" + GOOD).assets() == ["orders"]


def test_a_caller_that_waits_while_descriptors_are_closed_is_told_to_come_again(run, code, python):
    source = """
import os, pathlib, time
while not pathlib.Path("go").exists():
    time.sleep(0.01)
os.closerange(3, 65536)
"""
    runner = run(python, source + GOOD)
    connection = runner.connect()
    connection.send("snapshot")
    assert connection.call("ping") == {}
    (code / "go").touch()
    assert connection.is_closed()
    assert runner.assets() == ["orders"]


def test_descriptors_that_code_reuses_are_never_written_to_nor_closed(run, code, python):
    source = """
import os, pathlib, time
while not pathlib.Path("go").exists():
    time.sleep(0.01)
os.closerange(3, 65536)
files = [open(f"own-{number}", "w") for number in range(20)]
"""
    check = """
def check():
    for file in files:
        file.write("mine")
        file.close()
    return defs
"""
    runner = run(python, source + GOOD + check, attribute="check")
    connections = [runner.connect() for _ in range(5)]
    for connection in connections:
        connection.send("snapshot")
        assert connection.call("ping") == {}
    (code / "go").touch()
    assert all(connection.is_closed() for connection in connections)
    assert runner.assets() == ["orders"]
    assert {file.read_text() for file in code.glob("own-*")} == {"mine"}


def test_a_flood_of_output_disturbs_no_call(run, python):
    source = "for _ in range(20): print('x' * 1_000_000)\n"
    runner = run(python, source + GOOD)
    assert runner.call("ping") == {}
    assert runner.assets() == ["orders"]
    assert len(runner.printed()) == 20_000_020


def test_what_is_printed_arrives_line_by_line_in_utf_8(run, code, python):
    source = "import sys\nprint('Straße \\ud800')\nprint('to stderr', file=sys.stderr)\n"
    runner = run(python, source + GOOD, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    runner.load()
    assert runner.printed() == "Straße \\ud800\n"
    assert runner.output["stderr"] == b"to stderr\n"


def test_a_replaced_standard_output_is_left_alone(run, extreme):
    source = "import io, sys\nsys.stdout = io.StringIO()\nsys.stderr = None\nprint('kept')\n"
    runner = run(extreme, source + GOOD)
    assert runner.assets() == ["orders"]
    assert runner.printed() == ""


def test_changing_the_directory_is_survived(run, extreme):
    assert run(extreme, "import os\nos.chdir('/')\n" + GOOD).assets() == ["orders"]


def test_descriptors_and_directory_may_both_be_lost(run, extreme):
    source = "import os\nos.umask(0o777)\nos.chdir('/')\nos.closerange(3, 65536)\n"
    runner = run(extreme, source + GOOD)
    assert runner.assets() == ["orders"]
    # A connection that was accepted while the descriptors were being closed may have been spared:
    # the answer then comes before the runner has looked, and bound its socket anew.
    runner.until(lambda: os.stat(runner.path).st_mode & 0o777 == 0o600)


def test_a_forked_child_holds_no_connection_and_answers_nothing(run, code, python):
    source = """
import os, pathlib, time, warnings
warnings.simplefilter("ignore")
while not pathlib.Path("go").exists():
    time.sleep(0.01)
child = os.fork()
if not child:
    names = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{fd}") or os.path.lexists(f"/proc/self/fd/{fd}")]
    os._exit(any(name.startswith("socket:") for name in names))
_, status = os.waitpid(child, 0)
assert status == 0, "the child has a socket"
"""
    runner = run(python, source + GOOD)
    connection = runner.connect()
    waiting = connection.send("snapshot")
    assert connection.call("ping") == {}
    (code / "go").touch()
    assert connection.answer(waiting)["ok"] is True


def test_a_forked_child_that_returns_from_the_import_ends(run, python):
    source = """
import os, warnings
warnings.simplefilter("ignore")
child = os.fork()
if child:
    assert os.waitpid(child, 0) == (child, 0)
"""
    assert run(python, source + GOOD).assets() == ["orders"]


def test_threads_of_the_code_go_on_after_the_load(run, code, extreme):
    source = """
import pathlib, threading, time

def work():
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    print("worked", flush=True)

worker = threading.Thread(target=work)
worker.start()

import atexit
atexit.register(worker.join)
"""
    runner = run(extreme, source + GOOD)
    assert runner.assets() == ["orders"]
    (code / "go").touch()
    assert runner.printed() == "worked\n"


def test_patched_modules_change_nothing_for_the_runner(run, python):
    source = """
import builtins, json, os, select, socket, sys, threading, time, traceback
def broken(*given, **named):
    raise RuntimeError("patched")
for module in (json, select, socket, threading, traceback, time):
    for name in dir(module):
        if callable(getattr(module, name)) and not name.startswith("_"):
            setattr(module, name, broken)
sys.modules.pop("codeloc", None)
"""
    runner = run(python, GOOD + source)
    runner.load()
    assert runner.call("ping") == {}
    assert runner.call("stacks")["threads"]


def test_a_failure_is_told_even_without_pythons_own_traceback(run, python):
    source = "import sys\nsys.modules['traceback'] = sys\nraise ValueError('no')\n"
    runner = run(python, source)
    assert runner.problem()["summary"] == "ValueError: no (defs.py:3)"


def test_signal_handlers_of_the_code_run(run, extreme):
    source = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: print("heard", flush=True))
"""
    runner = run(extreme, source + GOOD)
    runner.load()
    runner.process.send_signal(10)
    runner.until(lambda: runner.output["stdout"])
    assert runner.printed() == "heard\n"


def test_sigterm_ends_it_as_it_ends_any_python(run, extreme):
    runner = run(extreme, GOOD)
    runner.load()
    runner.process.terminate()
    assert runner.wait() == -15


def test_the_main_thread_is_the_one_that_imports(run, python):
    source = """
import json, threading
print(json.dumps([threading.current_thread().name, threading.active_count()]), flush=True)
"""
    runner = run(python, source + GOOD)
    runner.load()
    assert json.loads(runner.printed()) == ["MainThread", 1]


def test_an_idle_runner_never_wakes_up(run, python):
    runner = run(python, GOOD)
    runner.load()
    tasks = f"/proc/{runner.process.pid}/task"
    if not os.path.isdir(tasks):
        pytest.skip("only Linux tells how often a thread was woken")
    runner.connect().call("ping")
    runner.until(lambda: all(waits_for_ever(f"{tasks}/{task}") for task in os.listdir(tasks)))
    assert len(os.listdir(tasks)) >= 2


def waits_for_ever(task: str) -> bool:
    """/proc tells the system call a thread is in and its arguments: no timeout is -1 or NULL."""
    try:
        with open(f"{task}/syscall") as file:
            call = file.read().split()
    except FileNotFoundError:
        return False  # a thread that has just ended
    return call[0] in TIMEOUTS and call[1 + TIMEOUTS[call[0]]] in FOR_EVER
