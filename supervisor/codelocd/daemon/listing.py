"""The document of `definitions`, encoded where it is so large that the loop must not do it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from codelocd.core.registry import Registry
from codelocd.core.weight import let_go
from codelocd.daemon import status
from codelocd.process.garbage import much_is_made
from codelocd.rpc.packed import Packed
from codelocd.rpc.requests import Limits

T = TypeVar("T")

KEPT = 5.0
"""Seconds for which the last one is kept: those who ask at the same time share it."""


@dataclass(frozen=True, slots=True)
class _ListingQuery:
    registry: Registry
    names: tuple[str, ...] | None
    kind: str | None

    def packed(self) -> Packed:
        with much_is_made(stays=False):
            document = status.definitions(self.registry, self.names, self.kind)
            try:
                return _packed(document)
            finally:
                for values in document["definitions"], document["edges"], document["conflicts"]:
                    let_go(values)


class Listings:
    """Encodes on another thread, one at a time. Lives on the running loop."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._last: tuple[_ListingQuery, Packed] | None = None

    async def packed(
        self, registry: Registry, names: Collection[str] | None = None, kind: str | None = None
    ) -> Packed | None:
        """None where it is small. Raises RpcError "limit"."""
        listing = _ListingQuery(registry, None if names is None else tuple(names), kind)
        if not registry.is_large(names):
            return None
        async with self._one_at_a_time:
            if (known := self._known(listing)) is None:
                known = await asyncio.to_thread(listing.packed)
                self._last = listing, known
                asyncio.get_running_loop().call_later(KEPT, self._forget, known)
        return known

    def whole(
        self, registry: Registry, names: Collection[str] | None = None
    ) -> Mapping[str, object] | Packed | Awaitable[Packed | None]:
        """The whole document, encoded if that was done just now; else what waits for that."""
        if not registry.is_large(names):
            return status.definitions(registry, names, None)
        listing = _ListingQuery(registry, None if names is None else tuple(names), None)
        return self._known(listing) or self.packed(registry, names)

    async def encoded(self, document: Mapping[str, Any]) -> Packed:
        """A document that is large. Raises RpcError "limit"."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(_packed, document)

    async def searched(self, registry: Registry, search: Callable[[], T]) -> T:
        """What a search of the registry finds; on another thread where that takes a while."""
        if not registry.is_large():
            return search()
        async with self._one_at_a_time:
            return await asyncio.to_thread(_searched, search)

    def _known(self, listing: _ListingQuery) -> Packed | None:
        """The registry is a value that does not change: another revision is another object."""
        if self._last is None:
            return None
        last, packed = self._last
        same = (last.names, last.kind) == (listing.names, listing.kind)
        return packed if same and last.registry is listing.registry else None

    def _forget(self, packed: Packed) -> None:
        if self._last is not None and self._last[1] is packed:
            self._last = None


def _packed(document: Mapping[str, Any]) -> Packed:
    return Packed.of(document, Limits())


def _searched(search: Callable[[], T]) -> T:
    with much_is_made(stays=False):
        return search()
