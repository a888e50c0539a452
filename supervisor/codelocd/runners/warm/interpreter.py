"""The daemon's end of one warm interpreter: what it preloads, and the processes it becomes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.files import WRONG, texts
from codelocd.model import Output, Stream
from codelocd.process.accounts import Account, give_away
from codelocd.process.child import Child, Children
from codelocd.process.orphans import marked
from codelocd.runners.api import Hooks, Program, RunnerSpec
from codelocd.runners.attempts import AttemptStart
from codelocd.runners.settings import Passed, hold_to_limits, limits_of, living, settings
from codelocd.runners.stacks import NUMBER, ObservedOutput, Stacks
from codelocd.runners.warm.method import BY_LIBRARIES
from codelocd.runners.warm.profile import Imports

PRELOAD_SECONDS = 120.0
"""For imports that take longer than any that was seen, on a busy machine."""

ANSWER_SECONDS = 10.0
"""For an order to become a process; milliseconds, but on a machine that is out of memory."""

NO_MORE: Mapping[str, str] = {}

_LINE_BYTES = 1024 * 1024


class Refused(Exception):
    """A process cannot start from here; `stale`: none can any more."""

    def __init__(self, why: str, *, stale: bool) -> None:
        super().__init__(why)
        self.stale = stale


@dataclass(frozen=True, slots=True)
class PreloadResult:
    """What came of preloading: `blockers` forbid that it is shared, `cold` says which packages.

    `variables`: names that imports asked for.
    """

    blockers: tuple[str, ...]
    cold: Mapping[str, str]
    variables: tuple[str, ...]


class WarmInterpreter:
    """One process. Closing its socket ends it, and nothing that it has forked.

    With `sharing` every process that is ordered is a fork of it; without, it becomes the one that
    is ordered first.
    """

    def __init__(
        self,
        children: Children,
        entry: Path,
        executable: Path,
        variables: Mapping[str, str],
        imports: Imports,
        *,
        sharing: bool,
        account: Account | None = None,
    ) -> None:
        """Raises OSError when it cannot be started."""
        self.imports = imports
        self.hooks: Hooks | None = None
        self._sharing = sharing
        self._held, self._is_retired = 0, False
        self._account = account
        self._children = children
        self._printed = ObservedOutput(_unheard)
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        told = {
            "channel_fd": theirs.fileno(),
            "parent": os.getpid(),
            "stacks_signal": NUMBER,
        }
        try:
            self._child = children.start(
                [str(executable), str(entry), json.dumps(told)],
                variables=variables,
                directory=Path("/"),
                output=self._printed,
                pass_fds=[theirs.fileno(), *living(children.life)],
                mark="",
                account=account,
            )
        except OSError:
            self._ours.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def lives(self) -> bool:
        return not self._child.exited.done()

    async def preload(
        self, cold: Mapping[str, str], *, carefully: bool, variables: Mapping[str, str] = NO_MORE
    ) -> PreloadResult:
        """`variables`: what imports read, beyond what it was started with. Raises OSError when it
        dies over it, TimeoutError when it takes for ever."""
        order = {
            "modules": self.imports.preloaded,
            "cold": dict(cold),
            "sharing": self._sharing,
            "carefully": carefully,
            "decisive": BY_LIBRARIES,
            "variables": dict(variables),
        }
        async with asyncio.timeout(PRELOAD_SECONDS):
            await self._send(order, [])
            line = await self._line()
        try:
            said = json.loads(line)
            self.hooks = Hooks(**said["hooks"])
            return PreloadResult(texts(said["blockers"]), said["cold"], texts(said["variables"]))
        except WRONG:
            raise ConnectionAbortedError("the warm interpreter said what it should not") from None

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
            **process,
            "order": "fork" if self._sharing else "become",
            "variables": {**variables, **marked(mark)},
            "parent": os.getpid(),
            "bound": self._children.life is None,
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

    async def stacks(self) -> Stacks:
        """Where it is: it waits for an order, unless it hangs."""
        return await self._printed.stacks(self.pid)

    @property
    def is_held(self) -> bool:
        """Whether an order is being carried out."""
        return self._held > 0

    def hold(self) -> None:
        """It is about to be ordered something."""
        self._held += 1

    def release(self) -> None:
        """An order is carried out, or refused: unless it is shared, it takes no other."""
        self._held -= 1
        if not self._sharing:
            self.close()
        elif self._is_retired and not self.is_held:
            self.kill()

    def retire(self) -> None:
        """End it, but what it has been ordered is carried out before."""
        self._is_retired = True
        if not self.is_held:
            self.kill()

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

    async def _line(self) -> bytes:
        loop, line = asyncio.get_running_loop(), b""
        while not line.endswith(b"\n"):
            piece = await loop.sock_recv(self._ours, _LINE_BYTES)
            if not piece:
                raise ConnectionResetError("the warm interpreter ended while it preloaded")
            line += piece
        return line


async def _answer(hearing: socket.socket) -> int:
    async with asyncio.timeout(ANSWER_SECONDS):
        data = await asyncio.get_running_loop().sock_recv(hearing, _LINE_BYTES)
    if not data:
        raise ConnectionResetError("the warm interpreter ended")
    try:
        said = json.loads(data)
        if "pid" not in said:
            raise Refused(said["refused"], stale=said["stale"])
        return int(said["pid"])
    except WRONG:
        raise ConnectionAbortedError("the warm interpreter said what it should not") from None


def _unheard(_stream: Stream, _data: bytes) -> None:
    """What imports print is said by each cold start; here it could not be told whose it is."""


def installed(executable: Path) -> int:
    """Nanoseconds, by the clock of its file system; 0 where no folder for packages is found."""
    packages = executable.parent.parent.glob("lib*/python3*/site-packages")
    return max((folder.stat().st_mtime_ns for folder in packages), default=0)
