"""MessagePack-RPC over Unix sockets: peers that ask and answer, and the server that accepts them.

`RpcError` comes at once; what needs asyncio is imported on first use, because a command that
asks one question needs none of it, and importing it takes longer than the answer.
"""

from __future__ import annotations

from codelocd.rpc.errors import RpcError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from codelocd.rpc.credentials import Credentials
    from codelocd.rpc.dial import connect
    from codelocd.rpc.limits import Limits
    from codelocd.rpc.peer import Handler, Peer
    from codelocd.rpc.server import Server, serve

__all__ = ["Credentials", "Handler", "Limits", "Peer", "RpcError", "Server", "connect", "serve"]


def __getattr__(name: str) -> Any:
    """The names above, imported when first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from codelocd.rpc import everything

    return getattr(everything, name)
