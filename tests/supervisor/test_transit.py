"""A daemon is killed at each line of the code that brings output to the logs: the next one writes
what is missing, and nothing twice. Processes are forked by one that has no threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="splice(2) and memfd_create(2) are Linux's"
)

KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from codelocd.process import inheritance
from codelocd.process.inheritance import Inheritance, InheritedProcess
from codelocd.process.pipes import passages
from codelocd.process.transit import Transit
from codelocd.storage.logs import Logs

WATCHED = ("transit.py", "pipes.py", "inheritance.py", "log_files.py")
EXPECTED = ["one", "two", "three", "four", "five", "", "six", "sev"]
SIZES = (11, 100)

def killed_at(line, work):
    # whether the work was over before that line
    pid = os.fork()
    if pid == 0:
        left = [line]
        def trace(frame, event, _):
            code = frame.f_code
            if not code.co_filename.endswith(WATCHED) or code.co_name == "__init__":
                return None
            if event == "line":
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        try:
            work()
        except BaseException:
            sys.settrace(None)
            sys.excepthook(*sys.exc_info())
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0

class Place:
    def __init__(self, folder):
        self.logs, self.transit = Path(folder), Transit()
        self.slots = {"stdout": self.transit.slot()}
        self.reading, writing = os.pipe()
        os.write(writing, b"one\\ntwo\\nthree\\nfour\\nfive\\n\\nsix\\nsev")
        os.close(writing)

    def first(self):
        output = Logs(self.logs).output("a", 1)
        way = passages(output, self.transit, self.slots)["stdout"]
        for size in SIZES:
            way.tell(way.read(self.reading, size))
        way.tell(b"")

    def next(self, spool):
        logs, transit = Logs(self.logs), Transit(os.dup(self.transit.descriptor))
        transit.keep(self.slots.values())
        spools = {} if spool is None else {"stdout": os.dup(spool)}
        record = {"location": "a", "generation": 1, "slots": self.slots, "holder": 7}
        left = InheritedProcess(record, {"stdout": os.dup(self.reading)}, spools, 0, transit)
        found = Inheritance(over=[left], transit=transit)
        found.write_on_its_way(lambda _, *about: logs.output(*about))
        output = logs.output("a", 1)
        left.tell(output)
        left.finish(output)
        return [line.text for line in logs.lines(["a"], 100)]

def spooled(place):
    # what a holder has: all that was left in the pipe
    file = tempfile.TemporaryFile(buffering=0)
    while data := os.read(place.reading, 4096):
        file.write(data)
    return file

wrong, line, over = [], 0, False
while not over:
    line += 1
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        over = killed_at(line, place.first)
        found = place.next(None)
        if found != EXPECTED:
            wrong.append((line, found))
        place.transit.close(), os.close(place.reading)
first = line
for before in range(5, first, first // 5):
    line, over = before % 7, False
    while not over:
        line += 7
        with tempfile.TemporaryDirectory() as folder:
            place = Place(folder)
            killed_at(before, place.first)
            with spooled(place) as file:
                over = killed_at(line, lambda: place.next(file.fileno()))
                found = place.next(file.fileno())
            if found != EXPECTED:
                wrong.append((before, line, found))
            place.transit.close(), os.close(place.reading)
print(first, wrong)
"""


def test_promise_2_a_daemon_killed_at_any_line_of_its_code_loses_no_line_and_writes_none_twice(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=True,
    )
    lines, _, wrong = done.stdout.strip().partition(" ")
    assert wrong == "[]", done.stderr
    assert int(lines) > 50, "that many lines were tried"
