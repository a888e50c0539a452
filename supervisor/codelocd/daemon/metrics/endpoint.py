"""The metrics and the health of a daemon at their addresses: a Unix socket beside the control
socket and, where the config names one, a port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.daemon import status
from codelocd.daemon.application import Application
from codelocd.daemon.config_watch import ConfigWatch
from codelocd.daemon.control_socket import ControlSocket
from codelocd.daemon.metrics.web import WebAnswer, WebRequest, WebServer

if TYPE_CHECKING:
    from codelocd.daemon.metrics.exposition import Reading
    from codelocd.documents.locations import LocationStatus

EXPOSITION = "codelocd.daemon.metrics.exposition"


def beside(control: Path) -> Path:
    """The socket for metrics of the daemon with this control socket."""
    if control.name == "control.sock":
        return control.with_name("metrics.sock")
    return control.with_name(f"{control.name}.metrics")


class Monitoring:
    """Serves `/metrics`, `/livez` and `/readyz`.

    `connections`: how many clients the control socket has. `ends`: whether the daemon is about to
    end. `group`: the number of the group that may use the control socket, and so this one.
    """

    def __init__(
        self,
        application: Application,
        config: ConfigWatch,
        connections: Callable[[], int],
        ends: Callable[[], bool],
        report: Callable[[str], None],
    ) -> None:
        self._application = application
        self._config = config
        self._connections = connections
        self._ends = ends
        self._report = report
        self._web = WebServer(self._answer)
        self._socket: ControlSocket | None = None
        self._kept: asyncio.Task[None] | None = None

    async def begin(self, path: Path, group: int | None, port: int | None) -> None:
        """Listen. An address that cannot be had is reported, and does not end the daemon."""
        unix = ControlSocket(path, group, self._report)
        try:
            self._web.listen(unix.open())
        except OSError as error:
            self._report(f"no metrics at {path}: {error.strerror}")
        else:
            self._socket = unix
            self._kept = asyncio.get_running_loop().create_task(unix.keep(self._web))
        if port is None:
            return
        try:
            await self._web.listen_at_port(port)
        except OSError as error:
            why = os.strerror(error.errno or errno.EIO)  # asyncio's own text has the address again
            self._report(f"no metrics at 127.0.0.1:{port}: {why}; name another [metrics] port")

    def close(self) -> None:
        if self._kept is not None:
            self._kept.cancel()
        self._web.close()
        if self._socket is not None:
            self._socket.close()

    async def _answer(self, request: WebRequest) -> WebAnswer:
        match request.path:
            case "/metrics":
                return await self._metrics(request.accepted)
            case "/livez":
                return WebAnswer(200, b"ok\n")
            case "/readyz":
                return self._ready(request.query.get("location", []))
            case _:
                return WebAnswer(404, b"there is /metrics, /livez and /readyz\n")

    async def _metrics(self, accepted: str) -> WebAnswer:
        exposition = await asyncio.to_thread(importlib.import_module, EXPOSITION)
        serving = [each.serving for each in self._application.locations.values()]
        usage = self._application.daemon.usage
        await usage.sample([each.handle.pid for each in serving if each is not None])
        reading = self._reading(exposition.Reading)
        body, content_type = await asyncio.to_thread(exposition.exposed, reading, accepted)
        return WebAnswer(200, body, content_type)

    def _reading(self, reading: type[Reading]) -> Reading:
        """What the thread that writes the metrics works on, so nothing in it may change."""
        application = self._application
        return reading(
            tuple(self._entries()),
            application.publisher.registry,
            application.daemon.tally.copy(),
            application.logs.written,
            {name: each["bytes"] for name, each in application.logs.dropped.items()},
            application.watch.noticed,
            self._connections(),
            self._config.state.state == "applied",
        )

    def _entries(self) -> list[LocationStatus]:
        registry, usage = self._application.publisher.registry, self._application.daemon.usage
        own = self._application.locations
        return [
            *(status.measured(each, registry, usage) for each in own.values()),
            *(status.external(spec) for spec in own.external.values()),
        ]

    def _ready(self, asked: list[str]) -> WebAnswer:
        """Whether the locations that were asked for serve; by default all that are wanted."""
        locations = self._application.locations
        why = ["the daemon is about to end"] if self._ends() else []
        if unknown := sorted({*asked} - {*locations.names()}):
            return WebAnswer(404, f"there is no location {', '.join(unknown)}\n".encode())
        for name, location in sorted(locations.items()):
            state = location.state
            if (name in asked or (not asked and state.wanted)) and state.shown != "serving":
                why.append(f"{name} is {state.shown}")
        text = "".join(f"{line}\n" for line in why or ["ok"])
        return WebAnswer(503 if why else 200, text.encode())
