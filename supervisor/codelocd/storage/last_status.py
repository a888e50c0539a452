"""The file beside the control socket that keeps what `status` said, for when no daemon answers.

Few imports: `codelocd status` reads it.
"""

from __future__ import annotations

import json
import os
import time

from codelocd import __version__
from codelocd.process import identity

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Mapping
    from typing import Any

    from codelocd.documents.locations import StatusDocument

VERSION = 1
"""Of the file's shape: a file of another version is not read."""

LARGEST = 64 * 1024 * 1024
"""Bytes that are read of it at most."""


def beside(socket: str) -> str:
    """The file of the daemon that listens at `socket`."""
    return f"{socket}.json"


def text(status: StatusDocument, began: Mapping[int, int], upgrade: bool = False) -> str:
    """The content of the file: the `status --json` document, its time, and the identities of its
    processes.

    `began` has the beginnings of the processes that the document names, as `identity` tells them.
    `upgrade`: the daemon takes up other code now, and answers again in a moment.
    """
    return json.dumps(
        {
            "version": VERSION,
            "at": time.time(),
            "clock": clock(),
            "boot": identity.boot(),
            "began": {str(pid): since for pid, since in began.items()},
            "upgrade": upgrade,
            "status": status,
        }
    )


class LastStatus:
    """The content of such a file."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError for what no daemon wrote."""
        if kept["version"] != VERSION:
            raise ValueError
        self.status: StatusDocument = kept["status"]
        if self.status["daemon"]["version"] != __version__:
            from codelocd.core import whole  # seldom: what is declared takes long to import

            self.status = whole.status(self.status)
        self.at = float(kept["at"])
        self.daemon = int(self.status["daemon"]["pid"])
        self.upgrade = bool(kept.get("upgrade"))
        self.same_boot = kept["boot"] == identity.boot()
        self._began = {int(pid): int(since) for pid, since in kept["began"].items()}
        self._clock = float(kept["clock"])

    @property
    def age(self) -> float:
        """Seconds since it was written; by a clock that cannot be set, while the machine is up."""
        return max(0.0, clock() - self._clock if self.same_boot else time.time() - self.at)

    def process(self, pid: int) -> str:
        """The state of a process that the document names, by the letter of `identity.state`."""
        if not self.same_boot or pid not in self._began:
            return identity.GONE
        return identity.state(pid, self._began[pid])


def read(socket: str) -> LastStatus | None:
    """What the daemon that listened at `socket` has left; None where that cannot be told."""
    try:
        handle = os.open(beside(socket), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            return LastStatus(json.loads(file.read(LARGEST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def clock() -> float:
    """Seconds since the machine started, sleep included where the platform can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
