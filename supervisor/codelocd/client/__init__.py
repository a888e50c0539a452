"""Asks a daemon: `Client` waits for each answer, `AsyncClient` does so under asyncio.

Every command begins by importing this, so only `Client` comes at once.
"""

from __future__ import annotations

from codelocd.client.connection import DaemonUnreachable
from codelocd.client.sync import Client
from codelocd.rpc.errors import RpcError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from codelocd.client.aio import AsyncClient

__all__ = ["AsyncClient", "Client", "DaemonUnreachable", "RpcError"]


def __getattr__(name: str) -> Any:
    """`AsyncClient`, imported when first asked for."""
    if name != "AsyncClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from codelocd.client.aio import AsyncClient

    return AsyncClient
