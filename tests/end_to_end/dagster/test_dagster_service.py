"""Dagster's own page and code servers under `codelocd serve`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from codelocd.dagster.grpc import CallFailed, call
from tests.end_to_end.daemons import Service

if TYPE_CHECKING:
    from tests.end_to_end.dagster.conftest import Page

SOURCE = "import dagster as dg\n@dg.asset\ndef {0}(): ...\ndefs = dg.Definitions(assets=[{0}])\n"
TABLE = """
[daemon]
log_format = "json"
[dagster]
serve = true
port = {}
"""

pytestmark = pytest.mark.slow


WITHOUT_PAGE = """
[daemon]
log_format = "json"
[dagster]
serve = true
page = false
"""


@pytest.fixture
def headless(
    project: Path, declare: Callable[..., None], page_of: Callable[[Any, int], Page], tmp_path: Path
) -> Iterator[Page]:
    """A service that leaves the page to others; what is asked of theirs has no answer."""
    declare(shop="newest")
    (project / "shop.py").write_text(SOURCE.format("one"))
    config = project / "codelocd.toml"
    config.write_text(WITHOUT_PAGE + config.read_text())
    service = Service(project, tmp_path)
    yield page_of(service, 0)
    if service.process.poll() is None:
        service.stop()


@pytest.fixture
def served(
    project: Path,
    declare: Callable[..., None],
    page_of: Callable[[Any, int], Page],
    unused_port: Callable[[], int],
    tmp_path: Path,
) -> Iterator[Page]:
    """The page of a service with the locations `shop` and `old`, of two releases."""
    declare(shop="newest", old="1.5")
    (project / "shop.py").write_text(SOURCE.format("one"))
    (project / "old.py").write_text(SOURCE.format("two"))
    config, port = project / "codelocd.toml", unused_port()
    config.write_text(TABLE.format(port) + config.read_text())
    service = Service(project, tmp_path)
    yield page_of(service, port)
    if service.process.poll() is None:
        service.stop()


def ping(path: Path) -> str:
    return asyncio.run(call(path, "Ping", "hello", timeout=10))


def sockets_of(about: dict[str, Any]) -> dict[str, Path]:
    """The constant paths in the workspace.yaml, by location."""
    workspace = yaml.safe_load(Path(about["workspace"]).read_text())
    servers = [each["grpc_server"] for each in workspace["load_from"]]
    return {each["location_name"]: Path(each["socket"]) for each in servers}


def test_a_service_shows_its_locations_on_the_page_and_ends_with_nothing_left(served, project):
    service = served.dev
    service.told(b"READY=1")
    served.until(lambda: served.loaded() == {"shop", "old"})
    assert served.assets() == {"one", "two"}
    about = service.status()["daemon"]["dagster"]
    assert about["url"] == f"http://127.0.0.1:{served.port}"
    assert set(about["servers"]) == {"shop", "old"}

    sockets = sockets_of(about)
    assert [ping(sockets[name]) for name in ("shop", "old")] == ["hello", "hello"]

    (project / "shop.py").write_text(SOURCE.format("three"))
    served.until(lambda: served.assets() == {"two", "three"})
    assert ping(sockets["shop"]) == "hello"

    tree = psutil.Process(service.process.pid).children(recursive=True)
    assert len(tree) >= 6
    assert service.stop() == 0
    _, alive = psutil.wait_procs(tree, timeout=10)
    assert not alive
    for socket in sockets.values():
        with pytest.raises(CallFailed):
            ping(socket)
    left = {path.name for path in project.iterdir()} - {"__pycache__"}
    assert left == {"codelocd.toml", "shop.py", "old.py"}


def test_without_a_page_of_its_own_a_service_has_code_servers_for_those_of_others(
    headless, project
):
    headless.dev.told(b"READY=1")
    about = headless.until(
        lambda: Path(headless.about()["workspace"]).exists() and headless.about()
    )
    assert (about["url"], about["pids"], set(about["servers"])) == (None, {}, {"shop"})
    shop = sockets_of(about)["shop"]
    assert ping(shop) == "hello"
    (project / "shop.py").write_text(SOURCE.format("two"))
    headless.until(lambda: headless.about()["servers"] != about["servers"])
    assert ping(shop) == "hello"
    assert headless.about()["pids"] == {}
    assert headless.dev.stop() == 0
