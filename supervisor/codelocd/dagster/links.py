"""Which code server Dagster is led to for each location; those that were replaced."""

from __future__ import annotations

from pathlib import Path

from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.drain import Drain
from codelocd.dagster.sockets import Sockets


class Links:
    """What a link no longer leads to ends when its runs have."""

    def __init__(self, sockets: Sockets, drain: Drain) -> None:
        self._sockets = sockets
        self._drain = drain
        self.current: dict[str, CodeServer] = {}

    def path(self, location: str) -> Path:
        return self._sockets.link(location)

    def lead(self, location: str, server: CodeServer) -> None:
        self._sockets.lead(location, server.path)
        former = self.current.get(location)
        self.current[location] = server
        if former is not None and former is not server and not former.exited.done():
            self._drain.take(former)

    def release(self, location: str, server: CodeServer) -> None:
        if self.current.get(location) is server:
            del self.current[location]
            self._drain.take(server)

    def forget(self, location: str) -> None:
        self._sockets.forget(location)

    async def close(self, seconds: float) -> None:
        """End all servers, their runs included, in so many seconds."""
        for server in self.current.values():
            self._drain.take(server)
        await self._drain.close(seconds)

    def kill(self) -> None:
        for server in self.current.values():
            server.kill()
