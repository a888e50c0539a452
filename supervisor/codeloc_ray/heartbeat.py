"""Looks after the cluster's head, and tells the daemon of its nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from codeloc_ray.cluster import Cluster
from codeloc_ray.errors import EngineError

EVERY = 5.0


class HeadWatch:
    """Asks for the nodes every few seconds. `counts` gives the runners on each."""

    def __init__(
        self, cluster: Cluster, counts: Callable[[], Mapping[str, int]], notify: Callable[..., None]
    ) -> None:
        self._cluster = cluster
        self._counts = counts
        self._notify = notify
        self._is_up = True
        self._told: list[dict[str, Any]] = []
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _probe(self, node: str) -> None:
        """Whether a node that was silent does what it is asked again."""
        if await self._cluster.is_alive(node, "/", "none") is not None:
            self._cluster.silent.discard(node)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await asyncio.gather(*map(self._probe, tuple(self._cluster.silent)))
            try:
                nodes = await self._cluster.nodes(self._counts())
            except EngineError as failure:
                if self._is_up:
                    self._is_up = False
                    self._notify("down", why=failure.message, since=time.time())
                continue
            if not self._is_up:
                self._is_up = True
                self._notify("up")
            told = [self._cluster.document(each, None) for each in nodes]
            if told != self._told:
                self._told = told
                self._notify("nodes", nodes=told)
