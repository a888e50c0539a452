"""A real terminal of a chosen size, with a shell in it: tmux, on a server of the test's own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.commands import CODELOCD, DEADLINE
from tests.supervisor.cli.fake_control import Shell

PAUSE = 0.05
"""Seconds between two looks at the screen: a terminal does not tell when it has changed."""


@dataclass(frozen=True)
class Terminal:
    """What is on the screen of a server named `name`, whose sockets are in `folder`."""

    name: str
    folder: Path

    def tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-L", self.name, "-f", os.devnull, *words]
        environ = {**os.environ, "TMUX_TMPDIR": str(self.folder), "LC_ALL": "C.UTF-8"}
        environ.pop("TMUX", None)
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=DEADLINE, check=True
        )
        return done.stdout

    def lines(self) -> list[str]:
        return self.tmux("capture-pane", "-p").splitlines()

    def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """The screen, as soon as `holds` of it."""
        end = time.monotonic() + DEADLINE
        while not holds(lines := self.lines()):
            assert time.monotonic() < end, "the screen never was as expected:\n" + "\n".join(lines)
            time.sleep(PAUSE)
        return lines

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)


@contextmanager
def terminal(
    shell: Shell, width: int, height: int, *words: str, environ: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """`codelocd WORDS` in a terminal of that size; a line `ended: CODE` follows when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="tmux-"))
    given = {**shell.environ, **(environ or {})}
    variables = [f"{name}={given[name]}" for name in ("HOME", "XDG_RUNTIME_DIR")]
    command = shlex.join(["env", *variables, str(CODELOCD), *words])
    script = f"cd {shlex.quote(str(shell.folder))}; {command}; echo ended: $?; exec cat"
    name = f"codelocd-{os.getpid()}"
    shown = Terminal(name, folder)
    shown.tmux("new-session", "-d", "-x", str(width), "-y", str(height), script)
    try:
        yield shown
    finally:
        shown.tmux("kill-server")
        shutil.rmtree(folder, ignore_errors=True)
