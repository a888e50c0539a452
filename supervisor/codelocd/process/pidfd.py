"""How a process ended: a child, and, by the kernel, one that is not a child of this one."""

from __future__ import annotations

import fcntl
import os
import struct

from codelocd.model import Exit


def is_child(pid: int) -> bool:
    """Whether this process is its parent."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return True
    except ChildProcessError:
        return False


def ended(which: int, number: int, *, missing_ok: bool = True) -> int | None:
    """The pid of a child that has ended and was not waited for, left as it is.

    Raises ChildProcessError where there is none, unless `missing_ok`.
    """
    try:
        found = os.waitid(which, number, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        if not missing_ok:
            raise
        return None
    return found.si_pid if found is not None else None


def reaped(pid: int) -> Exit:
    """Reap a child that has ended; returns how it ended."""
    found = os.waitid(os.P_PID, pid, os.WEXITED)
    assert found is not None
    if found.si_code == os.CLD_EXITED:
        return Exit(status=found.si_status)
    return Exit(signal=found.si_status)


def exit_of(descriptor: int) -> Exit:
    """How a process ended, by its pidfd, where the kernel tells (Linux 6.15); else an Exit without
    status and signal."""
    told = struct.pack("QQ11Ii", _PIDFD_INFO_EXIT, 0, *[0] * 12)
    try:
        told = fcntl.ioctl(descriptor, _PIDFD_GET_INFO, told)
    except OSError:
        return Exit()
    mask, *_, status = struct.unpack("QQ11Ii", told)
    if not mask & _PIDFD_INFO_EXIT:
        return Exit()
    code = os.waitstatus_to_exitcode(status)
    return Exit(status=code) if code >= 0 else Exit(signal=-code)


_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_GET_INFO = 0xC040FF0B
"""_IOWR(0xFF, 11, struct pidfd_info), of 64 bytes (linux/pidfd.h)."""
