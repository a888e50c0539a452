"""Lines of output on their way to the tabs: in batches, and never more than a tab can show."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from codelocd.documents.locations import LogBlock, LogLine

BATCH_LINES = 2000
"""Lines of one batch; of more that came meanwhile the oldest are left out, and counted."""
BATCH_SECONDS = 0.1
LINE_CHARACTERS = 8192
"""Of one line; the page shows 2,000 of them until the reader asks for the rest."""

Line: TypeAlias = tuple[int, float, str, str, str, int | None]
"""`(seq, at, location, stream, text, generation)`."""


class Batch:
    """What one tab has not been sent yet; `locations` None: it looks at all of them.

    `kind`: what the page calls the messages.
    """

    def __init__(self, locations: Collection[str] | None, kind: str = "output") -> None:
        self.locations = locations
        self._kind = kind
        self._lines: deque[Line] = deque(maxlen=BATCH_LINES)
        self._skipped = 0

    def add(self, heard: LogLine | LogBlock) -> None:
        if self.locations is not None and heard["location"] not in self.locations:
            return
        came = lines(heard)
        self._skipped += max(0, len(self._lines) + len(came) - BATCH_LINES)
        self._lines.extend(came)

    def take(self) -> dict[str, Any] | None:
        """The batch as the page gets it; None where nothing came."""
        if not self._lines:
            return None
        taken = {"type": self._kind, "lines": list(self._lines), "skipped": self._skipped}
        self._lines.clear()
        self._skipped = 0
        return taken


def lines(heard: Any) -> list[Line]:
    """The lines of an event of the topic `logs`, or of an answer of the method `logs`."""
    texts = heard["texts"] if "texts" in heard else [heard["text"]]
    first, at, location = heard["seq"], heard["at"], heard["location"]
    stream, generation = heard["stream"], heard["generation"]
    return [
        (first + offset, at, location, stream, text[:LINE_CHARACTERS], generation)
        for offset, text in enumerate(texts)
    ]
