"""Who may ask what: reading is not acting, and acting is not owning."""

from __future__ import annotations

import enum
import grp
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codelocd.model import DaemonSettings
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Handler, Peer
from codelocd.rpc.unix import Credentials


class Right(enum.IntEnum):
    """Each holds those before it."""

    NONE = 0
    READ = 1
    OPERATE = 2
    OWN = 3


NEEDED: Mapping[str, Right] = {
    **dict.fromkeys(
        ("hello", "status", "definitions", "show", "logs", "events", "subscribe", "unsubscribe"),
        Right.READ,
    ),
    **dict.fromkeys(("runs", "run_show", "run_logs", "schedules"), Right.READ),
    **dict.fromkeys(("run", "run_cancel", "run_retry", "schedule_set"), Right.OPERATE),
    **dict.fromkeys(("environments", "environment", "diff", "engine", "releases"), Right.READ),
    **dict.fromkeys(
        ("start", "stop", "restart", "reload", "drain", "call", "stacks"), Right.OPERATE
    ),
    **dict.fromkeys(("apply", "command", "upgrade", "shutdown"), Right.OWN),
    **dict.fromkeys(("exec", "exec_input", "exec_signal"), Right.OWN),
    **dict.fromkeys(("release_upload", "release_content", "deploy", "rollback"), Right.OWN),
}
"""By method. `command` hands over the variables of the daemon, with every secret in them; `stacks`
may interrupt a runner; a release is code that the daemon runs."""

HOLDERS = {
    Right.READ: "socket_group or operator_group",
    Right.OPERATE: "operator_group",
    Right.OWN: "the daemon's own user and root",
}


@dataclass(frozen=True, slots=True)
class Trusted:
    """The daemon's own user, and the numbers of the groups that may read and that may operate.

    `most`: what even the owner and root may not exceed here.
    """

    owner: int
    readers: int | None = None
    operators: int | None = None
    most: Right = Right.OWN

    @classmethod
    def by(cls, settings: DaemonSettings) -> Trusted:
        """Whom the config names. Raises KeyError where there is no such group."""
        names = (settings.socket_group, settings.operator_group)
        readers, operators = (None if name is None else grp.getgrnam(name).gr_gid for name in names)
        return cls(os.geteuid(), readers, operators)

    @property
    def group(self) -> int | None:
        """The group of the socket, whose mode lets in one. Where both are set, operators have to
        be members of both."""
        return self.operators if self.readers is None else self.readers

    def right(self, who: Credentials) -> Right:
        """What a peer may, by the user and the groups that it had when it connected."""
        return min(self._right(who), self.most)

    def _right(self, who: Credentials) -> Right:
        if who.uid in (0, self.owner):
            return Right.OWN
        if self.operators is not None and self.operators in who.groups:
            return Right.OPERATE
        if self.readers is not None and self.readers in who.groups:
            return Right.READ
        return Right.NONE


PERIOD = 60.0
"""Seconds within which one user's refused requests of one method are told twice at most."""


class Refusals:
    """Tells of refused requests: the first at once, those that follow it within PERIOD as one,
    with their number, so that no user can fill the journal. `later(seconds, callback)` waits.
    """

    def __init__(
        self, tell: Callable[[str], None], later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._tell = tell
        self._later = later
        self._since: dict[tuple[int, str], int] = {}

    def add(self, uid: int, method: str) -> None:
        key = uid, method
        if key in self._since:
            self._since[key] += 1
            return
        self._since[key] = 0
        self._tell(_refusal(uid, method))
        self._later(PERIOD, lambda: self._sum_up(uid, method))

    def _sum_up(self, uid: int, method: str) -> None:
        if more := self._since.pop((uid, method)):
            self._tell(f"{_refusal(uid, method)}; {more} more such requests since")


class Gate:
    """Lets in whom it trusts with something, and lets each ask what it may.

    `group`: the number of the group that the socket has to let in.
    """

    def __init__(self, trusted: Trusted, refusals: Refusals) -> None:
        self._trusted = trusted
        self.group = trusted.group
        self._refusals = refusals

    def admits(self, who: Credentials) -> bool:
        return self._trusted.right(who) > Right.NONE

    def guard(self, handler: Handler) -> Handler:
        """The same handler for those who have the right; RpcError "usage" for others. `hello` tells
        each its right."""

        def guarded(peer: Peer, method: str, params: Mapping[str, Any]) -> Awaitable[Any]:
            needed, who = NEEDED.get(method, Right.READ), peer.credentials
            right = self._trusted.right(who) if who is not None else Right.NONE
            if right < needed:
                uid = who.uid if who is not None else -1
                self._refusals.add(uid, method)
                allowed = self._trusted.most >= needed
                only = f"only {HOLDERS[needed]} may" if allowed else "this socket only tells"
                raise RpcError("usage", f"{_refusal(uid, method)}; {only}")
            answer = handler(peer, method, params)
            return _greeting(answer, right) if method == "hello" else answer

        return guarded


async def _greeting(hello: Awaitable[dict[str, Any]], right: Right) -> dict[str, Any]:
    return {**await hello, "right": right.name.lower()}


def _refusal(uid: int, method: str) -> str:
    return f"{method} was refused to user {uid}"
