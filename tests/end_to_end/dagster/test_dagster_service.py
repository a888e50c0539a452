"""Dagster's own page and code servers under `codelocd serve`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from daemons import Service

from codelocd.dagster.grpc_call import CallFailed, call

SOURCE = "import dagster as dg\n@dg.asset\ndef {0}(): ...\ndefs = dg.Definitions(assets=[{0}])\n"
TABLE = """
[daemon]
log_format = "json"
[dagster]
serve = true
port = {}
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def served(project, declare, page_of, unused_port, tmp_path) -> Iterator:
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


def test_a_service_shows_its_locations_on_the_page_and_ends_with_nothing_left(served, project):
    service = served.dev
    service.told(b"READY=1")
    served.until(lambda: served.loaded() == {"shop", "old"})
    assert served.assets() == {"one", "two"}
    about = service.status()["daemon"]["dagster"]
    assert about["url"] == f"http://127.0.0.1:{served.port}"
    assert set(about["servers"]) == {"shop", "old"}

    workspace = Path(about["workspace"])
    entries = [each["grpc_server"] for each in yaml.safe_load(workspace.read_text())["load_from"]]
    sockets = {each["location_name"]: Path(each["socket"]) for each in entries}
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
