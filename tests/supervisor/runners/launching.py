"""Real runners in real interpreters, started by the launcher of the daemon."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from codelocd.model import Snapshot, StartWish, Target
from codelocd.rpc.errors import RpcError
from codelocd.runners.api import (
    FailedOutcome,
    LoadedOutcome,
    LoadOutcome,
    MustStartCold,
    RunnerSpec,
)
from codelocd.runners.warm.launcher import WarmLauncher, WarmRunner
from codelocd.runners.warm.method import StartChoices
from codelocd.runners.warm.pools import WarmPools
from codelocd.runners.warm.profiles import ImportProfiles

DEADLINE = 60.0
STRIPPED = ("PYTHON", "VIRTUAL_ENV", "UV_")


@dataclass(slots=True)
class Loaded:
    """A runner after its load, and what its snapshot says."""

    runner: WarmRunner
    outcome: LoadedOutcome | FailedOutcome

    @property
    def told(self) -> Any:
        """What the code of `telling` told."""
        return json.loads(self.snapshot.definitions[0]["description"])

    @property
    def snapshot(self) -> Snapshot:
        assert isinstance(self.outcome, LoadedOutcome), self.outcome
        return self.outcome.snapshot


@dataclass(slots=True)
class Bench:
    """A launcher with everything around it, a folder for code, and one for temporary files."""

    launcher: WarmLauncher
    pools: WarmPools
    choices: StartChoices
    profiles: ImportProfiles
    folder: Path
    temporary: str
    printed: list[str] = field(default_factory=list)

    def spec(self, executable: Path, source: str, **changes: Any) -> RunnerSpec:
        code = self.folder / "code"
        code.mkdir(exist_ok=True)
        (code / "defs.py").write_text(source)
        variables = {k: v for k, v in os.environ.items() if not k.startswith(STRIPPED)}
        variables["TMPDIR"] = self.temporary
        spec = RunnerSpec(
            location="sales",
            environment="key",
            executable=executable,
            variables=variables,
            working_directory=code,
            target=Target("python_file", str(code / "defs.py")),
            attribute=None,
            output=lambda _stream, data: self.printed.append(data.decode()),
        )
        return replace(spec, **changes)

    async def load(self, spec: RunnerSpec, method: StartWish) -> Loaded:
        """As a location's lifecycle has it: a load that must start cold is made once more."""
        spec = replace(spec, start_method=method)
        async with asyncio.timeout(DEADLINE):
            runner = await self.launcher.start(spec)
            cold, came = None, await outcome(runner)
            if came is None:
                cold = runner.blamed(await runner.exited)
            elif isinstance(came, MustStartCold):
                cold = came.cold
                runner.kill()
            if cold is not None:
                runner = await self.launcher.start(replace(spec, cold=cold))
                came = await outcome(runner)
                if cold.suspicion and isinstance(came, LoadedOutcome):
                    self.launcher.suspect(spec, cold.suspicion)
            assert isinstance(came, LoadedOutcome | FailedOutcome)
            return Loaded(runner, came)


TELLING = """
import json
from codeloc import Definitions, asset

{code}

@asset(description=json.dumps(told, sort_keys=True))
def it(): ...

defs = Definitions(assets=[it])
"""


def telling(code: str) -> str:
    """A location that tells what `code` puts into `told`."""
    return TELLING.format(code=code)


async def outcome(runner: WarmRunner) -> LoadOutcome | None:
    """What came of its load; None if it ended over it."""
    try:
        return await runner.load()
    except RpcError:
        return None


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110  other processes send no event
            await asyncio.sleep(0.01)


def installed(bench: Bench, python: Path, folder: Path, source: str, **changes: Any) -> RunnerSpec:
    """A location that imports from `folder`, too."""
    spec = bench.spec(python, source)
    return replace(spec, variables={**spec.variables, "PYTHONPATH": str(folder)}, **changes)
