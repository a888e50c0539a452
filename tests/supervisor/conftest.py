"""What several files of tests need: real child processes; a hub of events and who hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from tests.supervisor.subscribing import Connection, State, StatefulHub


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    yield children
    await children.settled()
    children.close()
    guardian.close()


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def hub(state: State) -> StatefulHub:
    return StatefulHub("me", state, history=10)


@pytest.fixture
def connection() -> Connection:
    return Connection()
