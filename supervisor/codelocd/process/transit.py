"""What was taken from a pipe and is not yet in the logs, in memory that outlives the daemon.

To read from a pipe is to take: a daemon that is killed between that and its write to a log would
lose the bytes. So they go from the pipe into a file in memory (memfd_create(2)) that the holder
has, too, by splice(2): the kernel moves them, and the place in the file with them, in one call
that no signal divides. Written down before that are the stream, the place, and the number of its
location's newest line. So the next daemon knows what was taken, and how many of those lines the
log has already. The beginning of a line that has no end yet waits there as well.

Few imports: the holder has it, too. Linux only.
"""

from __future__ import annotations

import mmap
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_ROOM_AT = 4096
_ROOM = 512 * 1024
"""Bytes for what is on its way; more than is ever taken at once."""

_SLOTS_AT = _ROOM_AT + _ROOM
_SLOTS = 64
"""Streams for which there is room at first."""

_LINE = 64 * 1024
"""Most that a beginning of a line has; longer lines are cut before."""

_HALF = struct.Struct("=QQI")
_HALF_SIZE = _HALF.size + _LINE
_SLOT_SIZE = 4096 * -(-(8 + 2 * _HALF_SIZE) // 4096)
_UNDER_WAY = struct.Struct("=QQIQQ")
_UNDER_WAY_AT = 8
_WHICH_AT = 1
_LAYOUT_AT = 2
_LAYOUT = 1
"""Of this memory; one that a daemon of another release has left may be laid out otherwise."""

_DO_NOT_WAIT = 2
"""SPLICE_F_NONBLOCK (linux/splice.h); `os` knows it on Linux alone."""

_NOTHING, _TAKING, _WRITTEN = 0, 1, 2
"""States: the first byte of all, so that one store changes it."""


class Transit:
    """One for a daemon and those after it. `descriptor`: what an earlier daemon had, which is
    closed here; None for a new one. Raises OSError.

    Each stream has a slot, of two halves of which one counts: the beginning of its last line, and
    how much was read of what a holder kept for it. All numbers are written before the byte that
    makes them count.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        is_new = descriptor is None
        if descriptor is None:
            descriptor = os.memfd_create("codelocd-output")
        self.descriptor = descriptor
        self._free: list[int] = []
        self._count = 0
        if is_new:
            os.ftruncate(self.descriptor, _SLOTS_AT + _SLOTS * _SLOT_SIZE)
            os.lseek(self.descriptor, _ROOM_AT, os.SEEK_SET)
        self._map()
        if is_new:
            self._memory[_LAYOUT_AT] = _LAYOUT
        elif self._memory[_LAYOUT_AT] != _LAYOUT:
            raise OSError("it is laid out otherwise")
        self._place = os.lseek(self.descriptor, 0, os.SEEK_CUR)

    def _map(self) -> None:
        size = os.fstat(self.descriptor).st_size
        self._memory = mmap.mmap(self.descriptor, size)
        former, self._count = self._count, (size - _SLOTS_AT) // _SLOT_SIZE
        self._free += range(self._count - 1, former - 1, -1)

    def close(self) -> None:
        self._memory.close()
        os.close(self.descriptor)

    # --- slots ---------------------------------------------------------------------------------

    def slot(self) -> int:
        """A new one, for one stream. Raises OSError."""
        if not self._free:
            os.ftruncate(self.descriptor, _SLOTS_AT + 2 * self._count * _SLOT_SIZE)
            self._map()
        slot = self._free.pop()
        self._memory[self._at(slot)] = 0
        _HALF.pack_into(self._memory, self._half_at(slot, 0), 0, 0, 0)
        return slot

    def keep(self, slots: Collection[int]) -> None:
        """They were handed out before, by an earlier daemon."""
        self._free = [each for each in self._free if each not in slots]

    def free(self, slot: int) -> None:
        """Its stream is at its end, and all of it is written."""
        self._free.append(slot)

    def begun(self, slot: int) -> bytes:
        """The beginning of a line that came last."""
        at = self._half_at(slot, self._memory[self._at(slot)])
        _, _, size = _HALF.unpack_from(self._memory, at)
        return self._memory[at + _HALF.size : at + _HALF.size + size]

    def read_of(self, slot: int, holder: int) -> int:
        """How many bytes of what that holder kept for the stream are written."""
        at = self._half_at(slot, self._memory[self._at(slot)])
        of, count, _ = _HALF.unpack_from(self._memory, at)
        return int(count) if of == holder else 0

    def has_any(self, slots: Iterable[int]) -> bool:
        """Whether anything is left for the next daemon to write, of these streams."""
        return self._memory[0] == _TAKING or any(map(self.begun, slots))

    # --- on its way ----------------------------------------------------------------------------

    def take(self, slot: int, pipe: int, size: int, last: int) -> bytes:
        """Up to `size` bytes of a pipe; `last` is the newest number of the log that they go to.

        Raises BlockingIOError, as os.read does, where there are none.
        """
        self.begin(slot, last, size)
        try:
            return self._taken(os.splice(pipe, self.descriptor, size, flags=_DO_NOT_WAIT))
        except BaseException:
            self._memory[0] = _NOTHING
            raise

    def take_kept(self, slot: int, file: int, size: int, last: int, holder: int) -> bytes:
        """The next bytes of what a holder kept for the stream."""
        read = self.read_of(slot, holder)
        self.begin(slot, last, size, holder, read)
        return self._taken(os.sendfile(self.descriptor, file, read, size))

    def begin(self, slot: int, last: int, size: int = 0, holder: int = 0, read: int = 0) -> None:
        """From now on something is on its way to the log, until it is `written`."""
        if self._place + size > _SLOTS_AT:
            self._place = os.lseek(self.descriptor, _ROOM_AT, os.SEEK_SET)
        place, at = self._place, _UNDER_WAY_AT
        _UNDER_WAY.pack_into(self._memory, at, place, last, slot, holder, read)
        self._memory[0] = _TAKING

    def written(self, slot: int, begun: bytes) -> None:
        """All of it is in the log, but for what has `begun` as a line."""
        place, _, _, holder, read = _UNDER_WAY.unpack_from(self._memory, _UNDER_WAY_AT)
        which = self._memory[self._at(slot)]
        of, count, size = _HALF.unpack_from(self._memory, self._half_at(slot, which))
        if begun or size or holder:
            which = 1 - which
            at = self._half_at(slot, which)
            if holder:
                of, count = holder, read + self._place - place
            _HALF.pack_into(self._memory, at, of, count, len(begun))
            self._memory[at + _HALF.size : at + _HALF.size + len(begun)] = begun
            self._memory[_WHICH_AT] = which
            self._memory[0] = _WRITTEN
            self._memory[self._at(slot)] = which
        self._memory[0] = _NOTHING

    def on_its_way(self) -> tuple[int, bytes, int] | None:
        """What a daemon that was killed had taken, and perhaps written: the slot, the bytes, and
        the newest number of the log before them. None where nothing was on its way."""
        state = self._memory[0]
        place, last, slot, *_ = _UNDER_WAY.unpack_from(self._memory, _UNDER_WAY_AT)
        if state == _TAKING:
            return slot, self._memory[place : self._place], last
        if state == _WRITTEN:
            self._memory[self._at(slot)] = self._memory[_WHICH_AT]
            self._memory[0] = _NOTHING
        return None

    def _taken(self, count: int) -> bytes:
        begin, self._place = self._place, self._place + count
        return self._memory[begin : self._place]

    def _at(self, slot: int) -> int:
        return _SLOTS_AT + slot * _SLOT_SIZE

    def _half_at(self, slot: int, which: int) -> int:
        return self._at(slot) + 8 + which * _HALF_SIZE
