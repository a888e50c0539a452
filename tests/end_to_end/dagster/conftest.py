"""A real `codelocd dev --dagster`, and its page as a browser asks it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.daemons import StartDev

DEADLINE = 120.0
PAUSE = 0.1

LOCATION = """
[location.{name}]
python_file = "{name}.py"
start_timeout = "60s"
[location.{name}.environment]
path = "{environment}"
"""

RUN = """mutation($job: String!, $repository: String!, $location: String!) {
  launchRun(executionParams: {mode: "default", selector: {jobName: $job,
      repositoryName: $repository, repositoryLocationName: $location}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename } } } } }"""


class Page:
    """The stock webserver's GraphQL, as its own page uses it."""

    def __init__(self, dev: Any, port: int) -> None:
        self.dev = dev
        self.port = port

    def ask(self, query: str, **variables: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            body = json.dumps({"query": query, "variables": variables})
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())["data"]
        finally:
            connection.close()

    def until(self, holds: Callable[[], Any]) -> Any:
        """What it says as soon as it says something; the page sends no changes by itself."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                if result := holds():
                    return result
            except (OSError, http.client.HTTPException, TypeError):
                pass
            time.sleep(PAUSE)
        raise AssertionError("it never happened:\n" + "\n".join(self.dev.printed[-60:]))

    def assets(self) -> set[str]:
        return {
            "/".join(n["assetKey"]["path"])
            for n in self.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]
        }

    def loaded(self) -> set[str]:
        entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        return {
            entry["name"]
            for entry in entries
            if entry["locationOrLoadError"]["__typename"] == "RepositoryLocation"
        }

    def launch(self, location: str, job: str) -> str:
        told = self.ask(RUN, job=job, repository="__repository__", location=location)["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told
        run: str = told["run"]["runId"]
        return run

    def status(self, run: str) -> str:
        status: str = self.ask(STATUS, id=run)["runOrError"]["status"]
        return status

    def terminate(self, run: str) -> None:
        self.ask(TERMINATE, id=run)

    def about(self) -> dict[str, Any]:
        about: dict[str, Any] = self.dev.status()["daemon"]["dagster"]
        return about


PAGE = """
[dagster.environment]
path = "{}"
"""


@pytest.fixture
def declare(project: Path, dagster_environment) -> Callable[..., None]:
    """`declare(shop="newest", old="1.5")`: a codelocd.toml of locations by release. The page is
    run from the newest environment, unless none has that, or `built`: then codelocd builds one."""
    has_newest = False

    def declare(*, built: bool = False, **releases: str) -> None:
        nonlocal has_newest
        has_newest = has_newest or "newest" in releases.values()
        tables = [
            LOCATION.format(name=name, environment=dagster_environment(release))
            for name, release in releases.items()
        ]
        if has_newest and not built:
            tables.append(PAGE.format(dagster_environment("newest")))
        (project / "codelocd.toml").write_text("".join(tables))

    return declare


@pytest.fixture
def page(dev: StartDev, page_of: Callable[[Any, int], Page]) -> Callable[..., Page]:
    """Starts `codelocd dev --dagster`; returns once its page shows these locations."""

    def start(*locations: str) -> Page:
        port = free_port()
        page = page_of(dev("--dagster", "--port", str(port)), port)
        page.dev.until_printed("Dagster's UI: http://127.0.0.1:")
        page.until(lambda: page.loaded() == set(locations))
        return page

    return start


@pytest.fixture
def page_of(monkeypatch) -> Callable[[Any, int], Page]:
    """`page_of(daemon, port)`: the page that a daemon shows there, or will."""
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Page


@pytest.fixture
def unused_port() -> Callable[[], int]:
    return free_port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
