"""What is deleted under a daemon is made again, and no location fails for it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codelocd.daemon.application import Application
from codelocd.daemon.location import Location
from codelocd.model import Config, LocationSpec, Phase, Target
from codelocd.runners.bundle import Bundle
from codelocd.storage.paths import DaemonPaths

GOOD = "from codeloc import Definitions\ndefs = Definitions()\nprint('loaded')\n"


class Served:
    """One location of an application with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.paths = DaemonPaths(
            "test",
            folder / "run" / "control.sock",
            folder / "state",
            folder / "store",
            folder / "run" / "runners",
        )
        self.paths.state_dir.mkdir()
        self.application = Application(Config(()), self.paths, lambda _: None, development=False)
        file = folder / "defs.py"
        file.write_text(GOOD)
        target = Target("python_file", str(file))
        self.application.apply(Config((LocationSpec("x", target, folder, "test"),)))

    @property
    def location(self) -> Location:
        return self.application.locations["x"]

    async def serves(self) -> None:
        """After its first attempt, and without a failure."""
        await asyncio.wait_for(self.location.settled(), 120)
        state = self.location.state
        assert (state.phase, state.problem) == (Phase.SERVING, None)
        assert (state.restarts, state.history.failures) == (0, ())

    async def restarted(self) -> None:
        self.application.daemon.restart(self.location)
        await self.serves()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    made = Served(tmp_path)
    await made.serves()
    yield made
    await made.application.close()


async def test_promise_9_the_store_deleted_under_a_daemon_is_made_again(served: Served) -> None:
    shutil.rmtree(served.paths.store)
    await served.restarted()


async def test_promise_9_environments_deleted_under_a_daemon_are_built_again(
    served: Served,
) -> None:
    shutil.rmtree(served.paths.store / "environments")
    served.application.daemon.reload(served.location)
    await served.serves()
    shutil.rmtree(served.paths.store / "environments")
    await served.restarted()


async def test_promise_9_the_bundle_deleted_under_a_daemon_is_made_again(served: Served) -> None:
    shutil.rmtree(served.paths.store / "bundle")
    await served.restarted()


async def test_promise_9_the_runtime_folder_deleted_under_a_daemon_is_made_again(
    served: Served,
) -> None:
    shutil.rmtree(served.paths.runtime_dir.parent, ignore_errors=True)
    await served.restarted()


async def test_promise_9_state_and_logs_deleted_under_a_daemon_are_made_again(
    served: Served,
) -> None:
    shutil.rmtree(served.paths.state_dir)
    await served.restarted()
    assert (served.paths.state_dir / "logs" / "x.log").read_text()
    assert (served.paths.state_dir / "events.jsonl").read_text()
    served.application.daemon.stop(served.location)
    assert (served.paths.state_dir / "wanted.json").exists()


def test_a_bundle_with_a_file_of_another_length_is_made_again(tmp_path: Path) -> None:
    first = Bundle(tmp_path)
    file = first.path / "codeloc_runner" / "__main__.py"
    whole = file.read_bytes()
    file.write_bytes(b"")
    second = Bundle(tmp_path)
    assert second.path == first.path
    assert file.read_bytes() == whole
    file.unlink()
    first.restore()
    assert file.read_bytes() == whole
    first.close()
    second.close()
