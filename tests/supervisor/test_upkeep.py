"""Unused environments are removed by themselves; the clock is the test's."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from codeloc_envs import Environment, Request, Store, choose
from codelocd.process.child import Children
from codelocd.runners.environments import DAY, FIRST, EnvironmentPruner

DEADLINE = 60.0
FIFTEEN_DAYS = 15 * 86400.0


@dataclass(slots=True)
class Clock:
    """Time passes when the test says so."""

    slept: list[float] = field(default_factory=list)
    passes: asyncio.Event = field(default_factory=asyncio.Event)
    sleeps: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.sleeps.set()
        await self.passes.wait()
        self.passes.clear()

    async def until_next(self) -> None:
        self.sleeps.clear()
        self.passes.set()
        await asyncio.wait_for(self.sleeps.wait(), DEADLINE)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def built(store: Path) -> Environment:
    """One that has not been used for fifteen days."""
    specification = choose(Request(), code=store.parent / "defs.py").specification
    environment = Store(store).build(specification, lambda _: None)
    forget(store, environment)
    return environment


def forget(store: Path, environment: Environment) -> None:
    lease = store / "leases" / f"{environment.lease_name}.lock"
    lease.touch()
    then = lease.stat().st_mtime - FIFTEEN_DAYS
    os.utime(lease, (then, then))


async def test_what_nobody_has_used_for_long_is_removed_once_a_day(
    children: Children, store: Path
) -> None:
    clock, said = Clock(), list[str]()
    unused = built(store)
    chore = asyncio.ensure_future(
        EnvironmentPruner(children, store, lambda: (), said.append, clock.sleep).run()
    )
    await asyncio.wait_for(clock.sleeps.wait(), DEADLINE)
    assert unused.executable.exists(), "a daemon that has just started has other things to do"
    await clock.until_next()
    assert not unused.executable.exists()
    assert said == [f"removed from the store, as they were not used: {unused.key}"]
    again = built(store)
    await clock.until_next()
    assert not again.executable.exists()
    assert clock.slept == [FIRST, DAY, DAY]
    chore.cancel()


async def test_what_a_location_has_or_a_process_holds_stays(
    children: Children, store: Path
) -> None:
    clock, said = Clock(), list[str]()
    had = built(store)
    chore = asyncio.ensure_future(
        EnvironmentPruner(children, store, lambda: (had,), said.append, clock.sleep).run()
    )
    await asyncio.wait_for(clock.sleeps.wait(), DEADLINE)
    await clock.until_next()
    assert had.executable.exists()
    chore.cancel()
    with Store(store).lease(had):
        forget(store, had)
        await _prune_once(children, store, said)
        assert had.executable.exists()
    assert said == []


async def test_a_store_that_cannot_be_pruned_is_reported(children: Children, store: Path) -> None:
    said = list[str]()
    store.mkdir()
    (store / "keys").write_text("no folder")
    (store / "environments").write_text("no folder")
    await _prune_once(children, store, said)
    assert len(said) == 1
    assert said[0].startswith(f"unused environments could not be removed from {store}: ")
    assert "NotADirectoryError" in said[0]


async def _prune_once(children: Children, store: Path, said: list[str]) -> None:
    clock = Clock()
    chore = asyncio.ensure_future(
        EnvironmentPruner(children, store, lambda: (), said.append, clock.sleep).run()
    )
    await asyncio.wait_for(clock.sleeps.wait(), DEADLINE)
    await clock.until_next()
    chore.cancel()
