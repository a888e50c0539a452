"""What is expected to go wrong with environments: one exception, and what a machine lacks."""

from __future__ import annotations

import errno
import re
from pathlib import Path

_USER_INFO = re.compile(r"(?<=://)[^/\s\"']*@")
"""What an address may have before its host (RFC 3986, 3.2.1), as people write it: a password with
an @ in it should have that encoded, but works in many programs."""

_QUERY_SECRET = re.compile(
    r"""(?ix)(?<=[?&;])([\w.~%-]*
    (?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|signature|credential)
    [\w.~%-]*|auth|authorization|sig|key|jwt|sas|pwd)=[^&;\#\s"']+"""
)
"""A parameter of an address that lets in who knows it, by its name: `token`, `access_token`,
`X-Amz-Signature`, `X-Goog-Credential`, `sig` of Azure's signed addresses."""


def without_passwords(text: str) -> str:
    """The same text to be shown: without what lets in who knows it, in the addresses in it: before
    their hosts, and in parameters."""
    if "://" not in text:
        return text
    return _QUERY_SECRET.sub(r"\1=…", _USER_INFO.sub("…@", text))


class EnvironmentProblem(Exception):
    """An environment cannot be chosen, built or used.

    `summary` is one line that names the culprit and what to do; `detail` is the installer's
    own output, or empty; neither has passwords of addresses in it. `inputs` are files whose change
    may repair it. `passing`: it may repair itself, as a network does; the same is worth trying
    again later. `shortage`: the number of what the machine lacked (`errno`), where that is all that
    is wrong.
    """

    def __init__(
        self,
        summary: str,
        detail: str = "",
        inputs: tuple[Path, ...] = (),
        *,
        passing: bool = False,
        shortage: int | None = None,
    ) -> None:
        self.summary = without_passwords(summary)
        self.detail = without_passwords(detail)
        super().__init__(self.summary)
        self.inputs = inputs
        self.passing = passing or shortage is not None
        self.shortage = shortage


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
