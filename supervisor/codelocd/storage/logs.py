"""Keeps what runners print: the last lines in memory, more in files; followers get all of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from heapq import heappop, heappush, merge
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.core.logged_output import LOCATIONS, LoggedOutput
from codelocd.model import Stream
from codelocd.storage.log_files import FILE_BYTES, KEPT_BYTES, Later, LogFiles
from codelocd.storage.log_lines import Block, Line, Splitter, decode, encode, moment
from codelocd.storage.paths import file_name

if TYPE_CHECKING:
    from codelocd.documents.locations import DroppedOutput

RECENT_LINES = 1000
RECENT_BYTES = 512 * 1024
"""What a location keeps in memory, whichever is less; the files have the rest."""

ANSWER_BYTES = 16 * 1024 * 1024
"""Bytes of text in one answer: a message has a bound, and a large answer takes long."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines: the last `lines` of those that fit, or with `after` the first.

    `since` and `until` are Unix seconds, the first included, the second not; `contains` is a
    piece of text. `after` and `before` have for each location the number of a line: what is asked
    for comes after the one, or before the other.
    """

    lines: int = 100
    since: float | None = None
    until: float | None = None
    stream: Stream | None = None
    contains: str | None = None
    after: Mapping[str, int] | None = None
    before: Mapping[str, int] = field(default_factory=dict)

    def has(self, line: Line) -> bool:
        """Whether the line fits, wherever it stands."""
        return (
            (self.since is None or line.at >= self.since)
            and (self.until is None or line.at < self.until)
            and self.stream in (None, line.stream)
            and (self.contains is None or self.contains in line.text)
        )

    def fitting(self, records: Iterable[bytes]) -> Iterator[bytes]:
        """Those of the lines of a file that may fit: most are told without decoding them."""
        needle = (self.contains or "").encode()
        since = moment(self.since).encode() if self.since is not None else b""
        until = moment(self.until).encode() if self.until is not None else b":"
        for record in records:
            at = record.find(b" ") + 1
            early = record[at : at + len(since)] < since
            late = record[at : at + len(until)] > until
            if not early and not late and needle in record:
                yield record


class RunnerOutput:
    """An Output of lines to the log of a location, and a LoggedOutput."""

    def __init__(
        self,
        location: str,
        generation: int | None,
        add: Callable[[Stream, list[str]], None],
        last: Callable[[], int],
        logs: str = LOCATIONS,
    ) -> None:
        self.location = location
        self.generation = generation
        self.logs = logs
        self._add = add
        self._last = last
        self._splitters: dict[Stream, Splitter] = {"stdout": Splitter(), "stderr": Splitter()}

    def __call__(self, stream: Stream, data: bytes) -> None:
        splitter = self._splitters[stream]
        texts = splitter.feed(data) if data else splitter.close()
        if texts:
            self._add(stream, texts)

    def beside(self) -> RunnerOutput:
        """For another process whose output goes to the same log."""
        return RunnerOutput(self.location, self.generation, self._add, self._last, self.logs)

    @property
    def logged(self) -> LoggedOutput:
        return self

    @property
    def last(self) -> int:
        return self._last()

    def begun(self, stream: Stream) -> bytes:
        return self._splitters[stream].begun

    def go_on(self, stream: Stream, begun: bytes, data: bytes = b"", known: int = 0) -> None:
        splitter = self._splitters[stream]
        splitter.begun = begun
        texts = splitter.feed(data)[known:]
        if texts:
            self._add(stream, texts)


class Logs:
    """Takes what runners print and keeps the last of it, in memory and in `folder`.

    `follow` gets every block of lines as it comes; `name` tells these logs from others of the
    daemon. Of one thread, but for what `reading` returns.
    """

    def __init__(
        self,
        folder: Path,
        *,
        follow: Callable[[Block], object] = lambda _block: None,
        clock: Callable[[], float] = time.time,
        file_bytes: int = FILE_BYTES,
        kept_bytes: int = KEPT_BYTES,
        name: str = LOCATIONS,
    ) -> None:
        self.name = name
        self._folder = folder
        self._follow = follow
        self._clock = clock
        self._file_bytes = file_bytes
        self._kept_bytes = kept_bytes
        self._chores = ThreadPoolExecutor(1, "logs")
        self._locations: dict[str, _LocationLog] = {}

    def output(self, location: str, generation: int | None) -> RunnerOutput:
        """Where one runner's output goes: call it with each chunk, and with b"" at the end."""

        def add(stream: Stream, texts: list[str]) -> None:
            at = round(self._clock(), 3)
            self._follow(self._log(location).add(at, stream, texts, generation))

        return RunnerOutput(location, generation, add, lambda: self._log(location).last, self.name)

    def lines(self, locations: Collection[str], n: int) -> list[Line]:
        """The last `n` lines of these locations together, oldest first."""
        _, read = self.reading(locations, LogQuery(n))
        found, _ = read()
        return found

    def reading(
        self, locations: Collection[str], query: LogQuery
    ) -> tuple[bool, Callable[[], tuple[list[Line], bool]]]:
        """Whether files have to be read for what `query` asks for, and what gives it, on any
        thread: the lines, oldest first, and whether the bound of an answer has left some out.

        Those of one location stay in their order even where the clock was set back.
        """
        found = [self._log(location).reading(query) for location in locations]
        slow = any(each.needs_files for each in found)
        return slow, lambda: _nearest(found, query)

    def last_numbers(self, locations: Iterable[str]) -> dict[str, int]:
        """The number of the newest line of each; 0 for one that never printed."""
        return {name: self._log(name).last for name in locations}

    @property
    def dropped(self) -> dict[str, DroppedOutput]:
        """Of each location whose output could not all be written: how many bytes, and why."""
        return {
            name: {"bytes": log.files.dropped, "why": log.files.why}
            for name, log in self._locations.items()
            if log.files.dropped
        }

    @property
    def written(self) -> dict[str, int]:
        """Bytes that were written for each location since the daemon started."""
        return {name: log.files.written for name, log in self._locations.items()}

    def forget(self, location: str) -> None:
        """Free what a location that is gone takes; its files stay."""
        log = self._locations.pop(location, None)
        if log is not None:
            log.files.close()

    def close(self) -> None:
        """Returns when the files are as they stay."""
        for location in list(self._locations):
            self.forget(location)
        self._chores.shutdown()

    def _log(self, location: str) -> _LocationLog:
        if location not in self._locations:
            path = self._folder / f"{file_name(location)}.log"
            later: Later = self._chores.submit
            files = LogFiles(path, self._file_bytes, self._kept_bytes, later)
            self._locations[location] = _LocationLog(location, files)
        return self._locations[location]


