"""A runner does not outlive the process that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

PACKAGE = os.path.join(os.path.dirname(__file__), *[os.pardir] * 3, "runner", "codeloc_runner")
STARTER = """
import json, os, socket, subprocess, sys
python, boot, file, path, known = sys.argv[1:]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
settings = {
    "target": {"kind": "python_file", "value": file}, "attribute": None,
    "working_directory": os.path.dirname(file), "socket_fd": listening.fileno(),
    "socket_path": path, "parent": os.getpid() if known == "yes" else 1_000_000_000,
}
process = subprocess.Popen(
    [python, boot, "sales", json.dumps(settings)], pass_fds=[listening.fileno()],
    start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
)
print(process.pid, process.stdout.readline().decode().strip(), flush=True)
sys.exit(process.wait())
"""


@pytest.fixture
def starter(bundle, code, tmp_path):
    (code / "defs.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(3600)\n")
    boot = bundle / "codeloc_runner" / "__main__.py"
    started = []

    def start(python: str, known: str) -> subprocess.Popen[str]:
        arguments = [python, boot, code / "defs.py", os.path.relpath(tmp_path / "s"), known]
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_it_is_killed_with_its_parent(starter, python):
    process = starter(python, "yes")
    runner, said = process.stdout.readline().split()
    assert said == "loading"
    process.kill()
    end = time.monotonic() + 60
    assert process.stdout.read() == ""  # the end of the pipe: no process has it open any more
    while is_alive(int(runner)):  # its descriptors are closed a moment before it is gone
        assert time.monotonic() < end


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_does_not_start_when_its_parent_is_another(starter, extreme):
    process = starter(extreme, "no")
    int(process.stdout.readline())
    assert process.stdout.read() == ""
    assert process.wait() == 1


def test_where_the_kernel_cannot_tell_a_thread_watches(extreme):
    source = (
        "import os, sys\n"
        f"sys.path.insert(0, {os.path.dirname(PACKAGE)!r})\n"
        "from codeloc_runner import process\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    grandchild = os.fork()\n"
        "    if grandchild:\n"
        "        os.read(0, 1)\n"
        "        os._exit(0)\n"
        "    process.ask_kernel_for_signal = lambda: False\n"
        "    process.WATCH_SECONDS = 0.01\n"
        "    process.die_with(os.getppid())\n"
        "    print('bound', flush=True)\n"
        "    while True: process.sleep(3600)\n"
        "os.waitpid(child, 0)\n"
    )
    process = subprocess.Popen(
        [extreme, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "bound\n"
    output, _ = process.communicate("x")
    assert output == ""
    assert process.returncode == 0
