"""Popular packages in a warm location: how they start, that they then work, and the time."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks._measure import Figure
from benchmarks._packages import PACKAGES
from benchmarks._peers import environment
from codelocd.model import Target
from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from codelocd.rpc.errors import RpcError
from codelocd.runners.api import LoadedOutcome, LoadOutcome, MustStartCold, RunnerSpec
from codelocd.runners.bundle import make_bundle
from codelocd.runners.local import LocalLauncher
from codelocd.runners.warm.launcher import WarmLauncher, WarmRunner
from codelocd.runners.warm.method import StartChoices
from codelocd.runners.warm.pools import WarmPools
from codelocd.runners.warm.profiles import ImportProfiles

PATIENCE = 300.0
TIMES = 3

LOCATION = """
{code}
from codeloc import Definitions, asset

@asset
def works(): ...

defs = Definitions(assets=[works])
"""


@dataclass(frozen=True, slots=True)
class Result:
    """Of a package whose code ran well each time. Milliseconds, from the start to the snapshot."""

    name: str
    method: str
    why: str
    cold: tuple[float, ...]
    warm: tuple[float, ...]

    def row(self) -> str:
        why = "" if self.method == "fork" else self.why
        cold, warm = statistics.median(self.cold), statistics.median(self.warm)
        return (
            f"| {self.name} | {self.method} | {cold:.0f} | {warm:.0f} | {cold / warm:.0f} | {why} |"
        )

    def figures(self) -> list[Figure]:
        return [
            Figure(f"{self.name}: cold", "ms", self.cold),
            Figure(f"{self.name}: warm, by {self.method}", "ms", self.warm),
        ]


def measure(_runs: int) -> list[Figure]:
    """Each is imported by a location that then does a small computation with it: with its threads,
    its files, or its network stack on loopback; it has to work each time. From the order to
    start to the snapshot, the computation included; three times cold, then three times warm.
    """
    return [figure for result in _measured(list(PACKAGES)) for figure in result.figures()]


def _measured(names: list[str]) -> list[Result]:
    requirements = (PACKAGES[name][0] for name in names)
    python = environment(*requirements) / "bin" / "python"
    with tempfile.TemporaryDirectory(prefix="codelocd-bench-") as folder:
        return asyncio.run(_each(python, names, Path(folder)))


async def _each(python: Path, names: list[str], folder: Path) -> list[Result]:
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    bundle = make_bundle(folder / "bundles")
    profiles = ImportProfiles(folder / "warm")
    choices = StartChoices(profiles.of, sys.platform)
    entry = bundle / "codeloc_runner" / "__main__.py"
    pools = WarmPools(children, entry, profiles, choices, idle=60)
    launcher = WarmLauncher(LocalLauncher(children, bundle, folder), pools, profiles, choices)
    results = [await _one(launcher, pools, python, name, folder) for name in names]
    launcher.close()
    children.close()
    guardian.close()
    return results


async def _one(
    launcher: WarmLauncher, pools: WarmPools, python: Path, name: str, folder: Path
) -> Result:
    code = folder / f"{name.replace('-', '_')}_location.py"
    code.write_text(LOCATION.format(code=PACKAGES[name][1]))
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    spec = RunnerSpec(
        location=name,
        environment=f"{name}",
        executable=python,
        variables=variables,
        working_directory=folder,
        target=Target("python_file", str(code)),
        attribute=None,
        output=lambda _stream, _data: None,
    )
    await _timed(launcher, spec)  # fills the caches of files and bytecode
    cold = [(await _timed(launcher, spec, "spawn"))[0] for _ in range(TIMES)]
    await _timed(launcher, spec)  # waits for a warm interpreter, if there can be one
    warm = []
    for _ in range(TIMES):
        await _ready(pools, name)
        warm.append(await _timed(launcher, spec))
    times, (*_, last) = zip(*warm, strict=True)
    return Result(name, last.start_method, last.why, tuple(cold), times)


async def _ready(pools: WarmPools, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not any(name in each.locations and each.ready for each in pools):  # noqa: ASYNC110  a process sends no event
            await asyncio.sleep(0.05)


async def _timed(
    launcher: WarmLauncher, spec: RunnerSpec, method: Literal["auto", "spawn"] = "auto"
) -> tuple[float, WarmRunner]:
    async with asyncio.timeout(PATIENCE):
        began = time.monotonic()
        runner, outcome = await _loaded(launcher, replace(spec, start_method=method))
        took = 1000 * (time.monotonic() - began)
        if not isinstance(outcome, LoadedOutcome):
            raise RuntimeError(outcome)
        runner.kill()
        await runner.exited
        return took, runner


async def _loaded(
    launcher: WarmLauncher, spec: RunnerSpec
) -> tuple[WarmRunner, LoadOutcome | None]:
    """With a second chance, as a daemon gives it."""
    runner, outcome = await launcher.start(spec), None
    try:
        outcome = await runner.load()
        cold = outcome.cold if isinstance(outcome, MustStartCold) else None
    except RpcError:
        cold = runner.blamed(await runner.exited)
    if cold is None:
        return runner, outcome
    runner.kill()
    runner = await launcher.start(replace(spec, cold=cold))
    return runner, await runner.load()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PACKAGES), metavar="PACKAGE")
    print("| package | starts by | cold, ms | warm, ms | times | because |")
    print("|---|---|---|---|---|---|")
    for result in _measured(parser.parse_args().names):
        print(result.row())


if __name__ == "__main__":
    main()
