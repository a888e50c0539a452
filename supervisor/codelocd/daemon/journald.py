"""Writes to systemd's journal by its native protocol, with fields that it can be searched by:
`journalctl CODELOCD_LOCATION=sales`.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from codelocd.core.problems import ENDED

if TYPE_CHECKING:
    from codelocd.documents.events import StatusNews, TopicEvent
    from codelocd.documents.locations import LogBlock

SOCKET = "/run/systemd/journal/socket"

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""By the names of levels; the numbers of syslog(3)."""

LONGEST = 48 * 1024
"""Bytes of one field. A datagram takes 200 kB; what is longer stands in `codelocd logs` in full."""

LINES_A_SECOND = 500
"""Lines of a location's output that are sent in a second. What comes faster is counted and stands
in `codelocd logs`: journald would drop it, and each line costs the loop a system call."""

PROBLEMS = frozenset(
    {"environment-failed", "load-failed", "condemned", "limit-met-beside"}
    | {"exited", "machine-lacks"}
)
"""Events that bring a new problem, which is told in full once."""


def is_where_we_write(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether what is written there goes to the journal ($JOURNAL_STREAM of systemd.exec(5))."""
    with contextlib.suppress(OSError):
        found = os.fstat(descriptor)
        return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


def entry(fields: Mapping[str, object]) -> bytes:
    """The datagram of one entry; a field whose value is None is left out."""
    parts = []
    for name, value in fields.items():
        if value is None:
            continue
        data = str(value).encode("utf-8", "backslashreplace")[:LONGEST]
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)


class Journald:
    """The journal, as an observer of the daemon and as a place for its own remarks.

    Nothing here waits: what journald does not take at once is counted, and told with the next
    entry that it takes.
    """

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._lost = 0
        self._pids: dict[str, tuple[int | None, int | None]] = {}
        self._second = 0
        self._lines: Counter[str] = Counter()

    def remark(self, level: str, text: str, **fields: object) -> None:
        """A line of the daemon about itself."""
        more = {f"CODELOCD_{name.upper()}": value for name, value in fields.items()}
        self._send(PRIORITIES.get(level, 6), text, more)

    def observe(self, event: TopicEvent) -> None:
        """What happened to a location, and what it printed."""
        if event["topic"] == "status" and "full" not in event["data"]:
            self._happened(event["data"])
        elif event["topic"] == "logs" and "texts" in event["data"]:
            self._printed(event["data"])

    def _happened(self, news: StatusNews) -> None:
        what, location = news["event"], news["location"]
        if location is None and what["detail"] is not None:
            return  # the daemon has told it already
        problem = location["problem"] if location is not None else None
        if location is not None:
            self._pids[location["name"]] = location["generation"], location["pid"]
        is_new = what["event"] in PROBLEMS and what["detail"] != ENDED and problem is not None
        words = [what["event"], f"({what['after']})" if what["after"] else ""]
        text = " ".join(word for word in words if word)
        text += f": {what['detail']}" if what["detail"] else ""
        if is_new and problem is not None and problem["detail"].strip():
            text += f"\n{problem['detail'].rstrip()}"
        name = what["location"]
        fields = {
            "CODELOCD_LOCATION": name,
            "CODELOCD_EVENT": what["event"],
            "CODELOCD_STATE": what["after"],
            "CODELOCD_GENERATION": what["generation"],
            "CODELOCD_PID": location["pid"] if location is not None else None,
        }
        self._send(
            PRIORITIES["warning" if is_new else "info"], f"{name or 'codelocd'}: {text}", fields
        )

    def _printed(self, block: LogBlock) -> None:
        if (second := int(time.monotonic())) != self._second:
            self._second = second
            self._lines.clear()
        name, stream = block["location"], block["stream"]
        generation, pid = self._pids.get(name, (None, None))
        fields = {
            "CODELOCD_LOCATION": name,
            "CODELOCD_STREAM": stream,
            "CODELOCD_GENERATION": block["generation"],
            "CODELOCD_PID": pid if generation == block["generation"] else None,
        }
        room = max(0, LINES_A_SECOND - self._lines[name])
        self._lines[name] += len(block["texts"])
        for text in block["texts"][:room]:
            self._send(PRIORITIES["info"], f"{name}: {text}", fields)
        if room and (more := len(block["texts"]) - room) > 0:
            what = f"{name}: {more} or more lines in this second; codelocd logs {name} has them"
            self._send(PRIORITIES["info"], what, fields)

    def _send(self, priority: int, text: str, fields: Mapping[str, object]) -> None:
        always = {"MESSAGE": text, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "codelocd"}
        if self._lost:
            always["CODELOCD_LOST"] = self._lost
        try:
            self._socket.sendto(entry({**always, **fields}), self._path)
        except OSError:
            self._lost += 1
        else:
            self._lost = 0
