"""Asks the kernel how a process ended that is not a child of this one."""

from __future__ import annotations

import fcntl
import os
import struct

from codelocd.model import Exit


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
