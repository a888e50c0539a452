"""Fixtures of the launchers' tests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from codelocd.runners.bundle import make_bundle
from codelocd.runners.local import LocalLauncher
from codelocd.runners.warm.launcher import WarmLauncher
from codelocd.runners.warm.method import StartChoices
from codelocd.runners.warm.pools import WarmPools
from codelocd.runners.warm.profiles import ImportProfiles
from tests.pythons import EXTREMES, VERSIONS, interpreter
from tests.supervisor.runners.launching import Bench

BESIDE = {"decimal": ("fileinput", "no_such_module")}
"""What a program of the tests needs beside a runner that imports `decimal`."""


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest) -> Path:
    """Every version that a location may have."""
    return interpreter(request.param)


BETWEEN = tuple(version for version in VERSIONS if version not in EXTREMES)


@pytest.fixture(
    params=[*EXTREMES, *(pytest.param(version, marks=pytest.mark.slow) for version in BETWEEN)]
)
def version(request: pytest.FixtureRequest) -> Path:
    """The oldest and the newest, and in the slow suite those between them too."""
    return interpreter(request.param)


@pytest.fixture(params=EXTREMES)
def extreme(request: pytest.FixtureRequest) -> Path:
    """The oldest and the newest, for what does not depend on the version."""
    return interpreter(request.param)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
async def bench(bundle: Path, tmp_path: Path) -> AsyncIterator[Bench]:
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    sockets = tmp_path / "run"
    sockets.mkdir()
    profiles = ImportProfiles(tmp_path / "warm")
    entry = bundle / "codeloc_runner" / "__main__.py"
    cold = LocalLauncher(children, bundle, sockets)
    choices = StartChoices(profiles.of, "linux")
    pools = WarmPools(children, entry, profiles, choices, idle=1800, beside=BESIDE)
    launcher = WarmLauncher(cold, pools, profiles, choices)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:  # short: for sockets
        yield Bench(launcher, pools, choices, profiles, tmp_path, temporary)
        launcher.close()
        children.close()
        guardian.close()


@pytest.fixture
def newest() -> Path:
    return interpreter(EXTREMES[-1])


@pytest.fixture
def packages(bench: Bench) -> Path:
    """A folder of installed packages, which `installed` puts on the path."""
    folder = bench.folder / "site-packages"
    folder.mkdir()
    return folder
