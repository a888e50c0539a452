"""Runs: from asking to the first line of user code, and to the end, beside Dagster's commands."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _dagster, _peers
from benchmarks._daemon import (
    CODELOCD,
    PATIENCE,
    Daemon,
    NothingHappened,
    folder,
    plain_environment,
    running,
)
from benchmarks._dagster import Side
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone

STARTS = 10
"""Runs of codelocd for each run of another."""
LOCATION = "location_0"
ROUNDS = 5

NATIVE = """\
import time
{imports}
from codeloc import Definitions, job

@job
def nightly():
    with open({mark!r}, "w") as file:
        file.write(str(time.time()))

defs = Definitions(jobs=[nightly])
"""

DAGSTERS = """\
import os
import time
import dagster as dg

@dg.op
def work():
    with open({mark!r}, "w") as file:
        file.write(str(time.time()))

@dg.job(executor_def=dg.in_process_executor)
def nightly():
    work()

@dg.job
def parallel():
    work()

@dg.op
def stay():
    with open({mark!r}, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)

@dg.job(executor_def=dg.in_process_executor)
def stays():
    stay()

defs = dg.Definitions(jobs=[nightly, parallel, stays])
"""

TABLE = """
[location.{name}]
python_file = "code_{name}.py"
{environment}
"""

DG = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "bench"
version = "0.1"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "bench"
code_location_target_module = "bench.definitions"
"""

LAUNCH = """mutation { launchRun(executionParams: {mode: "default", selector: {
  repositoryLocationName: "location_0", repositoryName: "__repository__", pipelineName: "nightly"}})
  { __typename ... on LaunchRunSuccess { run { runId } } } }"""
TERMINATE = """mutation ($id: String!) { terminateRun(runId: $id) { __typename } }"""
ENDS = ("SUCCESS", "FAILURE", "CANCELED")
STATE = """query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds from the asking: to the first line of user code, and to the end."""

    first: float
    end: float


def measure(runs: int) -> list[Figure]:
    """One job with one step, of each kind, in turns; user code writes down when it begins. codelocd
    is asked on its socket, and once a round by its command, as a whole process. One interpreter has
    imported dagster beside codeloc; the other native location has an environment of its own. The
    job of Dagster runs in one process on all sides (`in_process_executor`); but `multiprocess`, the
    usual one, starts a process for each step. `dagster dev` is asked for its run as its page asks,
    in steps of 20 ms. So is the page of codelocd with `launcher = "warm"`, whose instance is as
    codelocd writes it; there a run that stays is killed, and another one is terminated.
    """
    prefix = _peers.environment(*_peers.DAGSTER, "dagster-dg-cli")
    with folder() as home, _project(home, prefix) as sides:
        rounds = [_round(*sides, home, prefix) for _ in range(max(2, min(runs, ROUNDS)))]
    return _figures(rounds)


def _figures(rounds: Sequence[dict[str, list[Took]]]) -> list[Figure]:
    def figure(name: str, what: str, which: str, target: float | None = None) -> Figure:
        values = (getattr(took, which) for each in rounds for took in each[name])
        return Figure(what, "ms", tuple(values), target)

    def p99(name: str, what: str, target: float) -> Figure:
        values = sorted(took.first for each in rounds for took in each[name])
        worst = values[min(len(values) - 1, round(0.99 * len(values)))]
        return Figure(what, "ms", (worst,), target)

    native = figure("native", "native: asked → first line of user code", "first", 50.0)
    ours = figure("dagster", "a job of Dagster: asked → first step", "first", 1000.0)
    others = {
        "execute": "`dagster job execute` → first step",
        "launch": "`dg launch --job` → first step",
        "page": "launched from Dagster's page → first step",
    }
    warm = 'launched from the page, launcher = "warm" → first step'
    found = [native, p99("native", "… p99", 150.0), figure("native", "… → ended", "end")]
    found += [
        figure("large", "native, with dagster imported → first line", "first", 50.0),
        p99("large", "… p99", 150.0),
        figure("command", "`codelocd run`, as a whole process → first line", "first"),
        figure("command", "… → its end", "end"),
        ours,
        figure("dagster", "… → ended", "end"),
    ]
    for name, what in {**others, "warm": warm}.items():
        found += [figure(name, what, "first"), figure(name, "… → ended", "end")]
    found += [
        figure("parallel", "multiprocess: asked → first step", "first"),
        figure("execute_parallel", "`dagster job execute`, multiprocess → first step", "first"),
        _times(
            "execute_parallel", "execute, against codelocd, multiprocess", rounds, "parallel", 1.5
        ),
    ]
    found += [
        _times("page", "launched from the page, against the warm launcher", rounds, "warm", None),
        figure("killed", "kill -9 of a run of Dagster → FAILURE", "end", 2000.0),
        figure("terminated", "Terminate on the page → CANCELED", "end", 5000.0),
    ]
    found.append(_times("execute", "dagster job execute, against native", rounds, "native", 100.0))
    found += [
        _times(name, f"{name}, against codelocd's run of Dagster", rounds, "dagster", 6.0)
        for name in others
    ]
    return found


