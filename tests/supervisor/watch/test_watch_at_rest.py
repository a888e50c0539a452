"""A watch at which nothing happens does not wake up."""

import asyncio
import os
import platform
from pathlib import Path

import pytest

from tests.supervisor.watch.listening import DEADLINE, Listener

TIMEOUT_ARGUMENT = {"7": 2, "202": 3}
"""Of poll(2) and futex(2), by their numbers on x86-64."""

FOREVER = {0, 0xFFFFFFFF}
"""No timespec at all; -1 milliseconds."""


def threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))


async def waiting_call(thread: str) -> list[str]:
    """The system call in which a thread waits, and its arguments, once it does."""
    async with asyncio.timeout(DEADLINE):
        while True:
            call = Path(f"/proc/self/task/{thread}/syscall").read_text().split()
            if call[0] in TIMEOUT_ARGUMENT:
                return call
            await asyncio.sleep(0)


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="knows the system calls of Linux on x86-64 only",
)
async def test_its_thread_waits_without_a_timeout(tmp_path: Path) -> None:
    before = threads()
    listener = Listener(tmp_path)
    defs = listener.write("defs.py", "old")
    listener.serve(defs)
    defs.write_text("new")
    await listener.changed_to({defs: "new"})
    own = threads() - before
    assert len(own) == 1
    for thread in own:
        number, *arguments = await waiting_call(thread)
        assert int(arguments[TIMEOUT_ARGUMENT[number]], 16) & 0xFFFFFFFF in FOREVER
    listener.watch.close()
