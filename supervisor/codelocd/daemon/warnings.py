"""What is to be known of the daemon itself: files that were damaged, or cannot be written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from codeloc_envs import damaged
from codeloc_envs.store.layout import Layout
from codelocd.storage.desired_state import DesiredState
from codelocd.storage.paths import DaemonPaths
from codelocd.storage.remains import SNAPSHOTS

FRESH = 10.0
"""Seconds for which a look at the folders is good enough."""


class Warnings:
    """Lines for `status`; that of a file which was set aside ends when the file is removed."""

    def __init__(self, paths: DaemonPaths, desired: DesiredState) -> None:
        state, store = paths.state_dir, Layout(paths.store)
        self._folders = (state, state / SNAPSHOTS, state / "warm", store.keys, store.leftovers)
        self._desired = desired
        self.of_locations: Callable[[], Iterable[str]] = tuple
        """Further lines, about single locations."""
        self._kept: list[damaged.Damage] = []
        self._known = -1
        self._looked_at = 0.0

    def lines(self) -> list[str]:
        now, count = time.monotonic(), len(damaged.found)
        if count != self._known or now - self._looked_at >= FRESH:
            self._kept = damaged.kept_in(*self._folders)
            self._known, self._looked_at = count, now
        kept = (each.text for each in self._kept)
        return [*filter(None, [self._desired.unwritten]), *kept, *self.of_locations()]
