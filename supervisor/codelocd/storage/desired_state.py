"""Remembers which locations were stopped: `stop` holds until `start`, also under the next
daemon."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeloc_envs.files import found, make_folder, mapping, read_record, replace_text, texts
from codelocd.storage.daemon_log import structlog

log = structlog.get_logger()

AGAIN = 5.0
"""Seconds until a change that could not be written is written again."""


class DesiredState:
    """The names of stopped locations, kept in a file that is replaced as a whole.

    `recalled` gives the stopped locations that are known otherwise, for when the file is damaged.
    """

    def __init__(
        self, path: Path, recalled: Callable[[], Iterable[str]] = lambda: (), again: float = AGAIN
    ) -> None:
        self._path = path
        self._again = again
        self._retry: asyncio.TimerHandle | None = None
        self.unwritten = ""
        """Why the file does not hold the present state; "" where it does."""
        self._stopped: set[str] = set()
        self._written = frozenset[str]()
        try:
            self._read(recalled)
        except OSError as error:  # nothing can be read for now
            self._stopped = set(recalled())
            self.unwritten = f"what is stopped cannot be read: {path}: {error.strerror}"

    def is_wanted(self, name: str) -> bool:
        return name not in self._stopped

    def want(self, name: str) -> None:
        self._stopped.discard(name)
        self._write()

    def unwant(self, name: str) -> None:
        self._stopped.add(name)
        self._write()

    def _read(self, recalled: Callable[[], Iterable[str]]) -> None:
        before = len(found)
        stopped = read_record(self._path, _stopped)
        self._stopped = set(stopped or ())
        if len(found) == before:
            self._written = frozenset(self._stopped)
            return
        self._stopped = set(recalled())
        names = ", ".join(sorted(self._stopped)) or "none"
        found[-1] = replace(found[-1], then=f"stopped, as far as is known: {names}")
        self._write()

    def close(self) -> None:
        """Nothing more is written."""
        if self._retry is not None:
            self._retry.cancel()

    def _write(self) -> None:
        """What cannot be written now is obeyed all the same, and written as soon as it can be."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._written == self._stopped:
            self.unwritten = ""
            return
        try:
            make_folder(self._path.parent)
            replace_text(self._path, json.dumps({"stopped": sorted(self._stopped)}))
        except OSError as error:
            if not self.unwritten:
                log.warning(f"the next daemon will not know what is stopped: {error}")
            self.unwritten = f"the next daemon would not know what is stopped: {error}"
            with contextlib.suppress(RuntimeError):  # without a loop: with the next wish
                loop = asyncio.get_running_loop()
                self._retry = loop.call_later(self._again, self._write)
        else:
            self._written = frozenset(self._stopped)
            self.unwritten = ""


def _stopped(data: Any) -> tuple[str, ...]:
    return texts(mapping(data)["stopped"])
