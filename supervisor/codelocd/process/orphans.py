"""Processes that left the group of a child to outlive it: they end soon after it."""

from __future__ import annotations

import asyncio
import secrets
from itertools import count

from codelocd.process.guardian_process import VARIABLE, end_all


def marked(mark: str) -> dict[str, str]:
    """The variables of a process whose descendants shall be found."""
    return {VARIABLE: mark} if mark else {}


class Orphans:
    """Ends what the children of one daemon leave behind. All their marks begin with `family`."""

    def __init__(self) -> None:
        self.family = f"{secrets.token_hex(6)}-"
        self._numbers = count(1)
        self._gone: set[str] = set()
        self._hunt: asyncio.Task[None] | None = None

    def mark(self) -> str:
        """The value of VARIABLE for one more child."""
        return f"{self.family}{next(self._numbers)}"

    def orphaned(self, mark: str) -> None:
        """That child is gone: in a moment, so are those that descend from it."""
        self._gone.add(mark)
        if self._hunt is None:
            self._hunt = asyncio.get_running_loop().create_task(self._search())

    async def settled(self) -> None:
        """Returns when no descendant is left of the children that are gone."""
        if self._hunt is not None:
            await asyncio.shield(self._hunt)

    async def _search(self) -> None:
        try:
            while self._gone:
                marks, self._gone = self._gone, set()
                await asyncio.to_thread(end_all, marks.__contains__)
        finally:
            self._hunt = None
