"""A process beside the daemon that serves all locations, such as a page: started again when it
ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from codelocd.core.restarts import Pauses
from codelocd.model import Output
from codelocd.process.child import Child, Children

STOP_SECONDS = 5.0


class HelperProcess:
    """Runs until `close`; `restart` ends it in order and starts another.

    `held` are descriptors that it keeps open; `runs` is called with each process; `adopted` is the
    first one, where an earlier daemon has left it.
    """

    def __init__(
        self,
        children: Children,
        command: Sequence[str],
        variables: Mapping[str, str],
        directory: Path,
        output: Output,
        held: Sequence[int],
        runs: Callable[[Child], None],
        adopted: Child | None = None,
    ) -> None:
        self._children = children
        self._held = held
        self._runs = runs
        self._command = command
        self._variables = variables
        self._directory = directory
        self._output = output
        self._child = adopted
        if adopted is not None:
            runs(adopted)
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
            with contextlib.suppress(OSError):  # short of descriptors or processes: after a pause
                if self._child is None or self._child.exited.done():
                    self._child = self._start()
                await asyncio.shield(self._child.exited)
            if self._asked.is_set():
                pauses.forget()
            else:
                await asyncio.sleep(pauses.after(loop.time() - began))

    def _start(self) -> Child:
        child = self._children.start(
            self._command,
            variables=self._variables,
            directory=self._directory,
            output=self._output,
            pass_fds=self._held,
        )
        self._runs(child)
        return child

    def _terminate(self) -> None:
        """To the process itself: it ends what it has started in order."""
        if self._child is not None and not self._child.exited.done():
            os.kill(self._child.pid, signal.SIGTERM)