SORTED = 2000
"""Lines that are sorted in one go, which holds up all other threads."""


def _nearest(found: Iterable[_LogPart], query: LogQuery) -> tuple[list[Line], bool]:
    """Of all locations together the last lines, oldest first; or the first, where so asked.

    Whether some are left out because an answer has a bound. One file is open at a time, and no
    more is read of it, or kept, than is needed.
    """
    sign = 1 if query.after is None else -1
    kept: list[tuple[tuple[float, int, int], Line]] = []
    floor, size, cut = (-inf, 0, 0), 0, False
    for index, reading in enumerate(found if query.lines > 0 else ()):
        with closing(reading.backwards() if sign > 0 else reading.forwards()) as lines:
            at = inf
            for line in lines:
                at = min(at, sign * line.at)  # where the clock was set back, its order counts
                place = (at, sign * line.seq, index)
                if place < floor:
                    break
                heappush(kept, (place, line))
                size += len(line.text)
                while len(kept) > query.lines or (size > ANSWER_BYTES and len(kept) > 1):
                    cut = cut or len(kept) <= query.lines
                    floor, left_out = heappop(kept)
                    size -= len(left_out.text)
    pieces = [sorted(kept[at : at + SORTED]) for at in range(0, len(kept), SORTED)]
    return [line for _, line in merge(*pieces)][::sign], cut


class _LocationLog:
    """The last blocks of one location, and its files."""

    def __init__(self, location: str, files: LogFiles) -> None:
        self.files = files
        self._location = location
        self._recent: deque[tuple[Block, int]] = deque()
        self._count = 0
        self._size = 0
        self._last: int | None = None

    @property
    def last(self) -> int:
        """The number of the newest line: it goes on where an earlier daemon ended."""
        if self._last is None:
            self._last = self.files.last_number()
        return self._last

    def add(self, at: float, stream: Stream, texts: list[str], generation: int | None) -> Block:
        block = Block(self.last + 1, at, self._location, stream, texts, generation)
        encoded = encode(block)
        self._last = block.last
        self.files.append(encoded, block.last)
        self._recent.append((block, len(encoded)))
        self._count += len(texts)
        self._size += len(encoded)
        while len(self._recent) > 1 and self._has_enough_without_first():
            first, size = self._recent.popleft()
            self._count -= len(first.texts)
            self._size -= size
        return block

    def reading(self, query: LogQuery) -> _LogPart:
        return _LogPart(self._location, self.files, [each for each, _ in self._recent], query)

    def _has_enough_without_first(self) -> bool:
        first = self._recent[0][0]
        return self._count - len(first.texts) >= RECENT_LINES or self._size > RECENT_BYTES


@dataclass(frozen=True, slots=True)
class _LogPart:
    """One location's part of an answer: of `recent`, which is in memory, and of its files."""

    location: str
    files: LogFiles
    recent: list[Block]
    query: LogQuery

    @property
    def needs_files(self) -> bool:
        """Whether memory alone cannot answer."""
        query = self.query
        if query.after is not None:
            return not self.recent or query.after.get(self.location, 0) < self.recent[0].seq - 1
        return query != LogQuery(query.lines) or self._in_memory < query.lines

    def backwards(self) -> Generator[Line, None, None]:
        """The newest first."""
        below = self.query.before.get(self.location)
        for block in reversed(self.recent):
            for line in reversed(list(block.lines())):
                if below is None or line.seq < below:
                    below = line.seq
                    if self.query.has(line):
                        yield line
        if self.recent:
            below = min(below or self.recent[0].seq, self.recent[0].seq)
        for line in self._decoded(self.files.backwards()):
            if below is None or line.seq < below:
                below = line.seq
                yield line

    def forwards(self) -> Generator[Line, None, None]:
        """The oldest first."""
        after = (self.query.after or {}).get(self.location, 0)
        first = self.recent[0].seq if self.recent else None
        if first is None or after < first - 1:
            for line in self._decoded(self.files.forwards(after)):
                if line.seq > after and (first is None or line.seq < first):
                    after = line.seq
                    yield line
        for block in self.recent:
            if block.last > after:
                yield from (n for n in block.lines() if n.seq > after and self.query.has(n))

    @property
    def _in_memory(self) -> int:
        return sum(len(block.texts) for block in self.recent)

    def _decoded(self, records: Iterator[bytes]) -> Iterator[Line]:
        for record in self.query.fitting(records):
            line = decode(self.location, record)
            if line is not None and self.query.has(line):
                yield line
