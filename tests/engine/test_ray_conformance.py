"""Ray does what every engine has to do, with a token and TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codelocd.placement import EngineSettings, Tls
from codelocd.runners.api import Launcher
from tests.conformance.engines import EngineSetting, engine_of
from tests.conformance.stories import EngineStories, LauncherStories
from tests.engine.driving import BRIDGE, SECONDS
from tests.engine.lab import Lab, daemon_python
from tests.engine.test_daemon_on_ray import engine_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class TestStartsOnRay(LauncherStories):
    """The same cluster, without a daemon."""

    @pytest.fixture
    async def launcher(self, lab: Lab, tmp_path: Path) -> AsyncIterator[Launcher]:
        tls = lab.tls or {}
        settings = EngineSettings(
            "other",
            address=lab.address,
            token=lab.variables["RAY_AUTH_TOKEN"],
            tls=Tls(**{name: Path(path) for name, path in tls.items()}),
            fence=10.0,
            bridge=tuple(lab.inside([str(lab.python), str(BRIDGE)])),
        )
        async with engine_of(settings, tmp_path) as engine:
            await engine.settled(SECONDS)
            yield engine


class TestRay(EngineStories):
    """Two nodes of a cluster, and a daemon on a machine of its own."""

    @pytest.fixture
    def engine(self, lab: Lab, tmp_path: Path) -> EngineSetting:
        command = lab.inside([str(daemon_python().with_name("codelocd"))])
        return EngineSetting(
            engine_table(lab, tmp_path), 'engine = "ray"', lambda _: None, 10.0, command
        )
