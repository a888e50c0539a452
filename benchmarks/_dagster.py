"""Dagster's own webserver on both sides: started by `codelocd dev --dagster` and `dagster dev`."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks._daemon import CODELOCD, PATIENCE, NothingHappened, plain_environment
from codeloc_envs import Request, Store, choose

CACHE = Path(__file__).parent.parent / ".cache" / "benchmarks"
PAUSE = 0.02

SOURCE = """\
import dagster as dg

@dg.asset
def first(): ...

@dg.asset(deps=[first])
def {newest}(): ...

@dg.op
def work(): ...

@dg.job
def nightly():
    work()

@dg.schedule(cron_schedule="0 6 * * *", job=nightly)
def mornings(context): ...

defs = dg.Definitions(
    assets=[first, {newest}], jobs=[nightly], schedules=[mornings], resources={{"limit": 10}}
)
"""

LOADED = """{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename } } } } }"""
ASSETS = "{ assetNodes { assetKey { path } } }"
PLAN = """{ executionPlanOrError(mode: "default", pipeline: {pipelineName: "nightly",
  repositoryName: "__repository__", repositoryLocationName: "location_0"}) { __typename } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "location_0") {
  __typename } }"""


def environment() -> Path:
    """An environment with Dagster and its webserver, built once."""
    packages = ("dagster", "dagster-webserver")
    store = Store(CACHE)
    wanted = choose(Request(packages=packages), code=CACHE.parent).specification
    found = store.find(wanted) or store.build(wanted, lambda _progress: None)
    assert found.path is not None
    return found.path


def write(folder: Path, locations: int, prefix: Path) -> Path:
    """A project of so many equal locations, for both sides."""
    folder.mkdir()
    names = [f"location_{number}" for number in range(locations)]
    tables = [f'[dagster]\nserve = true\nenvironment = {{ path = "{prefix}" }}\n']
    entries = []
    for name in names:
        (folder / f"{name}.py").write_text(SOURCE.format(newest="second"))
        environment = f'environment = {{ path = "{prefix}" }}'
        tables.append(f'[location.{name}]\npython_file = "{name}.py"\n{environment}\n')
        entry = {"relative_path": f"{name}.py", "location_name": name}
        entries.append({"python_file": entry})
    (folder / "codelocd.toml").write_text("".join(tables))
    (folder / "workspace.yaml").write_text(json.dumps({"load_from": entries}))
    return folder


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, running: its process and the webserver that it started."""

    process: subprocess.Popen[bytes]
    port: int
    project: Path
    began: float

    def ask(self, query: str) -> Any:
        """The data of the answer; None where there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            body = json.dumps({"query": query})
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
        data = self.ask(ASSETS) or {}
        return any(node["assetKey"]["path"] == [name] for node in data.get("assetNodes", ()))

    def serves(self) -> bool:
        """Whether the code server of location_0 itself answers."""
        data = self.ask(PLAN) or {}
        return bool(data.get("executionPlanOrError", {}).get("__typename") == "ExecutionPlan")

    def tree(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def memory(self) -> float:
        """MiB of PSS over the whole tree."""
        return sum(_pss(process) for process in self.tree()) / 2**20

    def code_server(self) -> int:
        """The process that has loaded the code of location_0."""
        for process in self.tree():
            words = process.cmdline()
            if "grpc" in words and any("location_0.py" in word for word in words):
                return process.pid
        raise NothingHappened("no code server")


@contextmanager
def ours(project: Path) -> Iterator[Side]:
    with _side(project, lambda port: [str(CODELOCD), "dev", "--dagster", "-p", str(port)]) as side:
        yield side


@contextmanager
def dagster_dev(project: Path, prefix: Path) -> Iterator[Side]:
    dagster = str(prefix / "bin" / "dagster")
    with _side(
        project, lambda port: [dagster, "dev", "-w", "workspace.yaml", "-p", str(port)]
    ) as side:
        yield side


@contextmanager
def _side(project: Path, command: Callable[[int], list[str]]) -> Iterator[Side]:
    with tempfile.TemporaryDirectory(prefix="cb-") as home:
        own = {"DAGSTER_HOME": home, "DAGSTER_DISABLE_TELEMETRY": "yes", "XDG_RUNTIME_DIR": home}
        own |= {"XDG_STATE_HOME": home, "XDG_DATA_HOME": str(CACHE / "data")}
        port = _free_port()
        with Path(home, "log").open("ab") as log:
            process = subprocess.Popen(
                command(port),
                cwd=project,
                env=plain_environment() | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        side = Side(process, port, project, time.monotonic())
        try:
            yield side
        finally:
            _end(side)


def _end(side: Side) -> None:
    """In order, and then whatever is left of it."""
    tree = side.tree()
    side.process.send_signal(signal.SIGINT)
    side.process.wait(PATIENCE)
    _, left = psutil.wait_procs(tree, timeout=15)
    for process in left:
        process.kill()


def _pss(process: psutil.Process) -> int:
    try:
        return int(getattr(process.memory_full_info(), "pss", 0))
    except psutil.Error:
        return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kill(pid: int) -> float:
    """When it was killed (monotonic)."""
    os.kill(pid, signal.SIGKILL)
    return time.monotonic()
