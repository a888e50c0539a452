"""`codelocd check` on Dagster's own formats, each loaded by a real Dagster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import commands

CODELOCD = Path(sys.executable).with_name("codelocd")
STORE = Path(__file__).parents[3] / ".cache" / "tests"

WORKSPACE = """
load_from:
  - python_file: plain.py
  - python_file: {{relative_path: mapped.py, attribute: defs, executable_path: {python}}}
  - python_module: module
  - python_module: {{module_name: inner, working_directory: lib, location_name: in lib é}}
  - python_package: packaged
  - python_package: {{package_name: packaged, attribute: defs, location_name: {{env: NAME}}}}
  - autoload_defs_module: auto.defs
  - autoload_defs_module: {{module_name: auto.defs, location_name: again, working_directory: .}}
  - grpc_server: {{host: localhost, port: 4266, location_name: far, ssl: false}}
  - grpc_server: {{socket: /run/nobody.sock}}
"""

CLOUD = """
defaults:
  working_directory: lib
  executable_path: {python}
  image: registry/image:1
locations:
  - location_name: one
    code_source: {{module_name: inner}}
  - location_name: two
    code_source: {{package_name: packaged}}
    working_directory: .
  - location_name: three
    code_source: {{python_file: plain.py}}
    attribute: defs
    build: {{directory: ., registry: r}}
"""

TOOL = """
[tool.dagster]
modules = [{type = "module", name = "module"}, {type = "module", name = "packaged"}]
"""


@pytest.fixture
def code(project: Path) -> Path:
    """Files, modules, a package and a folder of definitions with one asset each."""
    for name in ("plain.py", "mapped.py", "module.py", "lib/inner.py", "packaged/__init__.py"):
        file = project / name
        file.parent.mkdir(exist_ok=True)
        asset = name.replace("/", "_").partition(".")[0]
        file.write_text(
            f"import dagster as dg\n@dg.asset\ndef {asset}(): ...\n"
            f"defs = dg.Definitions(assets=[{asset}])\n"
        )
    (project / "auto" / "defs").mkdir(parents=True)
    (project / "auto" / "__init__.py").touch()
    (project / "auto" / "defs" / "x.py").write_text(
        "import dagster as dg\n@dg.asset\ndef x(): ...\n"
    )
    return project


@pytest.fixture
def check(tmp_path, dagster_environment):
    """`check(folder, *arguments)`: what it did, with the newest Dagster activated."""

    def check(folder: Path, *arguments: str, activated: bool = True):
        environ = os.environ | {
            "XDG_RUNTIME_DIR": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "XDG_DATA_HOME": str(STORE),
            "NAME": "named",
        }
        environ.pop("VIRTUAL_ENV", None)
        if activated:
            environ["VIRTUAL_ENV"] = str(dagster_environment("newest"))
        return commands.run(["check", *arguments], cwd=folder, environ=environ)

    return check


def results(done) -> dict[str, bool]:
    assert done.stdout, done.stderr
    return {each["name"]: each["ok"] for each in json.loads(done.stdout)["locations"]}


@pytest.mark.slow
def test_a_workspace_with_every_selector_and_form_loads(code, check, dagster_environment):
    python = dagster_environment("newest") / "bin" / "python"
    (code / "workspace.yaml").write_text(WORKSPACE.format(python=python))
    done = check(code, "--json")
    assert done.returncode == 1  # two locations hold the assets of packaged, and of auto.defs
    names = ("plain.py", "mapped.py:defs", "module", "in lib é", "packaged", "named", "again")
    assert results(done) == dict.fromkeys((*names, "auto.defs"), True)
    conflicts = json.loads(done.stdout)["conflicts"]
    assert [each["key"] for each in conflicts] == [["packaged___init__"], ["x"]]


@pytest.mark.slow
def test_a_dagster_cloud_yaml_with_defaults_loads(code, check, dagster_environment):
    python = dagster_environment("newest") / "bin" / "python"
    (code / "dagster_cloud.yaml").write_text(CLOUD.format(python=python))
    done = check(code, "--json", activated=False)
    assert done.returncode == 0, done.stdout
    assert results(done) == {"one": True, "two": True, "three": True}
    assert "defaults.image has no effect here" in done.stderr


@pytest.mark.slow
def test_the_modules_of_tool_dagster_load(code, check):
    (code / "pyproject.toml").write_text(TOOL)
    done = check(code, "--json")
    assert done.returncode == 0, done.stdout
    assert results(done) == {"module": True, "packaged": True}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_dg_workspace_with_two_projects_as_create_dagster_makes_it_loads(
    project, check, dagster_environment
):
    tool = dagster_environment("create-dagster") / "bin" / "create-dagster"
    steps = (
        (project, "workspace", "ws"),
        *((project / "ws", "project", f"projects/{n}") for n in "ab"),
    )
    for folder, kind, name in steps:
        made = subprocess.run(
            [tool, kind, "--no-uv-sync", name],
            cwd=folder,
            env=os.environ | {"DAGSTER_DISABLE_TELEMETRY": "yes"},
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
    for name in ("a", "b"):
        defs = project / "ws" / "projects" / name / "src" / name / "defs"
        (defs / "x.py").write_text(f"import dagster as dg\n@dg.asset\ndef of_{name}(): ...\n")
    done = check(project / "ws", "--json", activated=False)
    found = json.loads(done.stdout)["locations"]
    if any((each["problem"] or {}).get("kind") == "environment" for each in found):
        pytest.skip(f"no package index in reach: {found[0]['problem']['summary']}")
    assert {each["name"]: each["definitions"]["asset"] for each in found} == {"a": 1, "b": 1}
    assert done.returncode == 0


@pytest.mark.slow
def test_a_missing_package_is_told_with_the_line_that_adds_it(project, check):
    (project / "requirements.txt").write_text("")
    (project / "defs.py").write_text("import yaml\n")
    done = check(project, "-f", "defs.py", "--json", activated=False)
    problem = json.loads(done.stdout)["locations"][0]["problem"]
    line = f"add the line pyyaml to {project / 'requirements.txt'}"
    assert problem["summary"] == f"ModuleNotFoundError: No module named 'yaml' (defs.py:1); {line}"


@pytest.mark.slow
def test_a_mistake_of_one_location_leaves_the_others_untouched(code, check):
    (code / "plain.py").write_text(
        "import dagster as dg\n@dg.asset\ndef a(): ...\n"
        "b = dg.asset(name='a')(lambda: None)\ndefs = dg.Definitions(assets=[a, b])\n"
    )
    done = check(code, "-f", "plain.py", "-f", "mapped.py", "--json")
    assert done.returncode == 1
    assert results(done) == {"plain": False, "mapped": True}
    assert "AssetKey(['a'])" in json.loads(done.stdout)["locations"][0]["problem"]["summary"]


MISTAKES = {
    "workspace.yaml": "load_from:\n- docker: x\n",
    "dagster_cloud.yaml": "locations:\n- location_name: a\n  code_source: {}\n",
    "pyproject.toml": "[tool.dagster]\nmodules = []\n",
    "dg.toml": "[project]\n",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_a_config_is_one_line_and_exit_2(project, name):
    (project / name).write_text(MISTAKES[name])
    done = commands.run(["check"], cwd=project)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"codelocd: {project / name}:")
    assert "; " in line
