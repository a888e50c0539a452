"""The environments of the store, and those that locations use, as the wire tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codeloc_envs import Environment, Store
from codeloc_envs.store.records import package_sizes
from codelocd.core.environments import difference
from codelocd.core.nearest import advice
from codelocd.daemon import params as take
from codelocd.daemon import status
from codelocd.daemon.actions import Method
from codelocd.daemon.location import Location
from codelocd.daemon.locations import Locations
from codelocd.daemon.params import Params
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer

if TYPE_CHECKING:
    from codeloc_envs.documents import InstalledPackage, StoredEnvironment
    from codelocd.documents.answers import (
        EnvironmentDocument,
        EnvironmentsDiff,
        ShownEnvironment,
    )

Users = Mapping[str, Sequence[tuple[Location, Environment]]]
"""By key of the environment."""


class Environments:
    """The methods about environments, which look at them on another thread: disks may be slow."""

    def __init__(self, store: Store, locations: Locations) -> None:
        self._store = store
        self._locations = locations
        self.methods: dict[str, tuple[Method, frozenset[str]]] = {
            "environments": (self._listed, frozenset()),
            "environment": (self._shown, frozenset({"key"})),
            "diff": (self._diff, frozenset({"environments"})),
        }

    async def _listed(self, _peer: Peer, _params: Params) -> list[EnvironmentDocument]:
        """The `env list --json` document."""
        users = self._users()
        found = await asyncio.to_thread(self._store.list)
        return [{**each, "used_by": _names(users, each["key"])} for each in found]

    async def _shown(self, _peer: Peer, params: Params) -> ShownEnvironment:
        return await self._one(take.text(params, "key"))

    async def _diff(self, _peer: Peer, params: Params) -> EnvironmentsDiff:
        """What the first has to become to be the second."""
        keys = take.texts(params, "environments") or []
        if len(keys) != 2:
            raise RpcError("usage", "environments must be an array of two keys")
        one, other = [await self._one(key) for key in keys]
        pythons = one["python"], other["python"]
        return difference((one["key"], other["key"]), pythons, _versions(one), _versions(other))

    async def _one(self, key: str) -> ShownEnvironment:
        """The environment with that key, or the beginning of it. Raises RpcError."""
        users = self._users()
        stored = {each["key"]: each for each in await asyncio.to_thread(self._store.list)}
        matches = sorted(each for each in {*stored, *users} if each.startswith(key))
        if key in matches:
            matches = [key]
        if not matches or not key:
            known = advice(key, [*stored, *users])
            raise RpcError("unknown", f"there is no environment {key!r}; {known}")
        if len(matches) > 1:
            short = ", ".join(match[:12] for match in matches)
            raise RpcError("usage", f"several environments begin with {key!r}: {short}")
        return await _shown(matches[0], stored.get(matches[0]), users)

    def _users(self) -> Users:
        users: dict[str, list[tuple[Location, Environment]]] = {}
        for location, environment in self._locations.environments():
            users.setdefault(environment.key, []).append((location, environment))
        return users


async def _shown(key: str, stored: StoredEnvironment | None, users: Users) -> ShownEnvironment:
    its = users.get(key, ())
    reasons = {each.choice.why for each, _ in its if each.choice is not None}
    inputs = {str(path) for each, _ in its for path in status.describing(each)}
    if stored is None:
        _, environment = its[0]
        python, path = environment.python, environment.path
        prefix = path or environment.executable.resolve().parent.parent
    else:
        python, path = stored["python"], Path(stored["path"])
        prefix = path
        reasons |= {*stored["why"]}
    return {
        "key": key,
        "path": None if path is None else str(path),
        "python": python,
        "packages": await asyncio.to_thread(_packages, prefix),
        "size": stored and stored["size"],
        "shared": stored and stored["shared"],
        "created": stored and stored["created"],
        "last_used": stored and stored["last_used"],
        "why": sorted(reasons),
        "used_by": _names(users, key),
        "inputs": sorted(inputs),
    }


def _names(users: Users, key: str) -> list[str]:
    return [location.name for location, _ in users.get(key, ())]


def _packages(prefix: Path) -> list[InstalledPackage]:
    """None for an interpreter that keeps its packages elsewhere, or whose folder is gone."""
    try:
        return package_sizes(prefix)
    except OSError:
        return []


def _versions(environment: ShownEnvironment) -> dict[str, str]:
    return {package["name"]: package["version"] for package in environment["packages"]}
