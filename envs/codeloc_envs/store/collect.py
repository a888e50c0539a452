"""Takes away what is not used: remains of killed builds, and what has been idle for long:
environments, bundles of other versions of codelocd, bytecode.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codeloc_envs.files import TEMPORARY, make_folder
from codeloc_envs.install.leftovers import sweep_leftovers
from codeloc_envs.install.tools import Installer
from codeloc_envs.install.uv_settings import variables_for_uv
from codeloc_envs.store.layout import DRAFT_BUNDLE, Layout
from codeloc_envs.store.lease import last_used, try_hold
from codeloc_envs.store.records import (
    RECORD_NAME,
    Publication,
    publications,
    read_publication,
    read_resolution,
)

IDLE = 14 * 24 * 3600.0
"""Seconds without a use after which an environment goes."""
_HALF_WRITTEN = 3600.0
"""Seconds after which no process is still writing a temporary file."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """Keys of the environments that went, and the bytes that only they took."""

    keys: tuple[str, ...]
    freed: int


@dataclass(frozen=True, slots=True)
class Removal:
    """An environment to remove: unused for too long (`idle`), or above the limit (`size`).

    `last_used` in Unix seconds; `own`: the bytes that only it takes.
    """

    publication: Publication
    why: Literal["idle", "size"]
    last_used: float
    own: int


@dataclass(frozen=True, slots=True)
class Unused:
    """A folder that is made again when it is needed: what runners are run from, or compiled files
    of an environment that is not of the store.
    """

    kind: Literal["bundle", "bytecode"]
    path: Path
    lock: Path

    @property
    def last_used(self) -> float:
        """In Unix seconds."""
        return last_used(self.lock) or last_used(self.path)


def sweep(layout: Layout) -> None:
    """Remove what killed builders and collectors left; never what is in use."""
    for folder in _children(layout.environments):
        if _published(layout, folder.name) is None:
            _remove(layout, folder.name, published=False)
    for lease in _children(layout.leases):
        homes = (layout.environments, layout.bytecode)
        if not any((home / lease.stem).exists() for home in homes):
            _unlink_unused(lease)
    for folder in (layout.keys, layout.root / "cache", *_children(layout.resolutions)):
        remove_half_written(folder)
    for draft in layout.bundles.glob(f"{DRAFT_BUNDLE}*"):
        if last_used(draft) < time.time() - _HALF_WRITTEN:
            shutil.rmtree(draft, ignore_errors=True)
    for folder in _children(layout.trash):
        shutil.rmtree(folder, ignore_errors=True)
    sweep_leftovers(layout)


def prune(layout: Layout, *, idle: float = IDLE, size: int | None = None) -> Pruned:
    """Remove environments unused for `idle` seconds; then the longest unused until all take
    at most `size` bytes. One that is in use stays, whatever its age."""
    now = time.time()
    chosen = going(layout, now, idle=idle, size=size)
    gone = [
        each.publication
        for each in chosen
        if _remove(layout, each.publication.directory, published=True)
    ]
    _forget(layout, now - idle)
    for old in unused(layout, now - idle):
        _discard(layout, old.path, old.lock)
    for lock in (*layout.bundles.glob("*.lock"), *layout.former_bundles.glob("*.lock")):
        if not lock.with_suffix("").exists():
            _unlink_unused(lock)
    sweep(layout)
    if gone:
        _clean_packages(layout)
    return Pruned(tuple(each.key for each in gone), sum(_own(each) for each in gone))


def going(
    layout: Layout, now: float, *, idle: float = IDLE, size: int | None = None
) -> tuple[Removal, ...]:
    """What `prune` would remove at `now`, first what was used longest ago. Changes nothing."""
    ordered = sorted(publications(layout), key=lambda each: each.last_used(layout))
    total = sum(_own(each) for each in ordered)
    found: list[Removal] = []
    for publication in ordered:
        used = publication.last_used(layout)
        excess = size is not None and total > size
        if (now - used >= idle or excess) and _is_free(layout, publication.directory):
            why: Literal["idle", "size"] = "idle" if now - used >= idle else "size"
            found.append(Removal(publication, why, used, _own(publication)))
            total -= _own(publication)
    return tuple(found)


def unused(layout: Layout, before: float) -> Iterator[Unused]:
    """The folders that `prune` takes away beside environments, last used before that time.

    One was last used when its lock was; one that was never locked, when it was made.
    """
    for found in _made_again(layout):
        if found.last_used < before and _is_unlocked(found.lock):
            yield found


def _made_again(layout: Layout) -> Iterator[Unused]:
    for home in (layout.bundles, layout.former_bundles):
        for folder in _folders(home):
            yield Unused("bundle", folder, home / f"{folder.name}.lock")
    for folder in _folders(layout.bytecode):
        yield Unused("bytecode", folder, layout.lease(folder.name))


def _is_free(layout: Layout, name: str) -> bool:
    """No process has a lease on the environment."""
    return _is_unlocked(layout.lease(name))


def _is_unlocked(path: Path) -> bool:
    """What has no lock was never locked."""
    lease = try_hold(path) if path.exists() else None
    if lease is None:
        return not path.exists()
    lease.close()
    return True


def _remove(layout: Layout, name: str, *, published: bool) -> bool:
    """Take an environment away if no process has a lease on it.

    Without `published` only if it is not published, which is decided while the lease is held:
    its builder is gone by then, and cannot publish it any more.
    """
    lease = try_hold(layout.lease(name))
    if lease is None:
        return False
    with lease:
        publication = _published(layout, name)
        if publication is not None:
            if not published:
                return False
            layout.pointer(publication.key).unlink()
        with contextlib.suppress(FileNotFoundError):
            (layout.environments / name).rename(layout.trash / name)
        layout.lease(name).unlink(missing_ok=True)
    shutil.rmtree(layout.trash / name, ignore_errors=True)
    return True


def _published(layout: Layout, name: str) -> Publication | None:
    publication = read_publication(layout, name.rpartition("-")[0])
    return publication if publication and publication.directory == name else None


def _forget(layout: Layout, before: float) -> None:
    """Drop resolutions and locks last used before that time, unless a builder has them."""
    for folder in _children(layout.resolutions):
        if (last_used(folder / RECORD_NAME) or last_used(folder)) < before:
            _forget_resolution(layout, folder)
    for lock in _children(layout.locks):
        if last_used(lock) < before:
            _unlink_unused(lock)


def _forget_resolution(layout: Layout, folder: Path) -> None:
    """It belongs to who holds the lock of its key; as long as its environment stands, it stays."""
    kept = read_resolution(folder)
    lease = try_hold(layout.lock(folder.name))
    if lease is not None:
        with lease:
            if kept is None or read_publication(layout, kept.environment) is None:
                shutil.rmtree(folder, ignore_errors=True)


def _discard(layout: Layout, folder: Path, lock: Path) -> None:
    """Take away a folder that can be made again, if no process holds its lock.

    It loses its name while the lock is held: who comes next makes another.
    """
    lease = try_hold(lock)
    if lease is None:
        return
    with lease:
        make_folder(layout.trash)
        gone = layout.trash / f"{folder.name}-{secrets.token_hex(4)}"
        with contextlib.suppress(FileNotFoundError):
            folder.rename(gone)
        lock.unlink(missing_ok=True)
    shutil.rmtree(gone, ignore_errors=True)


def _clean_packages(layout: Layout) -> None:
    """Let uv drop what no cache entry names any more; never during a build."""
    lease = try_hold(layout.packages_lock)
    if lease is not None:
        with lease:
            variables = variables_for_uv(os.environ, Path.home(), layout.packages)
            Installer(variables).run(
                ["cache", "prune"], directory=layout.root, listen=lambda _: None
            )


def _unlink_unused(path: Path) -> None:
    lease = try_hold(path)
    if lease is not None:
        with lease:
            path.unlink(missing_ok=True)


def remove_half_written(folder: Path) -> None:
    """Remove the drafts of files that their writers had no time to finish."""
    for path in folder.glob(f"*{TEMPORARY}"):
        if last_used(path) < time.time() - _HALF_WRITTEN:
            path.unlink(missing_ok=True)


def _own(publication: Publication) -> int:
    return publication.size - publication.shared


def _folders(folder: Path) -> list[Path]:
    """Those that have their final name."""
    return [each for each in _children(folder) if each.is_dir() and each.name[0] != "."]


def _children(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from sorted(folder.iterdir())
