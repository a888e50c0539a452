"""The error of a call, and its form on the wire."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # commands ask one question: `typing` would take longer than the answer
    from typing import Any, Literal, TypeAlias

    Kind: TypeAlias = Literal[
        "usage", "unknown", "busy", "down", "timeout", "limit", "protocol", "internal"
    ]

KINDS: tuple[Kind, ...] = (
    "usage",
    "unknown",
    "busy",
    "down",
    "timeout",
    "limit",
    "protocol",
    "internal",
)


class RpcError(Exception):
    """A call that failed: its kind, one line for people, and data for programs."""

    def __init__(self, kind: Kind, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.data = data

    def document(self) -> dict[str, Any]:
        """The error map of a response."""
        return {"kind": self.kind, "message": self.message, "data": self.data}


def received(error: object) -> RpcError:
    """The error of a response, whatever its sender put there."""
    if not isinstance(error, dict) or error.get("kind") not in KINDS:
        return RpcError("internal", f"the other end answered with the error {error!r}", error)
    return RpcError(error["kind"], str(error.get("message", "")), error.get("data"))