def _times(
    name: str, what: str, rounds: Sequence[dict[str, list[Took]]], base: str, least: float | None
) -> Figure:
    over = Figure(name, "ms", tuple(each[name][0].first for each in rounds))
    under = Figure(base, "ms", tuple(each[base][0].first for each in rounds))
    return ratio(what, over, under, least=least)


@contextmanager
def _project(home: Path, prefix: Path) -> Iterator[tuple[Daemon, Side, Side]]:
    """The same code for all sides, each with marks of its own."""
    mine, theirs, warm = home / "ours", home / "theirs", home / "warm"
    mine.mkdir()
    sources = {
        "native": NATIVE.format(imports="", mark=str(mine / "native.mark")),
        "large": NATIVE.format(imports="import dagster", mark=str(mine / "large.mark")),
        "dagster": DAGSTERS.format(mark=str(mine / "dagster.mark")),
    }
    for name, text in sources.items():
        (mine / f"code_{name}.py").write_text(text)
    named = f'environment = {{ path = "{prefix}" }}'
    environments = {"native": "", "large": named, "dagster": named}
    tables = (TABLE.format(name=name, environment=environments[name]) for name in sources)
    (mine / "codelocd.toml").write_text("".join(tables))
    _dagster.write(theirs, [prefix])
    (theirs / f"{LOCATION}.py").write_text(DAGSTERS.format(mark=str(theirs / "page.mark")))
    _dg_project(home / "dg")
    _dagster.write(warm, [prefix])
    (warm / f"{LOCATION}.py").write_text(DAGSTERS.format(mark=str(warm / "page.mark")))
    config = warm / "codelocd.toml"
    config.write_text(config.read_text().replace("[dagster]", '[dagster]\nlauncher = "warm"'))
    own = home / "own"
    own.mkdir()
    with (
        running(mine, home) as daemon,
        _dagster.dagster_dev(theirs, prefix) as side,
        _dagster.ours_alone(warm, own) as page,
    ):
        daemon.until_serving()
        for name in ("native", "large"):
            daemon.until_forked(name)
        side.until_loaded(1)
        page.until_loaded(1)
        for name in sources:
            _ours(daemon, name)
        _from_page(page)
        yield daemon, side, page


def _dg_project(place: Path) -> None:
    (place / "bench").mkdir(parents=True)
    (place / "pyproject.toml").write_text(DG)
    (place / "bench" / "__init__.py").touch()
    code = DAGSTERS.format(mark=str(place / "launch.mark"))
    (place / "bench" / "definitions.py").write_text(code)


