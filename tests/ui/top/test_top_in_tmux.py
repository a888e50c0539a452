"""`codelocd top` of a real daemon in a real terminal, which it leaves as it was however it ends."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.daemons import CODELOCD, Dev, native
from tests.supervisor.cli.terminal import Terminal

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed: there is no terminal to look at"
)

DEADLINE = 60.0
BROKEN = "from codeloc import Definitions\n\nimport sklearn.linear_model\n\ndefs = Definitions()\n"
CONFIG = """\
[location.ads]
python_file = "ads.py"

[location.models]
python_file = "models.py"

[location.talker]
python_file = "talker.py"
"""
TALK = r"""
import sys
print("\x1b[31mred\x1b[0m and [bold]text[/] \x1b[2J\x1b]0;owned\x07 end of line", flush=True)
"""
CLICK = "\x1b[<0;{column};{line}M\x1b[<0;{column};{line}m"
"""What a terminal sends for the left button, pressed and let go (xterm's mode 1006)."""
MODES = "#{alternate_on} #{mouse_any_flag} #{cursor_flag} #{wrap_flag} #{bracketed_paste_flag}"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`ads` serves, `models` serves what it was before it broke, `talker` has printed a line."""
    home = tmp_path_factory.mktemp("top")
    project = home / "shop"
    project.mkdir()
    (project / "ads.py").write_text(native("clicks"))
    (project / "models.py").write_text(native("churn"))
    (project / "talker.py").write_text(native("words", before=TALK))
    (project / "codelocd.toml").write_text(CONFIG)
    found = Dev(project, home, ())
    try:
        found.until_serving("ads", "models", "talker")
        (project / "models.py").write_text(BROKEN)
        found.until("models", lambda entry: entry["stale"] and entry["problem"] is not None)
        yield found
    finally:
        found.stop()


@contextmanager
def shell(daemon: Dev, width: int, height: int, **environ: str) -> Iterator[Terminal]:
    """A terminal of that size with an interactive shell in the project's folder."""
    folder = Path(tempfile.mkdtemp(prefix="tmux-"))
    shown = Terminal(f"top-{os.getpid()}", folder)
    kept = {name: daemon.environ[name] for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    variables = [f"{name}={value}" for name, value in {**kept, "PS1": "$ ", **environ}.items()]
    command = shlex.join(["env", *variables, "sh", "-i"])
    script = f"cd {shlex.quote(str(daemon.project))}; exec {command}"
    shown.tmux("new-session", "-d", "-x", str(width), "-y", str(height), script)
    try:
        shown.until(lambda lines: any(line.startswith("$") for line in lines))
        yield shown
    finally:
        shown.tmux("kill-server")
        shutil.rmtree(folder, ignore_errors=True)


def start(terminal: Terminal) -> list[str]:
    """Run it; the screen as soon as it shows all locations."""
    terminal.press("-l", f"{CODELOCD} top; echo ended: $?")
    terminal.press("Enter")
    return terminal.until(lambda lines: "3 of 3 serving" in lines[0] and has(lines, "talker"))


def has(lines: list[str], text: str) -> bool:
    return any(text in line for line in lines)


def modes(terminal: Terminal) -> str:
    return terminal.tmux("display-message", "-p", MODES).strip()


def settings(terminal: Terminal) -> str:
    """Those of the terminal itself, as `stty -a` prints them."""
    tty = terminal.tmux("display-message", "-p", "#{pane_tty}").strip()
    done = subprocess.run(["stty", "-a", "-F", tty], capture_output=True, text=True, check=True)
    return done.stdout


def processes(terminal: Terminal) -> list[psutil.Process]:
    """The one that the shell started, and the one that draws."""
    pane = psutil.Process(int(terminal.tmux("display-message", "-p", "#{pane_pid}")))
    end = time.monotonic() + DEADLINE
    while True:
        found = pane.children(recursive=True)
        if len(found) == 2:
            return found
        assert time.monotonic() < end, f"two processes were expected: {found}"
        time.sleep(0.05)


def test_80_by_24_has_the_problem_first_its_code_below_and_keys_that_act(daemon: Dev) -> None:
    with shell(daemon, 80, 24) as terminal:
        assert len(start(terminal)) == 24
        terminal.until(lambda lines: "1 needs attention" in lines[0] and "◆ models" in lines[2])
        terminal.until(lambda lines: "serving last good" in lines[2])
        terminal.until(lambda lines: has(lines, "▶    3 │ import sklearn.linear_model"))
        terminal.until(lambda lines: has(lines, '["scikit-learn"]'))
        terminal.press("-l", CLICK.format(column=5, line=5))
        terminal.until(lambda lines: has(lines, "─── talker"))
        terminal.press("/", "ads", "Enter")
        terminal.until(lambda lines: not has(lines, "talker"))
        terminal.press("s")
        terminal.until(lambda lines: lines[-1].startswith(" stop ads?  y/n"))
        terminal.press("y")
        terminal.until(lambda lines: has(lines[2:3], "stopped"))
        daemon.until("ads", lambda entry: entry["state"] == "stopped")
        terminal.press("s", "y")
        terminal.until(lambda lines: has(lines[2:3], "serving"))
        terminal.press("e")
        terminal.until(lambda lines: has(lines, "by top"))


def test_200_by_60_has_all_columns_and_output_whose_colours_alone_reach_the_terminal(
    daemon: Dev,
) -> None:
    with shell(daemon, 200, 60, COLUMNS="80", LINES="24") as terminal:  # of an earlier size
        start(terminal)
        titles = ("NAME", "STATE", "DEFS", "RELOAD", "LAST 20", "MEM", "CPU", "UP", "PROBLEM")
        terminal.until(lambda lines: all(title in lines[1] for title in titles))
        terminal.press("G", "o")
        terminal.until(lambda lines: has(lines, "red and [bold]text[/]  end of line"))
        coloured = terminal.tmux("capture-pane", "-p", "-e")
        assert "\x1b[31mred" in coloured
        terminal.tmux("resize-window", "-x", "80", "-y", "19")
        terminal.until(lambda lines: "3 of 3" in lines[0] and not has(lines, "[o]utput"))


def test_no_color_draws_without_colour(daemon: Dev) -> None:
    with shell(daemon, 80, 24, NO_COLOR="1") as terminal:
        start(terminal)
        coloured = terminal.tmux("capture-pane", "-p", "-e")
        assert "models" in coloured
        for code in ("\x1b[3", "\x1b[4", "\x1b[9"):
            assert code not in coloured.replace("\x1b[39m", "").replace("\x1b[49m", "")


def test_the_terminal_is_as_it_was_however_it_ends(daemon: Dev) -> None:
    ends: dict[str | int, int] = {
        "q": 0,
        "C-c": 130,
        signal.SIGTERM: 143,
        signal.SIGHUP: 129,
        signal.SIGKILL: 137,
    }
    with shell(daemon, 80, 24) as terminal:
        before = modes(terminal), settings(terminal)
        for how, code in ends.items():
            start(terminal)
            assert modes(terminal) != before[0]
            if isinstance(how, str):
                terminal.press(how)
            else:
                processes(terminal)[-1].send_signal(how)
            terminal.until(lambda lines, code=code: has(lines, f"ended: {code}"))  # type: ignore[misc]
            assert (modes(terminal), settings(terminal)) == before, how
        terminal.press("-l", "echo typed")
        terminal.press("Enter")
        terminal.until(lambda lines: "typed" in lines)


def test_it_ends_in_order_where_the_process_that_waits_for_it_is_killed(daemon: Dev) -> None:
    with shell(daemon, 80, 24) as terminal:
        before = modes(terminal)
        start(terminal)
        waiting, drawing = processes(terminal)
        waiting.kill()
        psutil.wait_procs([drawing], timeout=DEADLINE)
        assert not drawing.is_running()
        assert modes(terminal) == before


@pytest.mark.parametrize("state", ["drawing", "stopped"])
def test_no_process_is_left_where_the_terminal_goes_away(daemon: Dev, state: str) -> None:
    with shell(daemon, 80, 24) as terminal:
        start(terminal)
        left = processes(terminal)
        if state == "stopped":
            terminal.press("C-z")
            terminal.until(lambda lines: has(lines, "$") and not has(lines, "of 3 serving"))
        terminal.tmux("kill-server")
        _, alive = psutil.wait_procs(left, timeout=DEADLINE)
        assert alive == []
        terminal.tmux("new-session", "-d", "cat")  # something for the end of this test to end


NEVER_ENDS = """
import signal, sys, time
from codelocd_top import terminal

def view(_orphaned):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    print("there", flush=True)
    while True:
        time.sleep(60)

terminal.LEAVE_SECONDS = 1
code = terminal.restoring(view)
open(sys.argv[1], "w").write(str(code))
"""


def test_a_view_that_does_not_end_with_its_terminal_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "code"
    started, there = pty.fork()
    if not started:
        os.execv(sys.executable, [sys.executable, "-c", NEVER_ENDS, str(told)])
    said = b""
    while b"there" not in said:
        said += os.read(there, 1024)
    waiting = psutil.Process(started)
    left = [waiting, *waiting.children()]
    os.close(there)
    _, alive = psutil.wait_procs(left, timeout=DEADLINE)
    assert alive == []
    assert told.read_text() == "129"


def test_ctrl_z_gives_the_terminal_to_the_shell_until_fg(daemon: Dev) -> None:
    with shell(daemon, 80, 24) as terminal:
        before = modes(terminal)
        start(terminal)
        terminal.press("C-z")
        terminal.until(lambda lines: has(lines, "$") and not has(lines, "of 3 serving"))
        assert modes(terminal) == before
        terminal.press("-l", "fg")
        terminal.press("Enter")
        lines = terminal.until(lambda lines: "3 of 3 serving" in lines[0])
        terminal.until(lambda lines: "NAME" in lines[1] and has(lines, "talker"))
        assert has(lines, "of 3 serving")


def test_dumb_terminals_get_the_status_again_and_again(daemon: Dev) -> None:
    with shell(daemon, 80, 40, TERM="dumb") as terminal:
        terminal.press("-l", f"{CODELOCD} top; echo ended: $?")
        terminal.press("Enter")
        terminal.until(lambda lines: sum(line.startswith("NAME") for line in lines) >= 2)
        terminal.press("C-c")
        terminal.until(lambda lines: has(lines, "ended: 130"))


def test_without_a_terminal_it_says_so_in_a_line(daemon: Dev) -> None:
    done = daemon.cli("top")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("codelocd: top needs a terminal")
    assert done.stderr.count("\n") == 1


def test_a_bar_says_that_the_daemon_is_gone_and_it_comes_back_by_itself(
    tmp_path: Path,
) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    (project / "ads.py").write_text(native("clicks"))
    (project / "codelocd.toml").write_text('[location.ads]\npython_file = "ads.py"\n')
    first = Dev(project, tmp_path, ())
    second = None
    try:
        first.until_serving("ads")
        with shell(first, 80, 24) as terminal:
            terminal.press("-l", f"{CODELOCD} top")
            terminal.press("Enter")
            terminal.until(lambda lines: "1 of 1 serving" in lines[0])
            first.stop()
            lines = terminal.until(lambda lines: "no answer from shop since" in lines[0])
            assert has(lines, " ads ")
            second = Dev(project, tmp_path, ())
            terminal.until(lambda lines: "1 of 1 serving" in lines[0])
    finally:
        for each in filter(None, (first, second)):
            each.stop()
