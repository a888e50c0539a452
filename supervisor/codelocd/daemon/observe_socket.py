"""The daemon's second socket: whoever connects there may read, and nothing else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from codelocd.daemon.control_socket import ControlSocket
from codelocd.daemon.rights import Gate, Refusals, Right, Trusted
from codelocd.rpc.peer import Handler, Peer
from codelocd.rpc.requests import Report
from codelocd.rpc.server import start_server

NAME = "observe.sock"
"""Beside the control socket."""


class ObserveSocket:
    """Listens beside the control socket at `control`, for members of `group` (its number), the
    daemon's user and root: none of them gets another right than to read.
    """

    def __init__(
        self, control: Path, group: int, refusals: Refusals, report: Callable[[str], None]
    ) -> None:
        self._gate = Gate(Trusted(os.geteuid(), readers=group, most=Right.READ), refusals)
        self._socket = ControlSocket(control.with_name(NAME), group, report)

    async def begin(
        self, handler: Handler, report: Report, disconnected: Callable[[Peer], None]
    ) -> None:
        """Answer there, by a handler of the control socket. Raises OSError."""
        self._server = await start_server(
            self._socket.open(),
            self._gate.guard(handler),
            allowed=self._gate.admits,
            report=report,
            disconnected=disconnected,
        )
        self._keeping = asyncio.ensure_future(self._socket.keep(self._server))

    def close(self) -> None:
        self._keeping.cancel()
        self._socket.close()
        self._server.close()