def _round(
    daemon: Daemon, side: Side, page: Side, home: Path, prefix: Path
) -> dict[str, list[Took]]:
    mine, theirs, dg = daemon.project, side.project, home / "dg"
    execute = [str(prefix / "bin/dagster"), "job", "execute", "-f", f"{LOCATION}.py", "-j"]
    launch = [str(prefix / "bin/dg"), "launch", "--job"]
    return {
        "native": [_ours(daemon, "native") for _ in range(STARTS)],
        "large": [_ours(daemon, "large") for _ in range(STARTS)],
        "command": [_command([str(CODELOCD), "run", "native/nightly"], mine, "native", daemon)],
        "dagster": [_ours(daemon, "dagster")],
        "execute": [_command([*execute, "nightly"], theirs, "page", daemon, prefix)],
        "parallel": [_ours(daemon, "dagster", "parallel")],
        "execute_parallel": [_command([*execute, "parallel"], theirs, "page", daemon, prefix)],
        "launch": [_command([*launch, "nightly"], dg, "launch", daemon, prefix)],
        "page": [_from_page(side)],
        "warm": [_from_page(page)],
        "killed": [_ended(page, "FAILURE", lambda _, pid: os.kill(pid, signal.SIGKILL))],
        "terminated": [_ended(page, "CANCELED", lambda run, _: page.ask(TERMINATE, id=run))],
    }


def _ours(daemon: Daemon, name: str, job: str = "nightly") -> Took:
    mark = daemon.project / f"{name}.mark"
    names = {"location": name, "names": [job], "wait": True}
    with daemon.client() as client:
        return _timed(mark, lambda: client.call("run", names, timeout=PATIENCE))


def _command(
    words: list[str], project: Path, name: str, daemon: Daemon, prefix: Path | None = None
) -> Took:
    environ = daemon.environ if prefix is None else _activated(prefix, project)

    def run() -> None:
        subprocess.run(words, cwd=project, env=environ, capture_output=True, check=True)

    return _timed(project / f"{name}.mark", run)


def _activated(prefix: Path, project: Path) -> dict[str, str]:
    environ = plain_environment()
    storage = project / "storage"
    storage.mkdir(exist_ok=True)
    own = {"VIRTUAL_ENV": str(prefix), "PATH": f"{prefix / 'bin'}:{environ['PATH']}"}
    return {**environ, **own, "DAGSTER_HOME": str(storage), "DAGSTER_DISABLE_TELEMETRY": "yes"}


def _from_page(side: Side) -> Took:
    def run() -> None:
        launched = (side.ask(LAUNCH) or {}).get("launchRun") or {}
        if "run" not in launched:
            raise NothingHappened(f"dagster dev launches nothing: {launched}")
        number = launched["run"]["runId"]
        side.until(lambda: _status(side, number) in ENDS)

    return _timed(side.project / "page.mark", run)


def _status(side: Side, run: str) -> str | None:
    """As the page has it."""
    found = (side.ask(STATE, id=run) or {}).get("runOrError") or {}
    status: str | None = found.get("status")
    return status


def _ended(side: Side, how: str, end: Callable[[str, int], object]) -> Took:
    """From what ends a run of codelocd's until the page shows `how`. `end` gets its name there and
    its pid."""
    mark = side.project / "page.mark"
    mark.unlink(missing_ok=True)
    with side.client() as client:
        number = client.call("run", {"location": LOCATION, "names": ["stays"]})["id"]
        side.until(lambda: mark.exists() and bool(mark.read_text()))
        run = client.call("run_show", {"id": number})["run"]["dagster_run"]
    began = time.monotonic()
    end(run, int(mark.read_text()))
    ended = side.until(lambda: _status(side, run) in ENDS)
    if (status := _status(side, run)) != how:
        raise NothingHappened(f"the run is {status}, not {how}")
    took = 1000 * (ended - began)
    return Took(took, took)


def _timed(mark: Path, run: Callable[[], object]) -> Took:
    mark.unlink(missing_ok=True)
    began = time.time()
    run()
    ended = time.time()
    if not mark.exists():
        raise NothingHappened(f"no user code has run: {mark}")
    return Took(1000 * (float(mark.read_text()) - began), 1000 * (ended - began))


if __name__ == "__main__":
    alone(measure, __doc__, default=ROUNDS)
