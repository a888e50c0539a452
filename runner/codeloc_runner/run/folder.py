"""The files of one attempt: what makes sure that it runs once, and tells what came of it.

`lock.N` is held for as long as the attempt lives. `begun.N` is made before any user code, by one
process alone; `result.N` is there, whole, once all of it has ended.

What is called after user code is bound before: that may have put anything in the place of
`os.rename` or `open`, and may have left no descriptor for another file.
"""

from __future__ import annotations

import os
from errno import EDQUOT, EEXIST, ENOSPC
from fcntl import LOCK_EX, LOCK_NB, flock
from os import (
    O_CLOEXEC,
    O_CREAT,
    O_RDONLY,
    O_TRUNC,
    O_WRONLY,
    close,
    fstat,
    fsync,
    mkdir,
    rename,
    stat,
    write,
)
from os import open as opened
from time import monotonic, sleep, time

from ..process import say
from ..serving import identity
from ..wire.json_values import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Optional, Tuple


class AlreadyRun(Exception):
    """Another process has this attempt, or had it."""


FULL_SECONDS = 60.0
"""How long a disk that is full is given to have room for a result again."""
PAUSE_SECONDS = 0.5


class AttemptFolder:
    """Those of attempt `number` in the folder of its run."""

    __slots__ = ("_folder", "_identity", "_kept", "_lock", "_number")

    def __init__(self, folder: str, number: int) -> None:
        self._folder = folder
        self._number = number
        self._lock: Optional[int] = None
        self._kept: Optional[Tuple[int, Tuple[int, int]]] = None

    @property
    def order(self) -> str:
        return self._path("order")

    def claim(self) -> None:
        """Raises AlreadyRun, or OSError; nothing has begun then."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = os.open(self._path("lock"), flags, 0o600)
        try:
            flock(self._lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise AlreadyRun(f"another process holds {self._path('lock')}") from None
        self._identity = identity(os.fstat(self._lock))
        os.register_at_fork(after_in_child=self._let_go)
        if os.path.exists(self._path("result")):
            raise AlreadyRun(f"{self._path('result')} is there")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            begun = os.open(self._path("begun"), flags, 0o600)
        except FileExistsError:
            raise AlreadyRun(f"{self._path('begun')} is there") from None
        try:
            os.write(begun, dumps({"pid": os.getpid(), "at": time()}).encode())
        except OSError:  # a full disk: no user code has begun, and another process may try
            os.unlink(self._path("begun"))
            raise
        finally:
            os.close(begun)
        # The name alone counts: the file itself may come to the disk later.
        folder = synced(self._folder)
        self._kept = folder, identity(fstat(folder))
        os.register_at_fork(after_in_child=self._free)

    def leave_result(self, result: Mapping[str, Any]) -> Optional[str]:
        """Whole, and on the disk; why it is not there, if so."""
        data = dumps(result).encode()
        end, is_told = monotonic() + FULL_SECONDS, False
        self._free()
        while True:
            try:
                self._make_again()
                self._write(data)
            except OSError as error:
                if error.errno not in (ENOSPC, EDQUOT) or monotonic() > end:
                    return str(error)
                if not is_told:
                    say(f"the result waits up to {FULL_SECONDS:g} s for room on the disk: {error}")
                    is_told = True
                sleep(PAUSE_SECONDS)
            else:
                return None

    def _make_again(self) -> None:
        """The folder, if it was removed with all that is in it. Raises OSError where it is of
        another run by now."""
        try:
            found = identity(stat(self._path("lock")))
        except FileNotFoundError:
            for folder in (self._folder.rpartition("/")[0], self._folder):
                make_folder(folder)
            return
        if found != self._identity:
            raise FileExistsError(EEXIST, "another attempt has its folder", self._folder)

    def _write(self, data: bytes) -> None:
        write_whole(self._path("result"), data)
        close(synced(self._folder))

    def _free(self) -> None:
        """Give back the descriptor that is kept for when user code has left no other."""
        kept, self._kept = self._kept, None
        if kept is not None:
            close_ours(*kept)

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}.{self._number}"

    def _let_go(self) -> None:
        """In what user code forks: the lock means that the attempt itself lives."""
        if self._lock is not None:
            close_ours(self._lock, self._identity)
        self._lock = None


def close_ours(descriptor: int, own: Tuple[int, int]) -> None:
    """Not where user code has closed it, and opened another file in its place."""
    try:
        if identity(fstat(descriptor)) == own:
            close(descriptor)
    except OSError:
        pass


def synced(path: str) -> int:
    """The folder, opened: which names it holds is on the disk. Raises OSError."""
    folder = opened(path, O_RDONLY | O_CLOEXEC)
    try:
        fsync(folder)
    except BaseException:
        close(folder)
        raise
    return folder


def make_folder(path: str) -> None:
    """Unless it is there."""
    try:
        mkdir(path, 0o700)
    except FileExistsError:
        return


def write_whole(path: str, data: bytes) -> None:
    """All of it is on the disk before the name is there. Raises OSError."""
    file = opened(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[write(file, rest) :]
        fsync(file)
    finally:
        close(file)
    rename(path + ".new", path)
