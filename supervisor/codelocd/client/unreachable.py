"""Why there is no answer from a daemon."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    Reason: TypeAlias = Literal["absent", "refused", "denied", "silent", "lost"]


class DaemonUnreachable(Exception):
    """No answer, and why, in one sentence.

    `reason`: "absent" (no socket there), "refused" (a socket on which nobody listens), "denied"
    (no permission), "silent" (no answer in time), "lost" (the connection ended).
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def explain(error: OSError, path: str) -> DaemonUnreachable:
    """Why a connection to the socket at `path` could not be made or used."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DaemonUnreachable("absent", f"there is no socket at {path}: no daemon runs there")
    if isinstance(error, ConnectionRefusedError):
        left = "left over by a daemon that has ended"
        return DaemonUnreachable("refused", f"nobody listens on the socket {path}: {left}")
    if isinstance(error, PermissionError):
        return DaemonUnreachable("denied", f"no permission to use the socket {path}")
    if isinstance(error, BlockingIOError | TimeoutError):
        return DaemonUnreachable("silent", f"the daemon at {path} accepts no connection")
    return DaemonUnreachable("lost", f"the connection to the daemon at {path} ended: {error}")


def silent(path: str, timeout: float) -> DaemonUnreachable:
    return DaemonUnreachable("silent", f"the daemon at {path} did not answer within {timeout:g} s")


def lost(path: str, why: object) -> DaemonUnreachable:
    return DaemonUnreachable("lost", f"the daemon at {path} closed the connection: {why}")
