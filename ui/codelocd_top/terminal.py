"""Restores the terminal however the view ends: it runs in a child process, which is waited for.

A process that is killed by SIGKILL can restore nothing itself. The child does so where only this
process is killed; where both are, the shell's own `reset` has to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALLED = 128
LEAVE_SECONDS = 5
"""Seconds within which the view ends after it was asked to. A view that draws on a terminal that is
gone may wait for ever: nothing takes what it writes any more."""
PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
LEAVE = (
    "\x1b[?2026l"  # no synchronized update
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # no mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # no focus events, bracketed paste, sizes within the input
    "\x1b[<u"  # keys as before (kitty's protocol)
    "\x1b[0m\x1b[?7h\x1b[?1049l\x1b[?25h"  # no colours, wrap lines, main screen, cursor
)
"""What a view that was killed has left on, switched off (xterm's private modes)."""


def restoring(view: Callable[[int], int]) -> int:
    """Run `view` in a child process; its exit code, once the terminal is as it was before.

    `view` gets a descriptor that is at its end as soon as this process is gone. It may raise. Where
    it does not end although SIGTERM or SIGHUP asks for it, it is killed.
    """
    before = termios.tcgetattr(sys.stdin)
    sys.stdout.flush()
    reading, writing = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until there is a child to pass them on to
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        os.close(writing)
        return view(reading)
    os.close(reading)
    status, asked = _ended(child)
    os.close(writing)
    if os.WIFSIGNALED(status):
        _restore(before)
        return SIGNALLED + (asked or os.WTERMSIG(status))
    return os.waitstatus_to_exitcode(status)


def _restore(before: list[Any]) -> None:
    """Nothing is said where the terminal is gone: nothing could show it."""
    with contextlib.suppress(termios.error, OSError):
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        os.write(
            sys.stdout.fileno(), LEAVE.encode()
        )  # nothing of it may be left to write at the end


def _ended(child: int) -> tuple[int, int]:
    """How it ended, and the signal that asked for it; 0: none did.

    Signals to end are passed on; this process stops whenever the child does.
    """
    asked = 0

    def send(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended just now
            os.kill(child, number)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = asked or number
        send(number)
        signal.alarm(LEAVE_SECONDS)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal has sent it to the child, too
    signal.signal(signal.SIGALRM, lambda *_: send(signal.SIGKILL))
    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            signal.alarm(0)
            return status, asked
        os.kill(os.getpid(), signal.SIGSTOP)  # until the shell says `fg` to both
