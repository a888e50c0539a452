"""Lines as they stand in a log file: `2026-01-31T06:00:00.000Z 3 stdout the text`."""

from __future__ import annotations

from datetime import UTC, datetime

from codelocd.logs.lines import Block, Line
from codelocd.model import Stream

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
