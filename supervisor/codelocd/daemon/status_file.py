"""Writes what `status` says to a file, for when the daemon does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from codeloc_envs.files import replace_text
from codelocd.daemon.subscriptions import Event, InProcessSubscriber
from codelocd.process import identity
from codelocd.storage import last_status

if TYPE_CHECKING:
    from codelocd.documents.locations import StatusDocument

REST = 0.5
"""Seconds after an event before it is written, and again after that: a reload must not wait for
it, and events that come together are written once."""


class StatusFile(InProcessSubscriber):
    """A subscriber of the topic `status`. `document` is `status --json` without new samples.

    `group`: the number of the group that may use the control socket, and so may read this.
    """

    def __init__(
        self, socket: Path, document: Callable[[], StatusDocument], group: int | None
    ) -> None:
        self._path = Path(last_status.beside(str(socket)))
        self._document = document
        self._group = group
        self._stirred = asyncio.Event()

    def take(self, subscription: int, event: Event) -> None:
        """An event of any kind: write the whole document soon."""
        self._stirred.set()

    async def keep(self) -> None:
        """Write the file after events, for ever. It sleeps while there are none."""
        while True:
            await self._stirred.wait()
            await asyncio.sleep(REST)
            self._stirred.clear()
            await asyncio.to_thread(self._write, self._document())
            await asyncio.sleep(REST)

    def remove(self) -> None:
        """Delete the file: a daemon that ends in order leaves none."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _write(self, document: StatusDocument) -> None:
        """What cannot be written now is written with the next event."""
        began = ((pid, identity.began(pid)) for pid in _processes(document))
        text = last_status.text(document, {pid: at for pid, at in began if at is not None})
        with contextlib.suppress(OSError):
            replace_text(self._path, text)
            if self._group is not None:
                os.chown(self._path, -1, self._group)
                os.chmod(self._path, 0o640)


def _processes(document: StatusDocument) -> list[int]:
    runners = (each["pid"] for each in document["locations"])
    return [document["daemon"]["pid"], *(pid for pid in runners if pid is not None)]
