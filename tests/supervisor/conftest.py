"""What several rooms of the daemon need to be tried: real child processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from codelocd.guardian import Guardian
from codelocd.process import Children


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    yield children
    await children.settled()
    children.close()
    guardian.close()
