"""Dagster's own webserver on both sides: started by `codelocd dev --dagster` and `dagster dev`."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import _tree
from benchmarks._daemon import (
    CODELOCD,
    PATIENCE,
    NothingHappened,
    free_port,
    plain_environment,
    xdg,
)
from codelocd.client import Client

PAUSE = 0.02
STOP_SECONDS = 20.0

ASSET = "@dg.asset\ndef {name}(): ...\n"

SOURCE = """\
import dagster as dg

{assets}

@dg.op
def work(): ...

@dg.job
def nightly():
    work()

@dg.schedule(cron_schedule="0 6 * * *", job=nightly)
def mornings(context): ...

@dg.sensor(job=nightly)
def arrivals(context): ...

defs = dg.Definitions(
    assets=[{names}], jobs=[nightly], schedules=[mornings], sensors=[arrivals],
    resources={{"limit": 10}},
)
"""

LOADED = """{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename } } } } }"""
ASSET_NODE = """query ($name: String!) { assetNodeOrError(assetKey: {path: [$name]}) {
  __typename } }"""
PLAN = """{ executionPlanOrError(mode: "default", pipeline: {pipelineName: "nightly",
  repositoryName: "__repository__", repositoryLocationName: "location_0"}) { __typename } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "location_0") {
  __typename } }"""


def source(newest: str, assets: int = 5, prefix: str = "asset") -> str:
    """A location of so many assets, of which `newest` is the last; a job, a schedule, a sensor
    and a resource.
    """
    names = [*(f"{prefix}_{number}" for number in range(assets - 1)), newest]
    definitions = "\n".join(ASSET.format(name=name) for name in names)
    return SOURCE.format(assets=definitions, names=", ".join(names))


def write(folder: Path, prefixes: Sequence[Path], assets: int = 5) -> Path:
    """A project of equal locations, for both sides: one for each environment that is given."""
    folder.mkdir()
    tables = [f'[dagster]\nenvironment = {{ path = "{prefixes[0]}" }}\n']
    entries = []
    for number, prefix in enumerate(prefixes):
        name = f"location_{number}"
        (folder / f"{name}.py").write_text(source(f"newest_{number}", assets, name))
        environment = f'environment = {{ path = "{prefix}" }}'
        restarts = 'healthy_after = "1ms"\nrestart_limit = { count = 10000, period = "1s" }'
        lines = (f"[location.{name}]", f'python_file = "{name}.py"', environment, restarts, "")
        tables.append("\n".join(lines))
        python = str(prefix / "bin" / "python")
        entry = {"relative_path": f"{name}.py", "location_name": name, "executable_path": python}
        entries.append({"python_file": entry})
    (folder / "codelocd.toml").write_text("\n".join(tables))
    (folder / "workspace.yaml").write_text(json.dumps({"load_from": entries}))
    return folder


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, running: its process and the webserver that it started."""

    process: subprocess.Popen[bytes]
    port: int
    project: Path
    home: Path
    began: float

    def ask(self, query: str, **variables: str) -> Any:
        """The data of the answer; None where there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            body = json.dumps({"query": query, "variables": variables})
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read()).get("data")
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def until(self, holds: Callable[[], bool], patience: float = PATIENCE) -> float:
        """The time (monotonic) at which it holds; NothingHappened."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if holds():
                return time.monotonic()
            time.sleep(PAUSE)
        raise NothingHappened(f"not within {patience:g} s")

    def until_loaded(self, locations: int) -> float:
        def loaded() -> bool:
            data = self.ask(LOADED) or {}
            entries = data.get("workspaceOrError", {}).get("locationEntries", ())
            kinds = [entry["locationOrLoadError"] or {} for entry in entries]
            good = [kind for kind in kinds if kind.get("__typename") == "RepositoryLocation"]
            return len(good) == locations

        return self.until(loaded)

    def has_asset(self, name: str) -> bool:
        data = self.ask(ASSET_NODE, name=name) or {}
        return bool(data.get("assetNodeOrError", {}).get("__typename") == "AssetNode")

    def save(self, newest: str, assets: int = 5, *, reload: bool) -> float:
        """Seconds from a save of location_0 until the page has the asset.

        `reload`: by Dagster's mutation, since it does not reload by itself.
        """
        text = source(newest, assets)
        saved = time.monotonic()
        (self.project / "location_0.py").write_text(text)
        if reload:
            self.ask(RELOAD)
        return self.until(lambda: self.has_asset(newest)) - saved

    def serves(self) -> bool:
        """Whether the code server of location_0 itself answers."""
        data = self.ask(PLAN) or {}
        return bool(data.get("executionPlanOrError", {}).get("__typename") == "ExecutionPlan")

    def tree(self) -> list[psutil.Process]:
        return _tree.tree(self.process.pid)

    def client(self) -> Client:
        """Of codelocd's daemon."""
        (control,) = self.home.glob("run/codelocd/*/control.sock")
        return Client(str(control), timeout=PATIENCE)

    def code_server(self) -> int:
        """The process that has loaded the code of location_0, and answers for it.

        codelocd says which it is: a fork has the command line of what it was forked from.
        """
        for control in self.home.glob("run/codelocd/*/control.sock"):
            with Client(str(control)) as client:
                pid: int = client.call("status")["daemon"]["dagster"]["servers"]["location_0"]
                return pid
        for process in self.tree():
            words = process.cmdline()
            if "grpc" in words and any("location_0.py" in word for word in words):
                return process.pid
        raise NothingHappened("no code server")


