"""What a command ends with when it could not do what was asked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence
    from typing import Final


class ExitCode:
    """The exit codes that scripts may rely on. No enum: its import takes 2 ms."""

    DONE: Final = 0
    FAILED: Final = 1
    USAGE: Final = 2
    NO_DAEMON: Final = 3
    UNKNOWN: Final = 4
    NOT_EXECUTABLE: Final = 126
    NOT_FOUND: Final = 127
    INTERRUPTED: Final = 130


KINDS = {"usage": ExitCode.USAGE, "unknown": ExitCode.UNKNOWN}
"""Exit codes of the errors that a daemon answers with; FAILED for the rest."""


class Failure(Exception):
    """Ends a command: one line for stderr that says what, where and what to do.

    `also`: further lines like it, where several things are wrong at once.
    """

    def __init__(self, summary: str, code: int = ExitCode.FAILED, also: Sequence[str] = ()) -> None:
        super().__init__(summary)
        self.code = code
        self.also = also


class NoDaemon(Failure):
    """Nobody listens where a daemon was meant: `project` is set where it is the project's own."""

    def __init__(self, summary: str, project: str | None = None) -> None:
        super().__init__(summary, ExitCode.NO_DAEMON)
        self.project = project
