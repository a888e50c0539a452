"""The head of a Ray cluster is killed, with Redis behind it, and comes back: nothing else ends."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.driving import DrivenBridge, place, started
from tests.engine.lab import Lab, missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def lab() -> Iterator[Lab]:
    """One node, and Redis on the daemon's machine."""
    why = missing() or (None if shutil.which("redis-server") else "redis-server is not installed")
    if why is not None:
        pytest.skip(why)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with (
        tempfile.TemporaryDirectory(prefix="codelocd-lab-", ignore_cleanup_errors=True) as name,
        Lab(Path(name), token) as lab,
    ):
        lab.start_redis()
        lab.start_head()
        lab.start_own()
        lab.add_node()
        yield lab


async def test_the_same_runners_answer_when_the_head_is_back(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle, fence=30.0) as bridge:
        order = place("sales", project)
        said = await started(bridge, order, project)
        began = time.monotonic()
        lab.kill(lab.head)
        lab.start_head()
        ping = await bridge.connection(order["runner"]).call("hello")
        print(f"\nthe head is back, and its runner answers, after {time.monotonic() - began:.1f} s")
        assert ping["pid"] == said["pid"]
        later = place("later", project)
        await started(bridge, later, project)
        assert not [params for name, params in bridge.told if name == "exited"]
        await bridge.ask("close", leave=False)
