"""Ends processes that left the group of a child and would outlive it."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Collection
from itertools import count

from codelocd.process.guardian_process import VARIABLE, Identity, end_all, end_strays


def marked(mark: str) -> dict[str, str]:
    """The variables of a process whose descendants shall be found."""
    return {VARIABLE: mark}


class Orphans:
    """Ends what the children of one daemon leave behind. All their marks begin with `family`, and
    that with the `kin` of all daemons which may take over from each other."""

    def __init__(self, kin: str = "") -> None:
        self._kin = kin
        self.family = f"{kin}{secrets.token_hex(6)}-"
        self._numbers = count(1)
        self._gone: set[str] = set()
        self._families: set[Identity] = set()
        self._hunt: asyncio.Task[None] | None = None

    def mark(self) -> str:
        """The value of VARIABLE for one more child; all are equally long, so that a fork can write
        its own over that of the process that it was forked from."""
        return f"{self.family}{next(self._numbers):010d}"

    @property
    def shared(self) -> str:
        """The mark of a process whose forks shall outlive it. What bears it ends with the daemon,
        not earlier."""
        return f"{self.family}{0:010d}"

    def orphaned(self, mark: str, family: Collection[Identity]) -> None:
        """A child is gone: end its descendants soon, which are known by their mark or by
        `family`."""
        self._gone.add(mark)
        self._families.update(family)
        if self._hunt is None:
            self._hunt = asyncio.get_running_loop().create_task(self._search())

    async def settled(self) -> None:
        """Returns when no descendant is left of the children that are gone."""
        if self._hunt is not None:
            await asyncio.shield(self._hunt)

    async def end_earlier(self, taken: Collection[str]) -> None:
        """End the descendants of other daemons of the same kin, except those with `taken` marks."""

        def is_left(mark: str) -> bool:
            ours = mark.startswith(self.family) or mark in taken
            return mark.startswith(self._kin) and not ours

        await asyncio.to_thread(end_all, is_left)

    async def end_unmarked(self, known: Collection[int]) -> None:
        """End the processes without a mark that have become children of this one: a descendant does
        once every process in between has ended. `known` are left alone."""
        await asyncio.to_thread(end_strays, os.getpid(), known)

    async def _search(self) -> None:
        try:
            while self._gone:
                marks, self._gone = self._gone, set()
                family, self._families = self._families, set()
                await asyncio.to_thread(end_all, marks.__contains__, family)
        finally:
            self._hunt = None
