"""Memory and CPU of real processes."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest

from codelocd.daemon import usage
from codelocd.daemon.usage import Sampler


async def test_a_process_is_measured_with_its_descendants() -> None:
    code = "import subprocess, sys; c = subprocess.Popen(['sleep', '600']); print(c.pid); input()"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-uc", code, stdin=-1, stdout=-1, start_new_session=True
    )
    assert child.stdout is not None
    descendant = int(await child.stdout.readline())
    sampler = Sampler()
    await sampler.sample([child.pid, descendant])
    whole, part = sampler.usage(child.pid), sampler.usage(descendant)
    os.kill(descendant, 9)
    child.kill()
    await child.wait()
    assert whole is not None
    assert part is not None
    assert whole.memory > part.memory > 0


async def test_samples_of_processes_that_are_gone_are_forgotten() -> None:
    child = await asyncio.create_subprocess_exec("sleep", "600")
    sampler = Sampler()
    await sampler.sample([child.pid])
    assert sampler.usage(child.pid) is not None
    child.kill()
    await child.wait()
    await sampler.sample([os.getpid()])
    assert sampler.usage(child.pid) is None


async def test_nobody_waits_for_a_fresh_look_where_the_last_one_is_good_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler, goes_on, look = Sampler(), threading.Event(), usage._look
    await sampler.sample([os.getpid()])
    before = sampler.usage(os.getpid())
    monkeypatch.setattr(usage, "INTERVAL", 0.0)
    monkeypatch.setattr(usage, "_look", lambda *known: goes_on.wait(60) and look(*known))
    await asyncio.wait_for(sampler.sample([os.getpid()]), 30)
    assert sampler.usage(os.getpid()) is before
    goes_on.set()
    await asyncio.wait(sampler._looks)
    assert sampler.usage(os.getpid()) is not before
