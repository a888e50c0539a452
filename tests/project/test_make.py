"""What `make` promises a newcomer."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOREGROUND = ROOT / ".ci" / "foreground.py"
DAEMON = """
import os, signal
wanted = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)  # one that comes before sigwait is not lost
print("pid", os.getpid(), flush=True)
print("stopped by", int(signal.sigwait(wanted)))
"""

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture(autouse=True)
def no_make_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests themselves may have been started by make, whose flags are inherited."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def makefile(tmp_path: Path) -> Path:
    """`make demo` with something in the daemon's place that is ready at once."""
    (tmp_path / "daemon.py").write_text(DAEMON)
    recipe = f"exec {sys.executable} {FOREGROUND} {sys.executable} daemon.py"
    (tmp_path / "Makefile").write_text(f"demo:\n\t@cd . && {recipe}\n")
    return tmp_path


def in_terminal(command: list[str], folder: Path) -> tuple[int, int]:
    """A process that has a terminal of its own: its pid and our end of the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvp(command[0], command)
    return pid, terminal


def read_until(terminal: int, wanted: bytes) -> bytes:
    text = b""
    while wanted not in text:
        text += os.read(terminal, 4096)
    return text


def read_to_the_end(terminal: int) -> bytes:
    text = b""
    try:
        while more := os.read(terminal, 4096):
            text += more
    except OSError:  # EIO is a terminal's end of file
        pass
    os.close(terminal)
    return text


@needs_make
def test_ctrl_c_in_a_terminal_stops_the_demo_and_make_exits_0(makefile: Path) -> None:
    pid, terminal = in_terminal(["make", "demo"], makefile)
    read_until(terminal, b"pid ")
    os.write(terminal, b"\x03")
    assert b"stopped by 2" in read_to_the_end(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@needs_make
def test_ctrl_c_stops_the_demo_with_its_output_piped(makefile: Path) -> None:
    script = "make demo | cat; exit ${PIPESTATUS[0]}"
    pid, terminal = in_terminal(["bash", "-c", script], makefile)
    read_until(terminal, b"pid ")
    os.write(terminal, b"\x03")
    assert b"stopped by 2" in read_to_the_end(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@needs_make
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_without_a_terminal_exits_0_when_the_daemon_is_stopped(
    makefile: Path, number: signal.Signals
) -> None:
    demo = subprocess.Popen(
        ["make", "demo"], cwd=makefile, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert demo.stdout is not None
    os.kill(int(demo.stdout.readline().split()[1]), number)
    out, _ = demo.communicate()
    assert (out, demo.returncode) == (f"stopped by {number}\n", 0)


@needs_make
def test_terminating_make_lets_the_daemon_stop_in_order(makefile: Path) -> None:
    pid, terminal = in_terminal(["make", "demo"], makefile)
    read_until(terminal, b"pid ")
    os.kill(pid, signal.SIGTERM)
    assert b"stopped by 15" in read_to_the_end(terminal)
    assert os.waitpid(pid, 0)[0] == pid


def test_a_command_that_fails_fails_the_demo(tmp_path: Path) -> None:
    pid, terminal = in_terminal(
        [sys.executable, str(FOREGROUND), sys.executable, "-c", "raise SystemExit(3)"], tmp_path
    )
    read_to_the_end(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3


@needs_make
def test_a_python_that_is_too_old_is_refused_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    made = subprocess.run(
        ["make", f"PYTHON={old}", "test"], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert made.returncode != 0
    assert f"no Python 3.11 or newer found (tried: {old})" in made.stderr
    assert not (tmp_path / ".venv").exists()
