"""The bond to the daemon: a runner does not outlive the process that started it."""

from __future__ import annotations

import os
import sys
from _thread import start_new_thread
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

PR_SET_PDEATHSIG = 1
SIGKILL = 9  # the same everywhere; the `signal` module costs a millisecond
WATCH_SECONDS = 1.0


def bind(parent: Optional[int]) -> None:
    """Die when `parent` does, at once if it is gone already; None: not bound to anybody."""
    if parent is None:
        return
    if not ask_kernel():
        start_new_thread(watch, (parent,))
    if os.getppid() != parent:
        os._exit(1)


def ask_kernel() -> bool:
    """PR_SET_PDEATHSIG where the platform has it: no thread, no wake-ups.

    `_ctypes` alone: the `ctypes` package around it would triple the cost of the call.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        from _ctypes import call_function, dlopen, dlsym

        prctl = dlsym(dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None: this process
        failed: int = call_function(prctl, (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return not failed
    except (ImportError, OSError):
        return False


def watch(parent: int) -> None:
    """For platforms whose kernel has no such signal, macOS among them."""
    while os.getppid() == parent:
        sleep(WATCH_SECONDS)
    os._exit(1)
