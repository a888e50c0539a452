"""The page beside a daemon: a process that is started again when it ends, and ends with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from codelocd.model import Config, Output, PageSettings, Stream
from codelocd.process.child import Children
from codelocd.process.helper import HelperProcess
from codelocd.storage.paths import DaemonPaths, page_folder

MODULE = "codelocd_ui"
"""Never imported here: the daemon starts without a web server, and is not held up by one."""


def page_command(
    settings: PageSettings, socket: str, name: str, folder: Path, *more: str
) -> list[str]:
    """What serves the page, called `name`, of the daemon at `socket`; `folder`: where pages keep
    the secret of their links. `more`: further arguments of `python -m codelocd_ui`.
    """
    listen = ["--host", settings.host]
    if settings.socket is not None:
        listen = ["--socket", str(settings.socket), "--auth", settings.auth]
        listen += ["--socket-group", settings.socket_group] if settings.socket_group else []
    elif settings.port is not None:
        listen += ["--port", str(settings.port)]
    return [
        *(sys.executable, "-m", MODULE, "--daemon", socket, "--name", name),
        *("--folder", str(folder), "--editor", settings.editor, *listen),
        *(word for host in settings.allowed_hosts for word in ("--allowed-host", host)),
        *(["--read-only"] if settings.read_only else []),
        *more,
    ]


def page_beside(config: Config, paths: DaemonPaths, *, development: bool) -> list[str]:
    """What serves the page of the daemon at these paths. A service's log does not get the link, by
    which one logs in: `codelocd ui --url` prints it."""
    name = (config.files[0].parent if config.files else Path.cwd()).name or "codelocd"
    folder = page_folder(os.environ, system=paths.instance == "system")
    more = () if development else ("--no-link",)
    return page_command(config.page, str(paths.socket), name, folder, *more)


def start_page(children: Children, command: list[str], say: Callable[[str], None]) -> HelperProcess:
    """Serve the page; `say` gets each line that its process prints, its link first."""
    environ = dict(os.environ)
    return HelperProcess(
        children, command, environ, Path("/"), _lines(say), held=(), runs=lambda _child: None
    )


def _lines(say: Callable[[str], None]) -> Output:
    """What gets pieces of output as they come, and says whole lines of both streams."""
    begun: dict[Stream, bytes] = {}

    def take(stream: Stream, data: bytes) -> None:
        *whole, begun[stream] = (begun.get(stream, b"") + data).split(b"\n")
        if not data and begun[stream]:  # its end: what the next process prints is another line
            whole.append(begun.pop(stream))
        for line in whole:
            say(f"page: {line.decode('utf-8', 'replace')}")

    return take
