"""Output that goes to a log, line by line, and outlives the daemon that reads it."""

from __future__ import annotations

from typing import Protocol

from codelocd.model import Output, Stream

LOCATIONS = "locations"
"""The name of the logs of locations, among those of a daemon."""


class LoggedOutput(Protocol):
    """What an Output has as its `logged`, where it writes whole lines to a location's log."""

    @property
    def logs(self) -> str:
        """The name of the logs that the log is one of."""
        ...

    @property
    def location(self) -> str: ...

    @property
    def generation(self) -> int | None: ...

    @property
    def last(self) -> int:
        """The number of the newest line of the location's log."""
        ...

    def beside(self) -> Output:
        """For another process whose output goes to the same log."""
        ...

    def begun(self, stream: Stream) -> bytes:
        """The beginning of a line that has no end yet."""
        ...

    def go_on(self, stream: Stream, begun: bytes, data: bytes = b"", known: int = 0) -> None:
        """Where a daemon was killed: `begun`, then `data`, of whose lines the log has `known`."""
