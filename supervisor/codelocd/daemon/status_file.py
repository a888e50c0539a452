"""Writes what `status` says to a file, for when the daemon does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloc_envs.files import replace_text
from codelocd.daemon.control import Control
from codelocd.daemon.event_history import Event
from codelocd.daemon.subscriptions import InProcessSubscriber
from codelocd.process import identity
from codelocd.storage import last_status

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus, StatusDocument

REST = 0.5
"""Seconds after an event before it is written, and again after that: a reload must not wait for
it, and events that come together are written once."""


class StatusFile(InProcessSubscriber):
    """A subscriber of the topic `status`.

    An event has the entry of the location that it is about, so the others are not looked at again.
    `group`: the number of the group that may use the control socket, and so may read this. `told`
    gets each document that is written.
    """

    def __init__(
        self,
        socket: Path,
        control: Control,
        group: int | None,
        told: Callable[[StatusDocument], None] = lambda _: None,
    ) -> None:
        self._path = Path(last_status.beside(str(socket)))
        self._control = control
        self._group = group
        self._told = told
        self._stirred = asyncio.Event()
        self._entries: dict[str, tuple[float, LocationStatus]] = {}
        self._began: dict[str, tuple[object, int | None]] = {}

    def take(self, subscription: int, event: Event, document: Mapping[str, Any]) -> None:
        """An event of any kind: write the whole document soon."""
        if (entry := document.get("location")) is not None:
            self._entries[entry["name"]] = time.monotonic(), entry
        self._stirred.set()

    async def keep(self) -> None:
        """Write the file after events, for ever. It sleeps while there are none."""
        while True:
            await self._stirred.wait()
            await asyncio.sleep(REST)
            self._stirred.clear()
            document = self._whole()
            self._told(document)
            await asyncio.to_thread(self._write, document)
            await asyncio.sleep(REST)

    def remove(self) -> None:
        """Delete the file: a daemon that ends in order leaves none."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _whole(self) -> StatusDocument:
        """The document of now, of the entries of each location's last event."""
        names, now = self._control.names(), time.monotonic()
        document = self._control.status([name for name in names if name not in self._entries])
        new = {entry["name"]: (now, entry) for entry in document["locations"]}
        known = {**self._entries, **new}
        self._entries = {name: known[name] for name in names}
        document["locations"] = [_later(entry, now - at) for at, entry in self._entries.values()]
        return document

    def tell_upgrade(self) -> None:
        """A client that gets no answer from now on is to wait for the code that takes over."""
        self._write(self._whole(), upgrade=True)

    def _write(self, document: StatusDocument, *, upgrade: bool = False) -> None:
        """What cannot be written now is written with the next event."""
        text = last_status.text(document, self._beginnings(document), upgrade)
        with contextlib.suppress(OSError):
            replace_text(self._path, text)
            if self._group is not None:
                if self._path.stat().st_gid != self._group:
                    os.chown(self._path, -1, self._group)
                os.chmod(self._path, 0o640)

    def _beginnings(self, document: StatusDocument) -> dict[int, int]:
        """When the processes that the document names began; each runner is looked at once."""
        before, self._began = self._began, {}
        runners = [(e["name"], e["pid"], e["generation"]) for e in document["locations"]]
        found = {}
        for name, pid, generation in [("", document["daemon"]["pid"], None), *runners]:
            if pid is None:
                continue
            which = pid, generation
            kept, since = before.get(name, (None, None))
            since = since if kept == which else identity.began(pid)
            self._began[name] = which, since
            if since is not None:
                found[pid] = since
        return found


def _later(entry: LocationStatus, seconds: float) -> LocationStatus:
    """The entry of a location to which nothing has happened since then."""
    return {
        **entry,
        "phase_seconds": _plus(entry["phase_seconds"], seconds),
        "uptime": _plus(entry["uptime"], seconds),
        "last_answer": _plus(entry["last_answer"], seconds),
    }


def _plus(number: float | None, seconds: float) -> float | None:
    return None if number is None else number + seconds
