"""What a code server prints: kept until it answers, its location's output from then on."""

from __future__ import annotations

from collections import deque

from codelocd.model import Output, Stream

LAST_PIECES = 30


class Words:
    """While it loads, the runner beside it prints the same: nobody wants to read it twice."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._loading = True
        self._said: deque[bytes] = deque(maxlen=LAST_PIECES)

    def heard(self, stream: Stream, data: bytes) -> None:
        if self._loading:
            self._said.append(data)
        else:
            self._output(stream, data)

    def pass_on(self) -> None:
        """It has loaded."""
        self._loading = False

    @property
    def last(self) -> str:
        """The end of what it printed while it loaded, for the problem that it may have."""
        return b"".join(self._said).decode(errors="replace")
