"""Runs a command where an engine has placed a location, with this terminal's input and output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelocd.cli.connection import refused
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.client import AsyncClient, DaemonUnreachable, RpcError

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PIECE_BYTES = 64 * 1024
PATIENCE = 3
"""Signals after which the command is killed, whatever it does about them."""


class CommandOnNode:
    """One run of a command. `words`: what and with what; `outside`: also what is not in the
    location's environment."""

    def __init__(self, location: str, words: Sequence[str], *, outside: bool) -> None:
        self._asked = {"location": location, "words": list(words), "outside": outside}
        self._began = asyncio.Event()
        self._signals = 0
        self._unread: BrokenPipeError | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._client: AsyncClient
        self._ends: asyncio.Task[Any]

    async def run(self, socket: Path) -> int:
        """Its exit code, as a shell has it. Raises Failure."""
        loop = asyncio.get_running_loop()
        try:
            async with await AsyncClient.connect(socket, heard=self._hear) as self._client:
                self._ends = loop.create_task(self._client.call("exec", self._asked, timeout=None))
                for number in PASSED_ON:
                    loop.add_signal_handler(number, self._pass_on, number)
                return _code(await self._end(loop))
        except RpcError as error:
            raise refused(error) from None
        except DaemonUnreachable as error:
            raise Failure(f"{error}; what became of the command is not known") from None

    async def _end(self, loop: asyncio.AbstractEventLoop) -> Mapping[str, Any]:
        """Raises KeyboardInterrupt, BrokenPipeError where the command had to be killed."""
        reader = threading.Thread(target=self._read, args=[loop], daemon=True)
        self._begin(self._when_begun(reader))
        try:
            answer: Mapping[str, Any] = await self._ends
            return answer
        except asyncio.CancelledError:
            if self._unread is not None:
                raise self._unread from None
            raise KeyboardInterrupt from None

    async def _when_begun(self, reader: threading.Thread) -> None:
        await self._began.wait()
        reader.start()

    def _hear(self, _method: str, told: Mapping[str, Any]) -> None:
        if "node" in told:
            self._began.set()
        if self._unread is not None or "data" not in told:
            return
        stream = sys.stderr.buffer if told.get("stream") == "stderr" else sys.stdout.buffer
        try:
            stream.write(told["data"])
            stream.flush()
        except BrokenPipeError as error:
            self._unread = error
            self._ends.cancel()

    def _pass_on(self, number: int) -> None:
        self._signals += 1
        if not self._began.is_set() or self._signals >= PATIENCE:
            self._ends.cancel()
        else:
            self._begin(self._ask("exec_signal", {"number": number}))

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread, which a read that never ends does not hold up. What is read waits until the
        command has taken what was read before."""
        while True:
            data = _input()
            asked = self._ask("exec_input", {"data": data, "last": not data})
            try:
                taken = asyncio.run_coroutine_threadsafe(asked, loop).result()
            except RuntimeError:  # the loop has ended
                asked.close()
                return
            if not data or not taken:
                return

    async def _ask(self, method: str, params: Mapping[str, Any]) -> bool:
        """Whether there was a command to take it."""
        with contextlib.suppress(RpcError, DaemonUnreachable):
            await self._client.call(method, params, timeout=None)
            return True
        return False

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def run_on_node(socket: Path, location: str, words: Sequence[str], *, outside: bool) -> int:
    """The command's exit code. Raises Failure."""
    sys.stdout.flush()
    command = CommandOnNode(location, words, outside=outside)
    return asyncio.run(command.run(socket))


def _input() -> bytes:
    """The next piece of standard input; b"" at its end, and where this process may not read it: a
    job in the background would be stopped."""
    try:
        if os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp():
            return b""
        return os.read(0, PIECE_BYTES)
    except OSError:
        return b""


def _code(answer: Mapping[str, Any]) -> int:
    if answer.get("why"):
        raise Failure(str(answer["why"]), answer.get("status") or ExitCode.FAILED)
    if answer.get("signal"):
        return 128 + int(answer["signal"])
    status = answer.get("status")
    if status is None:
        raise Failure("the node is lost; what became of the command is not known")
    return int(status)
