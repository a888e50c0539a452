"""How the bridge of an engine is started: its program, and the environment that it runs in."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeloc_envs import Choice, Environment, EnvironmentProblem, Lease, Request, Store, choose
from codelocd.engine.bridge import BridgeCommand
from codelocd.model import Output
from codelocd.placement import EngineSettings
from codelocd.runners import variables
from codelocd.runners.environments import Builder

PACKAGE = "codeloc_ray"
"""The package with Ray's bridge. It is run by the interpreter that has Ray, and never imported by
the daemon but for what it requires."""

TOO_OLD = 3
"""A status of a Python that the bridge cannot run on."""

ANSWER = 30.0
"""Seconds for this machine's part of a cluster to say which Ray and which Python it is."""


class OtherCommand:
    """The bridge of another engine, by its own command."""

    def __init__(self, settings: EngineSettings) -> None:
        self._words = settings.bridge

    async def __call__(self) -> BridgeCommand:
        return BridgeCommand(self._words, dict(os.environ))

    def close(self) -> None:
        """It holds nothing."""


class RayCommand:
    """Ray's bridge, in an environment with the Ray and the Python of the cluster: Ray takes no
    other. The cluster is asked for both before each build."""

    def __init__(
        self, settings: EngineSettings, store: Store, builder: Builder, output: Output
    ) -> None:
        self._settings, self._output = settings, output
        self._store, self._builder = store, builder
        self._lease: Lease | None = None

    async def __call__(self) -> BridgeCommand:
        """Raises EnvironmentProblem, OSError."""
        request, is_ours = self._settings.environment, False
        if request is None:
            request, is_ours = await asyncio.to_thread(fitting, self._settings), True
        environment = await self._ready(await asyncio.to_thread(_choice, request))
        if not is_ours:
            await asyncio.to_thread(_check_speaks, environment.executable)
        inherited = variables.inherited(os.environ, development=False)
        executable = environment.executable
        own = variables.of_runner(inherited, {}, executable, environment.variables, {})
        return BridgeCommand((str(executable), str(program() / "__main__.py")), own)

    def close(self) -> None:
        """From now on its environment may be removed."""
        if self._lease is not None:
            self._lease.close()

    async def _ready(self, choice: Choice) -> Environment:
        found = await asyncio.to_thread(self._store.find, choice.specification)
        if found is None:
            found = await self._builder.build(choice.specification, self._say)
        lease, former = self._store.lease(found), self._lease
        self._lease = lease
        if former is not None:
            former.close()
        return found

    def _say(self, progress: Mapping[str, Any]) -> None:
        self._output("stdout", f"environment of the bridge: {progress['message']}\n".encode())


def fitting(settings: EngineSettings) -> Request:
    """What is to be built for the cluster as it is now. Blocks. Raises EnvironmentProblem."""
    found = asked(settings)
    required = importlib.import_module(f"{PACKAGE}.requirements").REQUIREMENTS
    packages = tuple(each.format(version=found["version"]) for each in required)
    return Request(python=found["executable"], packages=packages)


def _check_speaks(executable: Path) -> None:
    """Whether the bridge can say at all what is wrong with an environment that was not built for
    it. Blocks. Raises EnvironmentProblem."""
    needs = importlib.import_module(f"{PACKAGE}.requirements")
    oldest: tuple[int, int] = needs.OLDEST_PYTHON
    asks = f"import sys; sys.version_info < {oldest!r} and sys.exit({TOO_OLD}); import msgpack"
    try:
        done = subprocess.run(
            [executable, "-I", "-c", asks], capture_output=True, timeout=ANSWER, check=False
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"{executable} does not answer", passing=True) from None
    if done.returncode == 0:
        return
    what = f"has no msgpack: install {', '.join(needs.REQUIREMENTS[1:])} there"
    if done.returncode == TOO_OLD:
        what = f"is a Python before {'.'.join(map(str, oldest))}, which the bridge needs"
    raise EnvironmentProblem(f"{executable} {what}; or leave [engine] environment out")


def program() -> Path:
    """The folder of Ray's bridge. Raises EnvironmentProblem."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EnvironmentProblem(f"this codelocd has no {PACKAGE}; install it again, as a whole")
    return Path(found.submodule_search_locations[0])


def asked(settings: EngineSettings) -> Mapping[str, Any]:
    """The Ray and the Python of the cluster, `{"version", "python", "executable"}`. Blocks.

    Raises EnvironmentProblem where this machine is no part of it.
    """
    words = [sys.executable, "-I", str(program() / "asking.py"), settings.address or ""]
    try:
        done = subprocess.run(
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=ANSWER, check=False
        )
        said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        what = f"it cannot be found out which Ray runs at {settings.address}: {error}"
        raise EnvironmentProblem(what, passing=True) from None
    if not isinstance(said, dict) or "version" not in said:
        problem = said.get("problem") if isinstance(said, dict) else said
        raise EnvironmentProblem(str(problem), passing=True)
    return said


def _choice(request: Request) -> Choice:
    return choose(request, code=Path(os.devnull).parent)
