"""Turns an error that ends a command into one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final


class ExitCode:
    """The exit codes that scripts may rely on. No enum: its import takes 2 ms."""

    DONE: Final = 0
    FAILED: Final = 1
    USAGE: Final = 2
    NO_DAEMON: Final = 3
    UNKNOWN: Final = 4
    BUSY: Final = 75
    """Another daemon runs on this state: EX_TEMPFAIL of sysexits.h."""
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
    """No daemon listens where one was meant: `project` is set where it is the project's own."""

    def __init__(self, summary: str, project: str | None = None) -> None:
        super().__init__(summary, ExitCode.NO_DAEMON)
        self.project = project


class SilentDaemon(Failure):
    """A daemon listens and does not answer. `name` says which; `project` is set where it is the
    project's own."""

    def __init__(self, summary: str, name: str, project: str | None) -> None:
        super().__init__(summary, ExitCode.NO_DAEMON)
        self.name = name
        self.project = project


class NothingServes(Failure):
    """The daemon has no code of a location to run or to ask."""


DEBUG = "CODELOCD_DEBUG"
"""When it is set, an internal error shows its traceback."""
HOMELESS = "Could not determine home directory."
"""What `Path.home()` raises."""
SET_HOME = "set HOME to a folder that is this user's own"


def guarded(command: Callable[[], int]) -> int:
    """Run `command`, report what it failed with, return the exit code."""
    try:
        code = command()
        sys.stdout.flush()
    except Failure as failure:
        for line in (str(failure), *failure.also):
            failed(line)
        return failure.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError as error:
        return _nobody_listens() if _is_unread() else _bug(error)
    except Exception as error:  # noqa: BLE001 no traceback of ours reaches a user unasked
        if _was_interrupt(error):
            return ExitCode.INTERRUPTED
        return _bug(error)
    return code


def _was_interrupt(error: Exception) -> bool:
    """Whether pydantic has made it of an interrupt that came while it built a model: it keeps the
    words, and no cause. A handler of our own would keep asyncio from its own, which cancels.
    """
    made = type(error).__module__.partition(".")[0] == "pydantic_core"
    lines = (line.strip() for line in str(error).splitlines()) if made else ()
    return any(line.startswith(f"{KeyboardInterrupt.__name__}:") for line in lines)


def guarded_daemon(command: Callable[[], int], *, service: bool) -> int:
    """The same for a daemon, which no reader of its output holds up: SIGINT and SIGTERM before it
    heeds them itself end it well. For a service SIGTERM waits until then: see `main`.
    """
    import signal

    from codelocd.process.writer import unhindered

    if not service:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with unhindered("stderr", *(("stdout",) if service else ())):
        code = guarded(command)
    return ExitCode.DONE if code == ExitCode.INTERRUPTED else code


def failed(summary: str, code: int = ExitCode.FAILED) -> int:
    """Say in one line what failed."""
    text = " ".join(summary.split())
    for write in (sys.stdout.flush, lambda: sys.stderr.write(f"codelocd: {text}\n")):
        try:
            write()
        except OSError:  # what failed may be that stdout has no room
            _silence()
    return code


def _is_unread() -> bool:
    """Whether the reader of our output has gone. A pipe to another process that broke is a failure,
    which must not end as if all had gone well, without a word.
    """
    import select

    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        poll.register(stream.fileno(), 0)  # errors are told always
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _nobody_listens() -> int:
    """The reader of a pipe has what it wanted."""
    _silence()
    return ExitCode.DONE


def _silence() -> None:
    """Let the interpreter's own last flush succeed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _bug(error: Exception) -> int:
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exc()
    if isinstance(error, OSError):
        return failed(f"{error.strerror or error}{_place(error)}{_home_advice(error)}")
    if isinstance(error, RuntimeError) and str(error) == HOMELESS:
        return failed(f"this user has no home folder, and HOME is not set; {SET_HOME}")
    return failed(
        f"internal error: {type(error).__name__}: {error}; "
        f"please report it with what {DEBUG}=1 prints"
    )


def _place(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _home_advice(error: OSError) -> str:
    """Where a container has HOME=/ for a user who may write nothing there."""
    home = os.environ.get("HOME", "")
    inside = f"{error.filename}".startswith(os.path.join(home, "."))
    if home and inside and isinstance(error, PermissionError) and not os.access(home, os.W_OK):
        return f"; HOME is {home}: {SET_HOME}"
    return ""
