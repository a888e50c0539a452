"""The names of this package that need asyncio, together."""

from codelocd.rpc.credentials import Credentials
from codelocd.rpc.dial import connect
from codelocd.rpc.limits import Limits
from codelocd.rpc.peer import Handler, Peer
from codelocd.rpc.server import Server, serve

__all__ = ["Credentials", "Handler", "Limits", "Peer", "Server", "connect", "serve"]
