"""The daemon's end of a process that becomes, or forks, what it is ordered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from codeloc_envs.files import WRONG
from codelocd.model import Output
from codelocd.process.accounts import Account, give_away
from codelocd.process.child import Child, Children
from codelocd.process.orphans import marked
from codelocd.runners.api import Program, RunnerSpec
from codelocd.runners.attempts import AttemptStart
from codelocd.runners.settings import Passed, hold_to_limits, limits_of, settings

ANSWER_SECONDS = 10.0
"""For an order to become a process; milliseconds, but on a machine that is out of memory."""

LINE_BYTES = 1024 * 1024


class Refused(Exception):
    """A process cannot start from here; `stale`: none can any more."""

    def __init__(self, why: str, *, stale: bool) -> None:
        super().__init__(why)
        self.stale = stale


class OrderedProcess:
    """A child of the daemon's that waits for an order on a socket. Closing that ends it, and
    nothing that it has forked.

    With `sharing` every process that is ordered is a fork of it; without, it becomes the one that
    is ordered first.
    """

    def __init__(
        self,
        children: Children,
        child: Child,
        ours: socket.socket,
        account: Account | None,
        *,
        sharing: bool,
    ) -> None:
        """`ours`: the daemon's end of its socket."""
        self._children = children
        self._child = child
        self._ours = ours
        self._account = account
        self._sharing = sharing
        ours.setblocking(False)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def lives(self) -> bool:
        return not self._child.exited.done()

    async def runner(self, spec: RunnerSpec, passed: Passed) -> Child:
        """Raises Refused."""
        message = {
            "location": spec.location,
            "settings": settings(spec, passed, self._children.life),
        }
        child = await self._process(message, passed.descriptors, spec.variables, spec.output)
        hold_to_limits(spec, child.pid)
        return child

    async def program(self, program: Program) -> Child:
        """Raises Refused."""
        message = {
            "module": program.module,
            "arguments": program.arguments,
            "directory": str(program.beside.working_directory),
            "limits": limits_of(program.beside),
        }
        held = program.beside.held
        child = await self._process(message, held, program.environ, program.output)
        hold_to_limits(program.beside, child.pid)
        return child

    async def attempt(self, start: AttemptStart) -> Child:
        """Raises Refused."""
        spec = start.spec
        message = {"location": spec.location, "run": str(start.order)}
        child = await self._process(message, start.descriptors, spec.variables, spec.output)
        hold_to_limits(spec, child.pid)
        return child

    async def _process(
        self,
        process: Mapping[str, Any],
        descriptors: Sequence[int],
        variables: Mapping[str, str],
        output: Output,
    ) -> Child:
        """What comes of an order. Raises Refused, and ends what nothing can start from any more."""
        mark = self._children.mark()
        whole = {
            "order": "fork" if self._sharing else "become",
            "variables": {**variables, **marked(mark)},
            "parent": os.getpid(),
            "bound": self._children.life is None,
            **process,
        }

        async def ask(writers: Sequence[int]) -> int:
            give_away(writers, self._account)
            hearing, telling = socket.socketpair()
            with hearing:
                with telling:
                    await self._send(whole, [*descriptors, *writers, telling.fileno()])
                hearing.setblocking(False)
                return await _answer(hearing)

        try:
            becoming = None if self._sharing else self.pid
            return await self._children.adopt(mark, ask, output, becoming)
        except Refused as refusal:
            if refusal.stale:
                self.kill()
            raise
        except (OSError, TimeoutError) as failure:
            self.kill()
            why = str(failure) or "the warm interpreter did not answer"
            raise Refused(why, stale=True) from failure

    def look(self) -> None:
        """Have it look whether what it has imported is current: its order comes soon."""
        data = json.dumps({"look": True}).encode()
        with contextlib.suppress(OSError):
            self._ours.send(len(data).to_bytes(8, "big") + data)

    def close(self) -> None:
        """End it, unless it has become what was ordered: then let go of it.

        A preload may still wait on the socket. The loop would take the next descriptor with that
        number for the one that it knows, and never tell that anything has come there.
        """
        if self._ours.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._ours)
            loop.remove_writer(self._ours)
        self._ours.close()

    def kill(self) -> None:
        """End it whatever it is doing."""
        self.close()
        self._child.kill()

    async def _send(self, order: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        loop, data = asyncio.get_running_loop(), json.dumps(order).encode()
        socket.send_fds(self._ours, [len(data).to_bytes(8, "big")], descriptors)
        async with asyncio.timeout(ANSWER_SECONDS):
            await loop.sock_sendall(self._ours, data)


async def _answer(hearing: socket.socket) -> int:
    async with asyncio.timeout(ANSWER_SECONDS):
        data = await asyncio.get_running_loop().sock_recv(hearing, LINE_BYTES)
    if not data:
        raise ConnectionResetError("the warm interpreter ended")
    try:
        said = json.loads(data)
        if "pid" not in said:
            raise Refused(said["refused"], stale=said["stale"])
        return int(said["pid"])
    except WRONG:
        raise ConnectionAbortedError("the warm interpreter said what it should not") from None
