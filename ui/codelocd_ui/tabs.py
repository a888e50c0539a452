"""The open tabs, and what waits to be sent to each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import Any, Literal, TypeAlias

from codelocd_ui.output import Batch
from codelocd_ui.text import to_json

MOST_TABS = 64
Shown: TypeAlias = frozenset[str] | Literal["all"]
"""Names of locations."""
BEHIND_BYTES = 1024 * 1024
"""What may wait for one tab; a slower one is ended, and comes back with the full state."""


class TabBehind(Exception):
    """The tab does not read what it is sent."""


class Tab:
    """One browser tab: messages wait here until its socket takes them."""

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.run: int | None = None
        """The run that it shows."""
        self.run_batch: Batch | None = None
        self.wants_usage = False
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._something = asyncio.Event()
        self._is_behind = False

    def send(self, message: bytes) -> None:
        """Put a message behind those that wait; where too much waits, `next` raises."""
        self._waiting.append(message)
        self._bytes += len(message)
        self._is_behind = self._is_behind or self._bytes > BEHIND_BYTES
        self._something.set()

    async def next(self) -> bytes:
        """The oldest message that waits. Raises TabBehind."""
        while not self._waiting:
            self._something.clear()
            await self._something.wait()
        if self._is_behind:
            raise TabBehind
        message = self._waiting.pop(0)
        self._bytes -= len(message)
        return message

    def look_at_output(self, locations: Collection[str] | None) -> None:
        """From now on it gets the output of these locations; None: of all."""
        self.batch = Batch(None if locations is None else frozenset(locations))

    def look_at_run(self, run: int | None) -> None:
        """From now on it gets what this run tells and prints; None: of no run."""
        if run != self.run:
            self.run = run
            self.run_batch = None if run is None else Batch(None, kind="run_output")


class Tabs:
    """All of them."""

    def __init__(self) -> None:
        self._tabs: set[Tab] = set()
        self.changed = asyncio.Event()
        """Set when another tab wants something else of the daemon."""

    def __len__(self) -> int:
        return len(self._tabs)

    def __iter__(self) -> Iterator[Tab]:
        return iter(list(self._tabs))

    def add(self, tab: Tab) -> None:
        self._tabs.add(tab)
        self.changed.set()

    def remove(self, tab: Tab) -> None:
        self._tabs.discard(tab)
        self.changed.set()

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to every tab; it is encoded once."""
        if self._tabs:
            encoded = to_json(message)
            for tab in self._tabs:
                tab.send(encoded)

    @property
    def output_of(self) -> Shown | None:
        """The locations whose output tabs show; None: no tab shows any."""
        shown = [tab.batch.locations for tab in self._tabs if tab.batch is not None]
        if not shown:
            return None
        named = [locations for locations in shown if locations is not None]
        return frozenset[str]().union(*named) if len(named) == len(shown) else "all"

    @property
    def shown_runs(self) -> frozenset[int]:
        """The runs that tabs show."""
        return frozenset(tab.run for tab in self._tabs if tab.run is not None)

    @property
    def want_usage(self) -> bool:
        return any(tab.wants_usage for tab in self._tabs)
