"""Ray does what every engine has to do, with a token and TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.engines import EngineSetting
from tests.conformance.stories import EngineStories
from tests.engine.lab import Lab, daemon_python
from tests.engine.test_daemon_on_ray import engine_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class TestRay(EngineStories):
    """Two nodes of a cluster, and a daemon on a machine of its own."""

    @pytest.fixture
    def engine(self, lab: Lab, tmp_path: Path) -> EngineSetting:
        command = lab.inside([str(daemon_python().with_name("codelocd"))])
        return EngineSetting(
            engine_table(lab, tmp_path), 'engine = "ray"', lambda _: None, 10.0, command
        )
