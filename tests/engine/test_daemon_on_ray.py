"""A daemon whose locations run on the nodes of a Ray cluster, as its users see it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.end_to_end.daemons import Service, native, serving, wait_for
from tests.engine.lab import Lab, daemon_python
from tests.pythons import EXTREMES, VERSIONS, found

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

PYTHONS = [each for each in VERSIONS[:6] if found(each)]
ENGINE = """
[engine]
kind = "ray"
address = "{address}"
token_file = "{token}"
tls = {{ cert = "{cert}", key = "{key}", ca = "{ca}" }}
fence = "10s"
environment = {{ path = "{environment}" }}
"""
LOCATION = """
[location.on-{name}]
python_file = "{file}"
environment = {{ python = "{python}" }}
{engine}
"""


def engine_table(lab: Lab, folder: Path) -> str:
    """The `[engine]` of a lab; its token is kept in the folder."""
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(lab.variables["RAY_AUTH_TOKEN"])
    environment = lab.python.parent.parent
    return ENGINE.format(
        address=lab.address, token=token, environment=environment, **(lab.tls or {})
    )


def write(project: Path, lab: Lab | None, pythons: Sequence[str] = PYTHONS) -> None:
    """A config of one location for each Python, on nodes if there is a `lab`."""
    project.mkdir(exist_ok=True)
    text = ""
    if lab is not None:
        text += engine_table(lab, project.parent)
    for python in pythons:
        name = python.replace(".", "-")
        code = project.parent / "code" / name
        code.mkdir(parents=True, exist_ok=True)
        (code / "definitions.py").write_text(native("orders", f"of_{name.replace('-', '_')}"))
        engine = 'engine = "ray"' if lab is not None else ""
        file = code / "definitions.py"
        text += LOCATION.format(name=name, file=file, python=python, engine=engine)
    (project / "codelocd.toml").write_text(text)
    (project / "codelocd.toml").chmod(0o600)


class EngineService(Service):
    """A daemon on the lab's own machine, on the newest Python that there is."""

    def __init__(self, project: Path, home: Path, lab: Lab) -> None:
        command = [str(daemon_python().with_name("codelocd"))]
        super().__init__(project, home, lab.inside(command))

    def until_ready(self) -> None:
        """From then on its manager takes whatever it says, as a real one does: a queue of such
        messages that is full would hold the daemon up."""
        self.told(b"READY=1")
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        self.manager.settimeout(None)
        with contextlib.suppress(OSError):
            while True:
                self.manager.recv(1000)

    def definitions_as_json(self) -> dict[str, Any]:
        with self.client() as client:
            answer: dict[str, Any] = client.call("definitions", {})
        return answer

    def names(self) -> set[str]:
        return {each["name"] for each in self.definitions_as_json()["definitions"]}

    def pids(self) -> dict[str, int]:
        return {each["name"]: each["pid"] for each in self.status()["locations"]}

    def all_serve(self) -> None:
        for each in self.status()["locations"]:
            self.until(each["name"], serving)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def started(project: Path, home: Path, lab: Lab) -> EngineService:
    service = EngineService(project, home, lab)
    service.until_ready()
    service.all_serve()
    return service


def test_locations_of_all_pythons_serve_on_nodes_as_they_do_here(lab: Lab, tmp_path: Path) -> None:
    """The daemon on another Python than the cluster; no location has Ray."""
    seen = []
    for name, engine in (("ray", lab), ("local", None)):
        home = tmp_path / name
        home.mkdir()
        write(tmp_path / "project", engine)
        service = started(tmp_path / "project", home, lab)
        seen.append(service.definitions_as_json()["definitions"])
        entries = service.status()["locations"]
        print(*(f"{e['name']} {e.get('node')} {e['state']}" for e in entries), sep="\n")
        assert all(bool(each.get("node")) == (engine is not None) for each in entries)
        service.stop()
    assert json.dumps(seen[0], sort_keys=True) == json.dumps(seen[1], sort_keys=True)


def test_a_killed_daemon_is_followed_by_one_that_adopts_every_runner(
    lab: Lab, tmp_path: Path
) -> None:
    write(tmp_path / "project", lab, EXTREMES)
    service = started(tmp_path / "project", tmp_path, lab)
    before = service.pids()
    service.process.kill()
    service.process.wait()
    service.manager.close()
    (tmp_path / "notify").unlink()
    again = started(tmp_path / "project", tmp_path, lab)
    assert again.pids() == before
    code = tmp_path / "code" / EXTREMES[0].replace(".", "-")
    began = time.monotonic()
    (code / "definitions.py").write_text(native("orders", "saved"))
    wait_for(
        lambda: any(each["name"] == "saved" for each in again.definitions_as_json()["definitions"])
    )
    print(f"save to served on a node: {time.monotonic() - began:.2f} s")
    token = lab.variables["RAY_AUTH_TOKEN"]
    assert not [each.pid for each in psutil.process_iter() if token in " ".join(words_of(each))]
    again.stop()
    files = [each for each in tmp_path.rglob("*") if each.is_file() and each != tmp_path / "token"]
    assert not [each for each in files if token.encode() in each.read_bytes()]
    (log,) = [each for each in files if each.name.startswith("engine-bridge")]
    assert "worker died" not in log.read_text(), "what ended in order is no failure to Ray"


def words_of(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
