"""Popular packages in a warm location: how they start, that they then work, and the time."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks._packages import PACKAGES
from codeloc_envs import Request, Store, choose
from codelocd.guardian import Guardian
from codelocd.kit import make_kit
from codelocd.launchers import RunnerSpec
from codelocd.launchers.local import LocalLauncher
from codelocd.launchers.memory import Memory
from codelocd.launchers.places import Places
from codelocd.launchers.warm import WarmLauncher
from codelocd.launchers.warm_runner import WarmRunner
from codelocd.model import Target
from codelocd.process import Children

PATIENCE = 300.0

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
    cold: float
    warm: float

    def row(self) -> str:
        why = "" if self.method == "fork" else self.why
        times = f"{self.cold:.0f} | {self.warm:.0f} | {self.cold / self.warm:.0f}"
        return f"| {self.name} | {self.method} | {times} | {why} |"


async def measure(python: Path, names: list[str], folder: Path) -> list[Result]:
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    kit = make_kit(folder / "kits")
    memory = Memory(folder / "warm")
    places = Places(children, kit / "codeloc_runner" / "__main__.py", memory, idle=60)
    launcher = WarmLauncher(LocalLauncher(children, kit, folder), places, memory)
    results = []
    for name in names:
        results.append(await _one(launcher, places, python, name, folder))
        print(results[-1].row(), flush=True)
    launcher.close()
    children.close()
    guardian.close()
    return results


async def _one(
    launcher: WarmLauncher, places: Places, python: Path, name: str, folder: Path
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
    cold, _ = await _timed(launcher, spec, "spawn")
    await _timed(launcher, spec)  # waits for a warm interpreter, if there can be one
    await _ready(places, name)
    warm, runner = await _timed(launcher, spec)
    return Result(name, runner.start_method, runner.why, cold, warm)


async def _ready(places: Places, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not any(name in each.locations and each.slot.ready for each in places):  # noqa: ASYNC110  a process sends no event
            await asyncio.sleep(0.05)


async def _timed(
    launcher: WarmLauncher, spec: RunnerSpec, method: Literal["auto", "spawn"] = "auto"
) -> tuple[float, WarmRunner]:
    async with asyncio.timeout(PATIENCE):
        began = time.monotonic()
        runner = await launcher.start(replace(spec, start_method=method))
        answer = await runner.call("snapshot")
        took = 1000 * (time.monotonic() - began)
        if not answer["ok"]:
            raise RuntimeError(json.loads(answer["body"])["problem"]["detail"])
        runner.kill()
        await runner.exited
        return took, runner


def environment(names: list[str], store: Path) -> Path:
    """An interpreter with the packages, built as a location's is."""
    request = Request(packages=tuple(PACKAGES[name][0] for name in names))
    specification = choose(request, code=store).specification
    built = Store(store)
    ready = built.find(specification) or built.build(specification, lambda _: None)
    return ready.executable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PACKAGES), metavar="PACKAGE")
    parser.add_argument("--python", type=Path, help="an interpreter that has them all")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="codelocd-bench-") as folder:
        python = asked.python or environment(asked.names, Path(folder, "store"))
        print("| package | starts by | cold, ms | warm, ms | times | because |")
        print("|---|---|---|---|---|---|")
        asyncio.run(measure(python, asked.names, Path(folder)))


if __name__ == "__main__":
    main()
