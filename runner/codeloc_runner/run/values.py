"""The values of assets between runs: one pickle each, in a folder for each asset."""

from __future__ import annotations

import os
from _pickle import Pickler, Unpickler
from os import fsync
from time import time

from ..load import exceptions
from ..process import say
from ..wire.json_values import dumps, loads
from ..wire.methods import python_version
from .folder import synced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .order import AttemptOrder


KEPT = 2
"""Values of one asset: the newest, and the one that another run may be reading."""
PROTOCOL = 5
"""Of pickles: what Python 3.8 and all after it read and write."""


class UnreadableValue(Exception):
    """A value that was stored and cannot be read here."""


def removed(path: str) -> None:
    """Another run may have done it, or the folder cannot be written."""
    try:  # noqa: SIM105  contextlib would cost milliseconds
        os.unlink(path)
    except OSError:
        pass


def sync_names(folder: str) -> None:
    """Which names the folder holds is on the disk, where its file system can do that."""
    try:  # noqa: SIM105  as above
        os.close(synced(folder))
    except OSError:
        pass


class StoredValues:
    """What `codeloc` wants of a store. A file is a line of JSON that says who wrote it, and the
    pickle. Without a folder nothing is stored.
    """

    def __init__(self, order: AttemptOrder) -> None:
        self._folder = order.values
        self._run = order.run
        self._environment = order.environment

    def has(self, key: Tuple[str, ...]) -> bool:
        return bool(self._files(key))

    def store(self, key: Tuple[str, ...], value: Any, context: Any, taken: bool) -> Optional[str]:
        """Why it could not be, in a line. A value that no function takes is of no use."""
        if self._folder is None or not taken:
            return None
        folder = self._of(key)
        new = os.path.join(folder, f"{self._run}-{os.getpid()}.new")
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            self._write(new, value)
            self._make_newest(new, key)
            os.rename(new, os.path.join(folder, str(self._run)))
            sync_names(folder)
            self._remove_older(key)
            removed(self._unstored(key))
        except Exception as error:  # noqa: BLE001  a class may do anything when it is pickled
            removed(new)
            self._mark_unstored(key)
            return f"{exceptions.type_name(error)}: {exceptions.message(error)[:500]}"
        return None

    def _remove_older(self, key: Tuple[str, ...]) -> None:
        for name in self._files(key)[KEPT:]:
            removed(os.path.join(self._of(key), name))

    def _unstored(self, key: Tuple[str, ...]) -> str:
        """A file that is there while the newest value is not that of the last run which made it."""
        return os.path.join(self._of(key), "unstored")

    def _mark_unstored(self, key: Tuple[str, ...]) -> None:
        try:
            with open(self._unstored(key), "wb") as file:
                file.write(f"{self._run}".encode())
        except OSError:
            pass  # a full disk

    def load(self, key: Tuple[str, ...], context: Any) -> Any:
        """Raises UnreadableValue."""
        names = self._files(key)
        if not names:
            raise UnreadableValue(f"no run has left a value of {'/'.join(key)}")
        header: Dict[str, Any] = {}
        with open(os.path.join(self._of(key), names[0]), "rb") as file:
            try:
                header = loads(file.readline().decode())
                self._tell_older(key, header["run"])
                return Unpickler(file).load()
            except Exception as error:
                raise UnreadableValue(self._told(key, names[0], header, error)) from error

    def _tell_older(self, key: Tuple[str, ...], run: int) -> None:
        try:
            with open(self._unstored(key), "rb") as file:
                newer = file.read(20).decode()
        except OSError:
            return
        name = "/".join(key)
        say(f"the value of {name} is that of run {run}: what run {newer} made could not be stored")

    def _write(self, path: str, value: Any) -> None:
        header = {
            "python": python_version(),
            "environment": self._environment,
            "run": self._run,
            "at": time(),
        }
        with open(path, "wb") as file:
            file.write(dumps(header).encode() + b"\n")
            Pickler(file, PROTOCOL).dump(value)
            file.flush()
            fsync(file.fileno())  # before the result that tells of it

    def _told(
        self, key: Tuple[str, ...], run: str, header: Dict[str, Any], error: Exception
    ) -> str:
        what = f"the value of {'/'.join(key)} that run {run} has left"
        here = (python_version(), self._environment)
        wrote = (header.get("python"), header.get("environment"))
        if not header:
            told = f"{what} is damaged"
        elif wrote == here:
            told = f"{what} cannot be read by the code of now"
        else:
            told = "{} was written by Python {} in environment {}, and".format(what, *wrote)
            told += " Python {} in environment {} cannot read it".format(*here)
        why = f"{exceptions.type_name(error)}: {exceptions.message(error)[:500]}"
        return f"{told} ({why}); have it made again: --upstream"

    def _files(self, key: Tuple[str, ...]) -> List[str]:
        """The newest first."""
        return [name for _, name in self._timed(key)]

    def _timed(self, key: Tuple[str, ...]) -> List[Tuple[int, str]]:
        if self._folder is None:
            return []
        try:
            with os.scandir(self._of(key)) as found:
                timed = [(each.stat().st_mtime_ns, each.name) for each in found]
        except OSError:
            return []
        return sorted((each for each in timed if each[1].isdigit()), reverse=True)

    def _make_newest(self, path: str, key: Tuple[str, ...]) -> None:
        """It is newer than what is there, also where the clock was set back meanwhile."""
        for newest, _ in self._timed(key)[:1]:
            if os.stat(path).st_mtime_ns <= newest:
                os.utime(path, ns=(newest + 1, newest + 1))

    def _of(self, key: Tuple[str, ...]) -> str:
        """No name has a dot in it: no two keys are one folder, and none lies in another's."""
        return os.path.join(self._folder or "", ".".join(key))
