"""From a save to the new definitions on the control socket, over what the import itself costs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import _projects
from benchmarks._daemon import Daemon, first, folder, plain_environment, running
from benchmarks._measure import Figure, alone, difference

API = Path(__file__).parent.parent / "runner"
TARGET = 40.0


def measure(runs: int) -> list[Figure]:
    """Pairs: one save, then the same interpreter importing the saved module by itself."""
    with folder() as home:
        project = _projects.write(home / "project", locations=1)
        with running(project, home) as daemon:
            daemon.until_serving()
            pairs = _pairs(daemon, runs)
    saves, imports = zip(*pairs, strict=True)
    save = Figure("save → new definitions on the control socket", "ms", saves)
    plain = Figure("the same interpreter imports the same module", "ms", imports)
    return [save, plain, difference("save → new definitions, over the import", save, plain, TARGET)]


def _pairs(daemon: Daemon, runs: int) -> list[tuple[float, float]]:
    module = daemon.project / "location_0.py"
    python = daemon.status()["locations"][0]["environment"]["executable"]
    bytecode = {"PYTHONPATH": str(API), "PYTHONPYCACHEPREFIX": str(daemon.home / "bytecode")}
    environ = plain_environment() | bytecode
    with daemon.client() as client:
        events = iter(client.subscribe(["definitions"]))
        _warm_up, *pairs = [
            (_save(module, f"asset_{run}", events), _import(python, module, environ))
            for run in range(runs + 1)
        ]
    return pairs


def _save(module: Path, newest: str, events: Iterator[Any]) -> float:
    text = _projects.source(newest)
    saved = time.monotonic()
    module.write_text(text)
    return 1000 * (first(events, lambda data: newest in _added(data)) - saved)


def _added(data: dict[str, Any]) -> set[str]:
    return {definition["name"] for definition in data.get("added", ())}


def _import(python: str, module: Path, environ: dict[str, str]) -> float:
    """A whole process; all it imports but the saved module has been compiled before."""
    started = time.monotonic()
    subprocess.run(
        [python, "-c", f"import {module.stem}"],
        cwd=module.parent,
        env=environ,
        check=True,
    )
    return 1000 * (time.monotonic() - started)


if __name__ == "__main__":
    alone(measure, __doc__)
