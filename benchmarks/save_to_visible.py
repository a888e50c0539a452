"""Native locations: save → new definitions, beside the import itself and `uvicorn --reload`."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks import _projects
from benchmarks._daemon import Daemon, folder, plain_environment, running, saved
from benchmarks._measure import Figure, difference, ratio
from benchmarks._report import alone
from benchmarks._uvicorn import Reloader, reloading

API = Path(__file__).parent.parent / "runner"
TARGET = 30.0


def measure(runs: int) -> list[Figure]:
    """In turns: a save of a location; the same interpreter, as a new process, importing the saved
    module by itself; a save of a web application of one line until a request shows it.
    """
    with folder() as home, reloading(home) as reloader:
        project = _projects.write(home / "project", locations=1)
        with running(project, home) as daemon:
            daemon.until_serving()
            rounds = _rounds(daemon, reloader, runs)
    saves, imports, uvicorns = zip(*rounds, strict=True)
    save = Figure("save → new definitions on the control socket", "ms", saves)
    plain = Figure("the same interpreter imports the same module", "ms", imports)
    uvicorn = Figure("uvicorn --reload: save → answered by the new code", "ms", uvicorns)
    over = difference("save → new definitions, over the import", save, plain, TARGET)
    return [save, plain, over, uvicorn, ratio("uvicorn --reload, against codelocd", uvicorn, save)]


def _rounds(daemon: Daemon, reloader: Reloader, runs: int) -> list[tuple[float, float, float]]:
    module = daemon.project / "location_0.py"
    environment = daemon.status()["locations"][0]["environment"]
    assert environment is not None
    python = environment["executable"]
    bytecode = {"PYTHONPATH": str(API), "PYTHONPYCACHEPREFIX": str(daemon.home / "bytecode")}
    environ = plain_environment() | bytecode
    with daemon.client() as client:
        events = iter(client.subscribe(["definitions"]))

        def save(newest: str) -> float:
            return saved(module, _projects.source(newest), newest, events)

        _warm_up, *rounds = [
            (save(f"asset_{run}"), _import(python, module, environ), reloader.save("x" * (run + 1)))
            for run in range(runs + 1)
        ]
    return rounds


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
