"""What this end has asked and not yet heard about."""

from __future__ import annotations

import asyncio
from typing import Any

from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import IDS


class Calls:
    """Message ids and who waits for each.

    A call that nobody waits for any more keeps its place until its answer comes: the other
    end still works for it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def begin(self) -> tuple[int, asyncio.Future[Any]]:
        """A new id and its answer to come; RpcError "limit" where too many are in flight."""
        if len(self._waiting) >= self._limit:
            raise RpcError("limit", f"{self._limit} requests are already in flight")
        msgid = self._free()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[msgid] = answer
        return msgid, answer

    def give_up(self, msgid: int) -> None:
        """The request was never sent."""
        del self._waiting[msgid]

    def settle(self, msgid: int, error: RpcError | None, result: Any) -> None:
        """The answer came; one to a question that was not asked is ignored."""
        answer = self._waiting.pop(msgid, None)
        if answer is None or answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    def end(self, error: RpcError) -> None:
        """No answer will come any more."""
        for msgid in list(self._waiting):
            self.settle(msgid, RpcError(error.kind, error.message, error.data), None)

    def _free(self) -> int:
        self._last = (self._last + 1) % IDS
        while self._last in self._waiting:
            self._last = (self._last + 1) % IDS
        return self._last
