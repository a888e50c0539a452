"""Runs one command as the terminal's foreground process group: `foreground.py COMMAND...`.

Ctrl-C goes to every process of the foreground group, `make` included, and make ends
by the signal it got, whatever the command makes of it. In a group of its own the command
is the only one that hears it, so that its clean exit is also the clean exit of `make demo`.
Without a terminal there is nothing to arrange: the command simply takes this process's place.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys


class Foreground:
    """A terminal that the command and this process hand to each other."""

    def __init__(self, terminal: int, command: list[str]) -> None:
        self.terminal = terminal
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        self.child = subprocess.Popen(command, process_group=0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.forward)

    def forward(self, number: int, frame: object) -> None:
        """`kill` of make or of this process is meant for the command."""
        self.child.send_signal(number)

    def run(self) -> int:
        """Waits for the command; Ctrl-Z stops make too, so that the shell takes over until `fg`."""
        while True:
            self.hand_over(os.getpgrp(), self.child.pid)
            _, status = os.waitpid(self.child.pid, os.WUNTRACED)
            self.hand_over(self.child.pid, os.getpgrp())
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            os.killpg(0, signal.SIGSTOP)
            os.killpg(self.child.pid, signal.SIGCONT)

    def hand_over(self, giver: int, taker: int) -> None:
        """Only the group that has the terminal may give it away: in the background none does."""
        if os.tcgetpgrp(self.terminal) == giver:
            os.tcsetpgrp(self.terminal, taker)


def main(command: list[str]) -> int:
    """The exit status of the command; 128 plus the signal's number if one ended it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        os.execvp(command[0], command)  # noqa: S606 the command is what the caller asked for
    status = Foreground(terminal, command).run()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
