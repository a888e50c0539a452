"""What a bridge says of a node, as documents have it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codelocd.documents.locations import NodeStatus


def node_status(said: Mapping[str, Any]) -> NodeStatus:
    """What a bridge says of a node, as far as it is known here."""
    return {
        "id": str(said.get("id", "")),
        "name": str(said.get("name", "")),
        "address": str(said.get("address", "")),
        "state": str(said.get("state", "up")),
        "labels": dict(said.get("labels") or {}),
        "resources": {name: dict(each) for name, each in (said.get("resources") or {}).items()},
        "runners": int(said.get("runners") or 0),
        "pythons": said.get("pythons"),
        "clock_skew": said.get("clock_skew"),
    }
