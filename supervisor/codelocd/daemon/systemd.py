"""Speaks with the service manager: sd_notify(3), and the sockets that it hands over.

Without a service manager nothing here has an effect.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections import Counter
from collections.abc import Iterable, MutableMapping
from typing import TYPE_CHECKING

from codelocd.render.text import one_line

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus, StatusDocument

_FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""


EXTENSION = 45.0
"""Seconds for which the manager is told to wait beyond its own limit."""

PATIENCE = 2.0
"""Seconds that a manager which reads nothing has to make room for a message that it needs."""

LONGEST = 250
"""Characters of the line that `systemctl status` shows."""


class Notifier:
    """Tells the service manager that started the daemon how it is."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        usec = environ.pop("WATCHDOG_USEC", "")
        meant = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_interval = int(usec) / 2e6 if usec and meant else None
        """Seconds between two signs of life, or None: systemd does not wait for them."""
        self.beat = min(self.watchdog_interval or EXTENSION, EXTENSION / 3)
        """Seconds between two calls of `alive`."""
        self.is_building = False
        """Whether environments are being built, which a limit of the manager must not cut off."""
        self._status = ""

    def ready(self) -> None:
        """It serves: at its start, and after it was reloading."""
        self._send("READY=1")

    def status(self, status: str) -> None:
        """The line that `systemctl status` shows; the same one is sent once.

        A manager that has no room for it is not waited for: it gets the next one.
        """
        if status != self._status and self._send(f"STATUS={status}", 0.0):
            self._status = status

    def reloading(self) -> None:
        """Until `ready` it reads its config again, or takes up other code."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    @property
    def is_heard(self) -> bool:
        """Whether there is a manager."""
        return bool(self._address)

    def alive(self) -> None:
        """Called every `beat` seconds from the loop that does the work."""
        if self.watchdog_interval is not None:
            self._send("WATCHDOG=1", 0.0)
        if self.is_building:
            self._extend(EXTENSION)

    def stopping(self, seconds: float) -> None:
        """`seconds`: what the end may take."""
        self._send("STOPPING=1")
        self._extend(seconds)

    def _extend(self, seconds: float) -> None:
        """A limit of the manager that is further away stays (sd_notify(3))."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def _send(self, message: str, patience: float | None = None) -> bool:
        """Whether the manager has it."""
        if not self._address:
            return False
        name = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(PATIENCE if patience is None else patience)
            try:
                sender.connect(name)
                sender.send(message.encode(errors="replace"))
            except (BlockingIOError, TimeoutError):
                return False
            except OSError:
                self._address = ""
                return False
        return True


def told(document: StatusDocument) -> str:
    """The line for `systemctl status`: the counts, and what went wrong last."""
    line, last = counted(document["locations"]), _last_problem(document)
    return one_line(f"{line}; {last}" if last else line)[:LONGEST]


def _last_problem(document: StatusDocument) -> str | None:
    config = document["daemon"]["config"]
    if config["state"] == "invalid":
        return f"the config is not applied: {(config['problem'] or '').partition(chr(10))[0]}"
    found = [(each["problem"], each["name"]) for each in document["locations"]]
    latest = max(
        ((problem["at"], name, problem["summary"]) for problem, name in found if problem),
        default=None,
    )
    return f"{latest[1]}: {latest[2]}" if latest else None


def counted(locations: Iterable[LocationStatus]) -> str:
    """How many locations are in which state, the most frequent state first."""
    states = Counter(each["state"] for each in locations)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    total = states.total()
    return f"{total} location{'' if total == 1 else 's'}{': ' if told else ''}{told}"


def passed_socket(
    environ: MutableMapping[str, str], group: int | None = None
) -> socket.socket | None:
    """The listening socket that the manager made for us (socket activation), if any.

    Raises PermissionError as `refuse_unsafe` does.
    """
    count = int(environ.pop("LISTEN_FDS", "0"))
    meant = environ.pop("LISTEN_PID", "") == str(os.getpid())
    environ.pop("LISTEN_FDNAMES", None)
    if not meant or count < 1:
        return None
    os.set_inheritable(_FIRST_DESCRIPTOR, False)
    passed = socket.socket(fileno=_FIRST_DESCRIPTOR)
    refuse_unsafe(passed, group)
    return passed


def refuse_unsafe(passed: socket.socket, group: int | None) -> None:
    """Raises PermissionError for a passed socket that admits users whom a socket of the daemon's
    own would not.

    `group`: the number of the group that may use it. Without one the daemon answers its own user
    and root alone, whatever group the file has.
    """
    if passed.family != socket.AF_UNIX or passed.type != socket.SOCK_STREAM:
        raise PermissionError(
            "the socket that was passed is no Unix stream socket; see ListenStream="
        )
    path = passed.getsockname()
    if not isinstance(path, str) or not path:  # bytes: an abstract name, which has no permissions
        raise PermissionError("the socket that was passed has no path, so any user could use it")
    wrong = _unsafe(os.lstat(path), group)
    if wrong:
        raise PermissionError(f"the socket that was passed, {path}, {wrong}")


def _unsafe(found: os.stat_result, group: int | None) -> str | None:
    if not stat.S_ISSOCK(found.st_mode):
        return "is no socket any more; start its unit again"
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to user {found.st_uid}; set SocketUser= to the daemon's"
    if found.st_mode & stat.S_IWOTH:
        return (
            f"has mode {stat.S_IMODE(found.st_mode):04o}: set SocketMode=0600, or 0660 for a group"
        )
    if group is not None and found.st_mode & stat.S_IWGRP and found.st_gid != group:
        return f"is for group {found.st_gid}, not for socket_group; set SocketGroup= to it"
    return None
