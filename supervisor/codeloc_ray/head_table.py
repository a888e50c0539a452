"""What the bridge notes in the table of the cluster's head, for the next one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ray.experimental import internal_kv

from codeloc_ray.node.head import EPOCHS, LEASES

DRAINED = b"codelocd-drained"
"""Nodes that take no runners of a daemon."""

Ask = Callable[..., Awaitable[Any]]


class HeadTable:
    """`ask(work)` gives what `work` finds, in a thread; it raises EngineError where the head does
    not answer, and so does all of this. `prefix`: of the names of one daemon."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def lease(self, name: str) -> bytes | None:
        """The counter of a host."""
        value: bytes | None = await self._ask(_get, name, LEASES)
        return value

    async def forget_lease(self, name: str) -> None:
        await self._ask(_delete, name, LEASES)

    async def note_epoch(self, name: str, epoch: int) -> None:
        await self._ask(_put, name, str(epoch).encode(), EPOCHS)

    async def epochs(self, prefix: str) -> dict[str, int]:
        """The newest of each location."""
        found: dict[str, bytes] = await self._ask(_below, prefix, EPOCHS)
        return {location: int(epoch or b"0") for location, epoch in found.items()}

    async def note_drained(self, prefix: str, node: str, *, on: bool) -> None:
        if on:
            await self._ask(_put, f"{prefix}{node}", b"1", DRAINED)
        else:
            await self._ask(_delete, f"{prefix}{node}", DRAINED)

    async def drained(self, prefix: str) -> set[str]:
        return set(await self._ask(_below, prefix, DRAINED))


def _get(name: str, table: bytes) -> bytes | None:
    value: bytes | None = internal_kv._internal_kv_get(name.encode(), namespace=table)
    return value


def _put(name: str, value: bytes, table: bytes) -> None:
    internal_kv._internal_kv_put(name.encode(), value, overwrite=True, namespace=table)


def _delete(name: str, table: bytes) -> None:
    internal_kv._internal_kv_del(name.encode(), namespace=table)


def _below(prefix: str, table: bytes) -> dict[str, bytes | None]:
    """The values by what follows `prefix` in their names."""
    names = internal_kv._internal_kv_list(prefix.encode(), namespace=table)
    return {name.decode()[len(prefix) :]: _get(name.decode(), table) for name in names}
