"""What a host does before there is a runner: it takes contents, and has the environment built."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from codeloc_ray.errors import EngineError
from codeloc_ray.node import environments, process
from codeloc_ray.node.paths import Stripped
from codeloc_ray.node.store import NodeStore


class Deliveries:
    """Contents that are sent to this node."""

    def __init__(self, store: NodeStore) -> None:
        self._store = store

    async def do_missing(self, digests: list[str], trees: list[str]) -> dict[str, Any]:
        lacking = [each for each in trees if not self._store.has_tree(each)]
        return {"digests": await asyncio.to_thread(self._store.missing, digests), "trees": lacking}

    async def do_put(self, pieces: list[tuple[str, int, bytes, bool]]) -> None:
        for piece in pieces:
            await asyncio.to_thread(self._store.put, *piece)

    async def do_tree(self, name: str, files: Mapping[str, Any], lasting: bool) -> str:
        return await asyncio.to_thread(self._store.tree, name, files, lasting)

    async def do_prune(self) -> None:
        """By a host whose runner has its environment: what builds them is there."""
        await asyncio.to_thread(self._prune)

    def _prune(self) -> None:
        if self._store.prune():
            environments.prune(self._store.root)
            process.remove_left_folders()


class PreparedEnvironment:
    """The environment of this host's runner; `stirred` is called when a build has got further."""

    def __init__(self, store: NodeStore, stirred: Callable[[], None]) -> None:
        self._store = store
        self._stirred = stirred
        self._building: asyncio.Task[Any] | None = None
        self._found: dict[str, Any] | None = None
        self._held: object = None
        self.described = ""
        self.progress: list[Mapping[str, Any]] = []

    @property
    def found(self) -> dict[str, Any]:
        """Raises EngineError where there is none yet."""
        if self._found is None:
            raise EngineError("internal", "there is no environment on this node yet", "environment")
        return self._found

    @property
    def is_building(self) -> bool:
        return self._building is not None

    async def do_prepare(
        self, specification: dict[str, Any], described: str, tools: str
    ) -> dict[str, Any]:
        """`described`: the folder that stands before the paths of the specification's files."""
        if described:
            specification = environments.moved(specification, described)
        self.described = described
        ready = await asyncio.to_thread(environments.found, self._store.root, tools, specification)
        if ready is not None:
            await self._take(ready)
            told_ready: dict[str, Any] = Stripped(described).value({"environment": ready})
            return told_ready
        self._building = asyncio.ensure_future(
            environments.build(self._store.root, tools, specification, self._progressed)
        )
        try:
            said: dict[str, Any] = await self._building
        except asyncio.CancelledError:
            raise EngineError("down", "the build was cancelled", "environment") from None
        finally:
            self._building = None
        if "environment" in said:
            await self._take(said["environment"])
        told: dict[str, Any] = Stripped(described).value(said)
        return told

    async def _take(self, environment: dict[str, Any]) -> None:
        """It stays for as long as this host lives, and so its runner."""
        self._held = await asyncio.to_thread(environments.held, self._store.root, environment)
        self._found = environment

    def cancel(self) -> None:
        if self._building is not None:
            self._building.cancel()

    def _progressed(self, progress: Mapping[str, Any]) -> None:
        self.progress.append(Stripped(self.described).value(dict(progress)))
        self._stirred()