@contextmanager
def ours(project: Path, home: Path) -> Iterator[Side]:
    """`home` keeps what the daemon learns from one start to the next, and Dagster's storage."""
    with _side(project, home, _ours) as side:
        yield side


@contextmanager
def ours_alone(project: Path, home: Path) -> Iterator[Side]:
    """The same with the instance of Dagster that codelocd makes and configures itself."""
    with _side(project, home, _ours, own_instance=True) as side:
        yield side


def _ours(port: int) -> list[str]:
    return [str(CODELOCD), "dev", "--dagster", "-p", str(port)]


@contextmanager
def dagster_dev(project: Path, prefix: Path, home: Path | None = None) -> Iterator[Side]:
    """In the activated environment: dbt's command is looked for in PATH.

    `home` keeps Dagster's storage from one start to the next; without it there is none.
    """
    path = os.pathsep.join([str(prefix / "bin"), os.environ.get("PATH", os.defpath)])

    def command(port: int) -> list[str]:
        dagster = str(prefix / "bin" / "dagster")
        return [dagster, "dev", "-w", "workspace.yaml", "-p", str(port)]

    with (
        tempfile.TemporaryDirectory(prefix="cb-") as fresh,
        _side(project, home or Path(fresh), command, path) as side,
    ):
        yield side


@contextmanager
def _side(
    project: Path,
    home: Path,
    command: Callable[[int], list[str]],
    path: str | None = None,
    *,
    own_instance: bool = False,
) -> Iterator[Side]:
    own = {"DAGSTER_DISABLE_TELEMETRY": "yes"}
    if not own_instance:
        storage = home / "dagster"
        storage.mkdir(exist_ok=True)
        own |= {"DAGSTER_HOME": str(storage)}
    own |= {"PATH": path} if path else {}
    port = free_port()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job's heirs
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            command(port),
            cwd=project,
            env=plain_environment() | xdg(home) | own,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    side = Side(process, port, project, home, time.monotonic())
    try:
        yield side
    finally:
        _end(side)


def _end(side: Side) -> None:
    """In order, and then whatever is left of it."""
    tree = side.tree()
    side.process.send_signal(signal.SIGINT)
    _, left = psutil.wait_procs(tree, timeout=STOP_SECONDS)
    for process in left:
        process.kill()


def kill(pid: int) -> float:
    """When it was killed (monotonic)."""
    os.kill(pid, signal.SIGKILL)
    return time.monotonic()
