"""The page beside a daemon: a process that is started again when it ends, and ends with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from codelocd.dagster.helper import HelperProcess
from codelocd.model import Output, Stream
from codelocd.process.child import Children
from codelocd.storage.paths import page_folder

MODULE = "codelocd_ui"
"""Never imported here: the daemon starts without a web server, and is not held up by one."""


def start_page(
    children: Children, socket: Path, name: str, say: Callable[[str], None]
) -> HelperProcess:
    """Serve the page of the daemon at `socket`; `say` gets each line that the page's process
    prints, its link first.
    """
    command = [
        *(sys.executable, "-m", MODULE, "--daemon", str(socket), "--name", name),
        *("--folder", str(page_folder(os.environ))),
    ]
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
