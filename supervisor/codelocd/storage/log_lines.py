"""Cuts output into numbered lines, and writes and reads the lines of a log file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from codelocd.model import Stream

if TYPE_CHECKING:
    from codelocd.documents.locations import LogBlock, LogLine

LINE_BYTES = 64 * 1024
"""A longer line is split, so that one without an end cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output, without its end; `at` in Unix seconds, to the millisecond.

    `seq` numbers the lines of its location from 1, without gaps, across daemons.
    """

    seq: int
    at: float
    location: str
    stream: Stream
    text: str
    generation: int | None

    def document(self) -> LogLine:
        return {
            "seq": self.seq,
            "at": self.at,
            "location": self.location,
            "stream": self.stream,
            "text": self.text,
            "generation": self.generation,
        }


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that arrived together: a million lines are far cheaper in blocks than one by one.

    The first of `texts` has the number `seq`, each next one the next number.
    """

    seq: int
    at: float
    location: str
    stream: Stream
    texts: list[str]
    generation: int | None

    @property
    def last(self) -> int:
        """The number of its last line."""
        return self.seq + len(self.texts) - 1

    def lines(self) -> Iterator[Line]:
        for seq, text in enumerate(self.texts, self.seq):
            yield Line(seq, self.at, self.location, self.stream, text, self.generation)

    def document(self) -> LogBlock:
        """The shape of an event of the topic `logs` for those who take blocks."""
        return {
            "seq": self.seq,
            "at": self.at,
            "location": self.location,
            "stream": self.stream,
            "texts": self.texts,
            "generation": self.generation,
        }


class Splitter:
    """Cuts one stream into lines, and keeps what has no end yet in `begun`. Nothing is lost."""

    def __init__(self, longest: int = LINE_BYTES) -> None:
        self._longest = longest
        self.begun = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete with `data`; invalid UTF-8 in them becomes `\\xNN`."""
        complete, end, self.begun = (self.begun + data).rpartition(b"\n")
        lines = self._lines(complete) if end else []
        if len(self.begun) > self._longest:
            *pieces, self.begun = self._pieces(self.begun)
            lines += map(_text, pieces)
        return lines

    def close(self) -> list[str]:
        """The last line, where it has no end."""
        last, self.begun = self.begun, b""
        return [_text(last)] if last else []

    def _lines(self, complete: bytes) -> list[str]:
        if len(complete) > self._longest:
            lines = complete.split(b"\n")
            if max(map(len, lines)) > self._longest:
                return [_text(piece) for line in lines for piece in self._pieces(line)]
        return _text(complete).split("\n")

    def _pieces(self, line: bytes) -> list[bytes]:
        """A line that is too long, in parts that begin with whole characters."""
        begin, pieces = 0, []
        while len(line) - begin > self._longest:
            end = _boundary(line, begin + self._longest)
            pieces.append(line[begin:end])
            begin = end
        return [*pieces, line[begin:]]


def _boundary(line: bytes, at: int) -> int:
    """The last beginning of a UTF-8 character up to `at`, at most three bytes back (RFC 3629)."""
    for back in range(4):
        if line[at - back] & 0xC0 != 0x80:
            return at - back
    return at


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")


_STREAMS: dict[bytes, Stream] = {b"stdout": "stdout", b"stderr": "stderr"}


def encode(block: Block) -> bytes:
    """The lines of a block, each with its number and all else; `-` stands for no generation."""
    generation = "-" if block.generation is None else block.generation
    head = f" {moment(block.at)} {generation} {block.stream} "
    numbered = [f"{seq}{head}{text}\n" for seq, text in enumerate(block.texts, block.seq)]
    return "".join(numbered).encode()


def moment(at: float) -> str:
    """Unix seconds as they stand in a file: in UTC, so that text sorts as time does."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def decode(location: str, record: bytes) -> Line | None:
    """One line; None for what is none, as after a person has edited the file."""
    try:
        seq, at, generation, stream, text = record.split(b" ", 4)
        return Line(
            seq=int(seq),
            at=_at(at),
            location=location,
            stream=_STREAMS[stream],
            text=text.decode("utf-8", "replace"),
            generation=None if generation == b"-" else int(generation),
        )
    except (ValueError, KeyError):
        return None


@lru_cache(maxsize=64)
def _at(written: bytes) -> float:
    return round(datetime.fromisoformat(written.decode("ascii")).timestamp(), 3)


def number(record: bytes) -> int | None:
    """The number of a line; None for what is no line."""
    digits, _, rest = record.partition(b" ")
    return int(digits) if digits.isdigit() and rest[:2] == b"20" else None
