"""The daemon's own machine, and a bridge without a cluster, do what every engine has to do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.engines import EngineSetting, Loopback
from tests.conformance.stories import EngineStories
from tests.end_to_end.daemons import native, serving


class TestLocal(EngineStories):
    """The engine that every daemon has."""

    @pytest.fixture
    def engine(self) -> EngineSetting:
        return EngineSetting()


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with tempfile.TemporaryDirectory(prefix="loop-", ignore_cleanup_errors=True) as folder:
        found = Loopback(Path(folder), "one", "two")
        yield found
        found.close()


@pytest.mark.slow  # test_bridge_engine.py has a bridge in the quick tests
class TestBridge(EngineStories):
    """Two nodes behind a bridge."""

    @pytest.fixture
    def engine(self, loopback: Loopback) -> EngineSetting:
        return loopback.setting()

    def test_it_comes_up_elsewhere_once_the_fence_of_a_lost_node_has_passed(self, place):
        place.write("a", native("orders"))
        place.config("a")
        daemon = place.start()
        before = place.until_listed("orders")
        place.engine.lose(before["node"])
        entry = daemon.until("a", lambda its: serving(its) and its["node"] != before["node"])
        assert entry["node"] in ("one", "two")
        events = place.events("a")
        assert events.index("node-lost") < events.index("exited") < events.index("moved")
