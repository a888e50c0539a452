"""What locations ask of the nodes of a Ray cluster, and where their code is from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codeloc_envs import EnvironmentProblem, Request, Store, choose
from codeloc_ray.requirements import REQUIREMENTS
from tests import commands
from tests.end_to_end.daemons import CACHE, native, serving, wait_for
from tests.engine.lab import ROOT, Lab, Machine, daemon_python
from tests.engine.test_daemon_on_ray import EngineService, engine_table
from tests.envs.conftest import BACKEND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WISHES = {
    "labelled": 'node = { labels = { zone = "a" } }',
    "gpu": "resources = { gpu = 1 }",
    "tape": "resources = { custom = { tape = 1 } }",
    "roomy": 'resources = { cpu = 0.5, memory = "300MiB" }\nnode = { labels = { zone = "a" } }',
    "huge": 'resources = { memory = "900GiB" }',
    "nowhere": 'node = { labels = { zone = "z" } }',
    "released": 'release_root = "released"',
    "editable": 'environment = { project = "editable" }',
    "shared": f'source = "shared"\nenvironment = {{ path = "{ROOT}/.venv" }}',
}
LOCATION = """
[location.{name}]
python_file = "{folder}/definitions.py"
working_directory = "{folder}"
engine = "ray"
{wish}
"""
MEBIBYTE = 1024 * 1024


SHOWS = """
import definitions as its
print(hasattr(its, "of_the_release"), hasattr(its, "not_served"))
"""


class Wished:
    """A daemon whose locations ask for all of it, and the node that has it."""

    def __init__(self, lab: Lab, folder: Path, node: Machine) -> None:
        self.node = node
        self.project = folder / "project"
        self.project.mkdir()
        text = engine_table(lab, folder)
        for name, wish in WISHES.items():
            own = "" if "environment" in wish else '\nenvironment = { python = "3.11" }'
            text += LOCATION.format(name=name, folder=self.folder(name), wish=wish + own)
            self.write(name, native(name))
        package = self.folder("editable")
        (package / "src").mkdir()
        (package / "src" / "tiny.py").write_text('NAME = "first"\n')
        (package / "backend.py").write_text(
            BACKEND.format(name="tiny", version="1.0", dependencies=(), trouble="pass")
        )
        (package / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "tiny"\nversion = "1.0"\nrequires-python = "==3.11.*"\n'
        )
        self.write("editable", TINY)
        (self.project / "codelocd.toml").write_text(text)
        (self.project / "codelocd.toml").chmod(0o600)
        self.service = EngineService(self.project, folder, lab)
        self.service.until_ready()

    def folder(self, name: str) -> Path:
        return self.project / name

    def write(self, name: str, source: str) -> None:
        self.folder(name).mkdir(exist_ok=True)
        (self.folder(name) / "definitions.py").write_text(source)

    def codelocd(self, *words: str) -> subprocess.CompletedProcess[str]:
        return commands.run(words, cwd=self.project, environ=self.service.environ)

    def until_listed(self, name: str, asset: str) -> dict[str, Any]:
        wait_for(lambda: asset in self.service.names())
        return self.service.until(name, serving)


TINY = """
import tiny
from codeloc import Definitions, asset
@asset(name=tiny.NAME)
def it(): ...
defs = Definitions(assets=[it])
"""


@pytest.fixture(scope="module")
def wished(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wished]:
    node = lab.add_node("--num-gpus=2", '--resources={"tape": 1}', "--labels=zone=a")
    found = Wished(lab, tmp_path_factory.mktemp("wished"), node)
    yield found
    found.service.stop()
    lab.kill(node)
    lab.nodes.remove(node)


def amounts(wished: Wished) -> dict[str, dict[str, float]]:
    """The resources of the node that has all, total and free."""
    said = json.loads(wished.codelocd("engine", "status", "--json").stdout)
    (node,) = [each for each in said["nodes"] if each["address"] == wished.node.address]
    found: dict[str, dict[str, float]] = node["resources"]
    return found


def test_check_says_what_the_cluster_offers(wished: Wished, lab: Lab) -> None:
    words = [str(daemon_python().with_name("codelocd")), "engine", "check", "--json"]
    config = str(wished.project / "codelocd.toml")
    done = subprocess.run(lab.inside([*words, config]), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["problems"], found["token"], found["tls"]) == ([], True, True)
    assert found["version"].startswith("2.")
    assert found["python"].startswith("3.11.")
    nodes = {each["address"]: each for each in found["nodes"] if each["state"] == "up"}
    assert set(nodes) >= {each.address for each in lab.nodes}
    its = nodes[wished.node.address]
    assert (its["labels"]["zone"], its["resources"]["gpu"]["total"]) == ("a", 2)
    assert any(each.startswith("3.11") for each in its["pythons"])
    assert abs(its["clock_skew"]) < 1.0
    assert lab.variables["RAY_AUTH_TOKEN"] not in done.stdout + done.stderr


def test_resources_and_labels_decide_on_the_node_and_are_reserved_there(wished: Wished) -> None:
    for name in ("labelled", "gpu", "tape", "roomy"):
        assert wished.service.until(name, serving)["node"] == wished.node.address
    shown = wished.codelocd("show", "roomy").stdout
    assert "cpu 0.5, memory 300 MiB, zone=a" in shown

    def reserved() -> bool:
        found = amounts(wished)
        memory = found["memory"]
        return (found["gpu"]["free"], found["tape"]["free"]) == (1, 0) and (
            memory["total"] - memory["free"] >= 300 * MEBIBYTE
        )

    wait_for(reserved)


def test_what_no_node_has_is_waited_for_with_the_reason(wished: Wished) -> None:
    huge = wished.service.until("huge", lambda its: its["state"] == "backoff")["problem"]
    assert "no node has memory 900 GiB (free on" in huge["summary"]
    assert "no node is so large: ask for less" in huge["summary"]
    nowhere = wished.service.until("nowhere", lambda its: its["state"] == "backoff")["problem"]
    assert "the cluster has no node with zone=z that takes runners" in nowhere["summary"]


def test_a_shared_folder_is_used_where_it_is_and_pytest_runs_there(wished: Wished) -> None:
    folder = wished.folder("shared")
    named = "import os\nfrom codeloc import Definitions, asset\n@asset(name={name})\n"
    named += "def it(): ...\ndefs = Definitions(assets=[it])\n"
    wished.write("shared", named.format(name='os.path.basename(os.getcwd()) + "_folder"'))
    wished.until_listed("shared", "shared_folder")
    assert not list(wished.node.store.glob("trees/*/**/shared/definitions.py"))
    (folder / "test_one.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    done = wished.codelocd("exec", "shared", "--", "pytest", "-q", "-p", "no:cacheprovider")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    (folder / "test_one.py").write_text("def test_it():\n    assert 1 + 1 == 3\n")
    done = wished.codelocd("exec", "shared", "--", "pytest", "-q", "-p", "no:cacheprovider")
    assert (done.returncode, "1 failed" in done.stdout) == (1, True), done.stdout + done.stderr


def test_a_save_in_an_editable_project_is_served_from_the_same_environment(
    wished: Wished,
) -> None:
    before = wished.until_listed("editable", "first")
    (wished.folder("editable") / "src" / "tiny.py").write_text('NAME = "second"\n')
    after = wished.until_listed("editable", "second")
    assert after["environment"]["key"] == before["environment"]["key"]
    assert after["generation"] == before["generation"] + 1


def test_a_release_serves_on_a_node_whatever_the_files_in_place_become(wished: Wished) -> None:
    wished.service.until("released", serving)
    wished.write("released", native("of_the_release"))
    done = wished.codelocd("deploy", "released", "--source", str(wished.folder("released")))
    assert done.returncode == 0, done.stderr
    entry = wished.service.until("released", lambda its: serving(its) and bool(its["release"]))
    assert (bool(entry["node"]), "of_the_release" in wished.service.names()) == (True, True)
    wished.write("released", native("not_served"))
    done = wished.codelocd("reload", "released")
    assert done.returncode == 0, done.stderr
    assert "of_the_release" in wished.service.names()
    assert "not_served" not in wished.service.names()
    done = wished.codelocd("exec", "released", "--", "python", "-c", SHOWS)
    assert done.stdout == "True False\n", done.stderr
    assert wished.codelocd("deploy", "released", "--in-place").returncode == 0
    wished.until_listed("released", "not_served")


def test_the_bridge_gets_the_clusters_own_ray_and_python_unasked(
    lab: Lab, wished: Wished, tmp_path: Path
) -> None:
    """Built before, from here: the lab's machines reach no index."""
    asking = [str(lab.python), str(ROOT / "supervisor" / "codeloc_ray" / "asking.py")]
    asked = subprocess.run(lab.inside([*asking, lab.address]), capture_output=True, check=True)
    theirs = json.loads(asked.stdout)
    packages = tuple(each.format(version=theirs["version"]) for each in REQUIREMENTS)
    request = Request(python=theirs["executable"], packages=packages)
    store = Store(CACHE / "codelocd")
    try:
        store.build(choose(request, code=Path("/dev")).specification, lambda _: None)
    except EnvironmentProblem as problem:
        pytest.skip(f"the package index is out of reach: {problem.summary}")
    config = tmp_path / "codelocd.toml"
    lines = engine_table(lab, tmp_path).splitlines()
    config.write_text("\n".join(each for each in lines if not each.startswith("environment")))
    config.chmod(0o600)
    words = [str(daemon_python().with_name("codelocd")), "engine", "check", "--json", str(config)]
    own = ["env", f"XDG_DATA_HOME={CACHE}", *words]
    done = subprocess.run(lab.inside(own), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["version"], found["python"]) == (theirs["version"], theirs["python"])
