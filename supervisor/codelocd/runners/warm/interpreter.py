"""The daemon's end of one warm interpreter: what it preloads, and the processes it becomes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs.files import WRONG, texts
from codelocd.model import Stream
from codelocd.process.accounts import Account
from codelocd.process.child import Children
from codelocd.runners.api import Hooks
from codelocd.runners.settings import living
from codelocd.runners.stacks import NUMBER, ObservedOutput, Stacks
from codelocd.runners.warm.method import BY_LIBRARIES
from codelocd.runners.warm.ordered import LINE_BYTES, OrderedProcess
from codelocd.runners.warm.profile import Imports

PRELOAD_SECONDS = 120.0
"""For imports that take longer than any that was seen, on a busy machine."""

NO_MORE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class PreloadResult:
    """What came of preloading: `blockers` forbid that it is shared, `cold` says which packages.

    `variables`: names that imports asked for.
    """

    blockers: tuple[str, ...]
    cold: Mapping[str, str]
    variables: tuple[str, ...]


class WarmInterpreter(OrderedProcess):
    """One that imports packages first."""

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
        self._held, self._is_retired = 0, False
        self._printed = ObservedOutput(_unheard)
        ours, theirs = socket.socketpair()
        told = {
            "channel_fd": theirs.fileno(),
            "parent": os.getpid(),
            "stacks_signal": NUMBER,
        }
        try:
            child = children.start(
                [str(executable), str(entry), json.dumps(told)],
                variables=variables,
                directory=Path("/"),
                output=self._printed,
                pass_fds=[theirs.fileno(), *living(children.life)],
                mark="",
                account=account,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        super().__init__(children, child, ours, account, sharing=sharing)

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

    async def forked_ahead(self, *, rehearses: bool) -> OrderedProcess:
        """A fork that waits, and becomes the first attempt that it is ordered: it ends with this
        process of ours. `rehearses`: there is time to prepare for that. Raises Refused."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                message = {"waits": True, "rehearses": rehearses, "bound": True}
                child = await self._process(message, [theirs.fileno()], NO_MORE, _unheard)
        except BaseException:
            ours.close()
            raise
        return OrderedProcess(self._children, child, ours, self._account, sharing=False)

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

    async def _line(self) -> bytes:
        loop, line = asyncio.get_running_loop(), b""
        while not line.endswith(b"\n"):
            piece = await loop.sock_recv(self._ours, LINE_BYTES)
            if not piece:
                raise ConnectionResetError("the warm interpreter ended while it preloaded")
            line += piece
        return line


def _unheard(_stream: Stream, _data: bytes) -> None:
    """What imports print is said by each cold start; here it could not be told whose it is."""


def installed(executable: Path) -> int:
    """Nanoseconds, by the clock of its file system; 0 where no folder for packages is found."""
    packages = executable.parent.parent.glob("lib*/python3*/site-packages")
    return max((folder.stat().st_mtime_ns for folder in packages), default=0)
