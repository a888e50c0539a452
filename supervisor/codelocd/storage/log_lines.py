"""From output as it arrives to lines, and lines as they stand in a log file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from codelocd.model import Stream

LINE_BYTES = 64 * 1024
"""A longer line is split, so that one without an end cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output, without its end; `at` in Unix seconds, to the millisecond."""

    at: float
    location: str
    stream: Stream
    text: str
    generation: int | None

    def document(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "location": self.location,
            "stream": self.stream,
            "text": self.text,
            "generation": self.generation,
        }


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that arrived together. A million lines are far cheaper in blocks than one by one."""

    at: float
    location: str
    stream: Stream
    texts: list[str]
    generation: int | None

    def line(self, text: str) -> Line:
        return Line(self.at, self.location, self.stream, text, self.generation)

    def lines(self) -> Iterator[Line]:
        return map(self.line, self.texts)


class Splitter:
    """Cuts one stream into lines, and keeps what has no end yet. Nothing is lost."""

    def __init__(self, longest: int = LINE_BYTES) -> None:
        self._longest = longest
        self._held = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete with `data`; invalid UTF-8 in them becomes `\\xNN`."""
        complete, end, self._held = (self._held + data).rpartition(b"\n")
        lines = self._lines(complete) if end else []
        if len(self._held) > self._longest:
            *pieces, self._held = self._pieces(self._held)
            lines += map(_text, pieces)
        return lines

    def close(self) -> list[str]:
        """The last line, where it has no end."""
        last, self._held = self._held, b""
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


_STREAMS: dict[str, Stream] = {"stdout": "stdout", "stderr": "stderr"}


def encode(block: Block) -> bytes:
    """The lines of a block; `-` stands for no generation."""
    moment = datetime.fromtimestamp(block.at, UTC).isoformat(timespec="milliseconds")
    generation = "-" if block.generation is None else block.generation
    head = f"{moment.replace('+00:00', 'Z')} {generation} {block.stream} "
    lines = f"\n{head}".join(block.texts)
    return f"{head}{lines}\n".encode()


def decode(location: str, record: bytes) -> Line | None:
    """One line; None for what is none, as after somebody has edited the file."""
    try:
        moment, generation, stream, text = record.decode("utf-8", "replace").split(" ", 3)
        return Line(
            at=round(datetime.fromisoformat(moment).timestamp(), 3),
            location=location,
            stream=_STREAMS[stream],
            text=text,
            generation=None if generation == "-" else int(generation),
        )
    except (ValueError, KeyError):
        return None
