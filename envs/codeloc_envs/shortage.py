"""What a machine lacks for a while: no fault of what was asked for, and over without a change."""

from __future__ import annotations

import errno
import re

_NUMBERS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.EAGAIN,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.ENOSPC,
        errno.EDQUOT,
    }
)

_OF_OTHERS = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
"""How programs in Rust, such as uv, and in Python print the number of a system's error."""


def shortage(error: BaseException) -> int | None:
    """The number of what was lacking (see `errno`), None where something else is wrong.

    fork(2), pipe(2), open(2), write(2), malloc(3). Python says of a thread that cannot be started
    no more than that.
    """
    if isinstance(error, OSError):
        return error.errno if error.errno in _NUMBERS else None
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return errno.EAGAIN
    return None


def shortage_in(text: str) -> int | None:
    """The same, of what a program printed: the first number of such an error in it."""
    for match in _OF_OTHERS.finditer(text):
        number = int(match[1] or match[2])
        if number in _NUMBERS:
            return number
    return errno.ENOSPC if "No space left on device" in text else None
