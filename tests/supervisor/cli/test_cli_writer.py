"""Lines on their way to a slow, stopped or closed reader."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic_core import SchemaValidator

from codelocd.cli import command_in
from codelocd.cli.exit_codes import ExitCode, guarded
from codelocd.process.writer import KEPT, Writer

DEADLINE = 60.0


def test_lines_arrive_in_order() -> None:
    reading, writing = os.pipe()
    writer = Writer(writing, lambda: None)
    for line in ("one", "zwei ü \udcff", "three"):
        writer.put(line)
    writer.close(DEADLINE)
    os.close(writing)
    with open(reading, encoding="utf-8") as reader:
        assert reader.read() == "one\nzwei ü \\udcff\nthree\n"


def test_a_reader_that_stands_still_stops_nobody_and_learns_what_it_missed() -> None:
    reading, writing = os.pipe()
    writer = Writer(writing, lambda: None)
    line, extra = "x" * 100_000, 10
    writer.put(line)
    begun = os.read(reading, 1).decode()  # this line is on its way, and counts as one no more
    for _ in range(KEPT + extra):
        writer.put("waits")
    with open(reading, encoding="utf-8") as reader:
        lines = iter(reader)
        assert begun + next(lines) == f"{line}\n"
        note = next(lines)
        writer.put("last")

        def close() -> None:
            writer.close(DEADLINE)
            os.close(writing)

        waiting = threading.Thread(target=close)
        waiting.start()
        last = [text for text in lines if len(text) < 100]
        waiting.join(DEADLINE)
    assert note.startswith("(1")
    assert note.endswith("lines not shown: the terminal was too slow)\n")
    assert last[-1] == "last\n"


def test_a_reader_that_is_gone_is_noticed() -> None:
    reading, writing = os.pipe()
    gone = threading.Event()
    os.close(reading)
    writer = Writer(writing, gone.set)
    writer.put("x")
    assert gone.wait(DEADLINE)
    writer.put("y")
    writer.close(DEADLINE)
    os.close(writing)


LOGGING = """
import sys
from codelocd.daemon.log import begin, structlog
from codelocd.process.writer import KEPT, unhindered

with unhindered("stdout"):
    begin("json", coloured=False, is_service=True)
    log = structlog.get_logger()
    log.info("x" * 100_000)
    while sys.stdout.writer.waits:  # until this line is on its way
        pass
    for number in range(KEPT + 10):
        log.info("waits", number=number)
    sys.stderr.write("done\\n")
    sys.stdin.readline()
    log.info("the last")
"""


def test_a_log_that_no_process_reads_waits_in_memory_and_tells_what_it_left_out() -> None:
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", LOGGING]
    logging = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert logging.stdin is not None
    assert logging.stdout is not None
    assert logging.stderr is not None
    assert logging.stderr.readline() == "done\n"
    first, note = (json.loads(logging.stdout.readline()) for _ in range(2))
    assert first["event"] == "x" * 100_000
    assert note["event"] == "lines not logged: the reader of this log was too slow"
    assert (note["lines"], note["level"]) == (10, "warning")
    logging.stdin.write("go on\n")
    logging.stdin.flush()
    *lines, last = (json.loads(line) for line in logging.stdout)
    assert [each["number"] for each in lines] == list(range(KEPT))
    assert (logging.wait(DEADLINE), last["event"]) == (0, "the last")


BREAKING = """
from codelocd.cli.exit_codes import guarded

def breaking():
    raise BrokenPipeError(32, "Broken pipe")

raise SystemExit(guarded(breaking))
"""


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("serve -c serve.toml", "serve"),
        ("--socket serve --user serve", "serve"),
        ("--socket=serve dev", "dev"),
        ("logs serve -f", "logs"),
        ("--version", None),
    ],
)
def test_a_location_that_is_called_serve_makes_no_command_a_daemon(
    words: str, command: str | None
) -> None:
    """A daemon keeps SIGTERM back while it starts, and leaves out what its reader does not take."""
    assert command_in(words.split()) == command


class Interrupting:
    """A value that is looked at as the user presses Ctrl-C."""

    def __repr__(self) -> str:
        raise KeyboardInterrupt


def test_an_interrupt_that_pydantic_has_made_an_error_of_is_no_error_of_ours() -> None:
    def building() -> int:
        return len(str(SchemaValidator({"type": "literal", "expected": [Interrupting()]})))

    assert guarded(building) == ExitCode.INTERRUPTED


def test_an_error_that_speaks_of_an_interrupt_is_an_error(capsys) -> None:
    def failing() -> int:
        raise ValueError("KeyboardInterrupt: no such job")

    assert guarded(failing) == ExitCode.FAILED
    assert "no such job" in capsys.readouterr().err


def test_a_user_without_a_home_folder_is_told_to_name_one(monkeypatch, capsys) -> None:
    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.delenv("HOME")
    assert guarded(lambda: len(str(Path.home()))) == ExitCode.FAILED
    said = "codelocd: this user has no home folder, and HOME is not set; set HOME to a folder"
    assert capsys.readouterr().err.startswith(said)


def test_a_home_folder_that_is_not_the_users_own_is_named(monkeypatch, capsys) -> None:
    def making() -> int:
        raise PermissionError(13, "Permission denied", "/.local")

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("HOME", "/")
    assert guarded(making) == ExitCode.FAILED
    assert "denied: /.local; HOME is /: set HOME to a folder" in capsys.readouterr().err
    monkeypatch.setenv("HOME", "/home/ada")
    assert guarded(making) == ExitCode.FAILED
    assert capsys.readouterr().err == "codelocd: Permission denied: /.local\n"


def test_a_command_whose_reader_is_gone_ends_well_and_one_with_another_broken_pipe_does_not() -> (
    None
):
    words = [sys.executable, "-c", BREAKING]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "codelocd: Broken pipe\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
