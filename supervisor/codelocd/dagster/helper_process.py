"""The webserver or the daemon: started, and started again when it ends unasked."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from codelocd.model import Output
from codelocd.process import Child, Children
from codelocd.restarts import Pauses

STOP_SECONDS = 5.0


class HelperProcess:
    """Runs until `close`; `restart` ends it in order and starts another."""

    def __init__(
        self,
        children: Children,
        command: Sequence[str],
        variables: Mapping[str, str],
        directory: Path,
        output: Output,
    ) -> None:
        self._children = children
        self._command = command
        self._variables = variables
        self._directory = directory
        self._output = output
        self._child: Child | None = None
        self._asked = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def restart(self) -> None:
        self._asked.set()
        self._terminate()

    async def close(self) -> None:
        self._task.cancel()
        if self._child is not None and not self._child.exited.done():
            await self._child.end(STOP_SECONDS)

    def kill(self) -> None:
        self._task.cancel()
        if self._child is not None:
            self._child.kill()

    async def _run(self) -> None:
        loop, pauses = asyncio.get_running_loop(), Pauses()
        while True:
            began = loop.time()
            self._asked.clear()
            self._child = self._start()
            await asyncio.shield(self._child.exited)
            if self._asked.is_set():
                pauses.forget()
            else:
                await asyncio.sleep(pauses.after(loop.time() - began))

    def _start(self) -> Child:
        return self._children.start(
            self._command,
            variables=self._variables,
            directory=self._directory,
            output=self._output,
        )

    def _terminate(self) -> None:
        """To the process itself: it ends what it has started in order."""
        if self._child is not None and not self._child.exited.done():
            os.kill(self._child.pid, signal.SIGTERM)
