"""What may fail, as the daemon is told it."""

from __future__ import annotations

from typing import Any


class EngineError(Exception):
    """One line for people: what, where, what to do. `kind` is one of the protocol's, `what` says
    which part of the cluster it is about, `data` is for programs."""

    def __init__(self, kind: str, message: str, what: str | None = None, **data: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.data = {**({} if what is None else {"what": what}), **data}

    def document(self) -> dict[str, Any]:
        """As it travels."""
        return {"kind": self.kind, "message": self.message, "data": self.data}


def raised(document: dict[str, Any]) -> EngineError:
    """The error that a node has told."""
    data = dict(document["data"])
    return EngineError(document["kind"], document["message"], data.pop("what", None), **data)
