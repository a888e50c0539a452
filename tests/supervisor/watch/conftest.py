"""The listener that the tests of the watch share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.supervisor.watch.listening import Listener


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[Listener]:
    listener = Listener(tmp_path / "project")
    listener.folder.mkdir()
    yield listener
    listener.watch.close()
