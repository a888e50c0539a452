"""Dagster's jobs: order → first step and end, beside `dagster job execute`."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from benchmarks import _peers
from benchmarks._daemon import Daemon, folder, plain_environment, running
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from codelocd.client import Client

FIRST_STEP = 1000.0
CONFIG = """\
[location.jobs]
python_file = "jobs.py"
environment = {{ path = "{environment}" }}
"""
SOURCE = """\
import time
from pathlib import Path
import dagster as dg

@dg.op
def note():
    Path({mark!r}).write_text(str(time.time()))

@dg.job(executor_def=dg.in_process_executor)
def nightly():
    note()

@dg.job(executor_def=dg.multiprocess_executor)
def parallel():
    note()

defs = dg.Definitions(jobs=[nightly, parallel])
"""


def measure(runs: int) -> list[Figure]:
    """One trivial job on one instance, started in turns. The first step is the moment at which
    the function of the op runs, by its own clock.

    `dagster job execute` imports dagster and the code, and runs the job in its process. Here a
    process is forked that has dagster imported. With the executor that starts a process for each
    step, both wait for that.
    """
    prefix = _peers.environment(*_peers.DAGSTER)
    with folder() as home:
        project, mark = home / "ours", home / "mark"
        project.mkdir()
        (project / "jobs.py").write_text(SOURCE.format(mark=str(mark)))
        (project / "codelocd.toml").write_text(CONFIG.format(environment=prefix))
        with running(project, home) as daemon:
            daemon.until_serving()
            daemon.until_forked("jobs")
            return [
                *_figures(daemon, prefix, mark, "nightly", runs),
                *_figures(daemon, prefix, mark, "parallel", runs),
            ]


def _figures(daemon: Daemon, prefix: Path, mark: Path, job: str, runs: int) -> list[Figure]:
    dagsters = [str(prefix / "bin" / "dagster"), "job", "execute", "-f", "jobs.py", "-j", job]
    pairs = []
    with daemon.client() as client:
        _ours(client, job, mark)  # a new instance has its databases made first
        instance = next((daemon.home / "state").rglob("dagster"))
        for _ in range(runs):
            ours = _ours(client, job, mark)
            pairs.append((ours, _theirs(dagsters, daemon.project, instance, mark)))
    what = "in_process" if job == "nightly" else "multiprocess"
    in_process = job == "nightly"
    first = Figure(
        f"{what}: order → first step",
        "ms",
        tuple(ours[0] for ours, _ in pairs),
        FIRST_STEP if in_process else None,
    )
    other = Figure("… dagster job execute", "ms", tuple(theirs[0] for _, theirs in pairs))
    times = ratio("dagster, against codelocd", other, first)
    return [
        first,
        other,
        times,
        Figure("… end, codelocd", "ms", tuple(ours[1] for ours, _ in pairs)),
        Figure("… end, dagster job execute", "ms", tuple(theirs[1] for _, theirs in pairs)),
    ]


def _ours(client: Client, job: str, mark: Path) -> tuple[float, float]:
    """Milliseconds to the first step, and to the end."""
    began = time.time()
    answer = client.call("run", {"location": "jobs", "names": [job], "wait": True}, timeout=600)
    ended = time.time()
    assert answer["run"]["state"] == "succeeded", json.dumps(answer["run"])
    return 1000 * (float(mark.read_text()) - began), 1000 * (ended - began)


def _theirs(command: list[str], project: Path, instance: Path, mark: Path) -> tuple[float, float]:
    variables = {**plain_environment(), "DAGSTER_HOME": str(instance)}
    began = time.time()
    subprocess.run(command, cwd=project, env=variables, check=True, capture_output=True)
    return 1000 * (float(mark.read_text()) - began), 1000 * (time.time() - began)


if __name__ == "__main__":
    alone(measure, __doc__)
