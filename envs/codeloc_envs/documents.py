"""What the store tells of itself and of a build: sizes in bytes on disk, times in Unix seconds.

Only type checkers read this module: what imported it would start later.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class ProgressDocument(TypedDict):
    """A step of a build, as `Progress` explains it."""

    phase: str
    message: str
    done: int | None
    total: int | None
    bytes_done: int | None
    bytes_total: int | None


class EnvironmentFacts(TypedDict):
    """What is known of an environment of the store.

    `packages` are `name==version`; `shared` is what of `size` lies in files that the package cache
    or other environments link to as well.
    """

    key: str
    path: str
    python: str
    packages: list[str]
    size: int
    shared: int
    created: float
    last_used: float


class InstalledPackage(TypedDict):
    """One package of an environment; `size`: of its files, as its own record of them says."""

    name: str
    version: str
    size: int | None


class StoredEnvironment(EnvironmentFacts):
    """One environment of `Store.list`; `why` are the descriptions that gave it."""

    why: list[str]


class PrunableEnvironment(EnvironmentFacts):
    """One that `Store.prune` would remove: `own` is what that frees.

    It was unused for too long (`idle`), or the store takes more than it may (`size`).
    """

    own: int
    reason: Literal["idle", "size"]


class UnusedFolder(TypedDict):
    """A folder that `Store.prune` would remove beside environments."""

    kind: Literal["bundle", "bytecode"]
    path: str
    last_used: float
