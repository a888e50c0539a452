"""Locations of many kinds side by side."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from codelocd.client import Client
from tests.end_to_end.daemons import DEADLINE, StartDev, failed, native, serving
from tests.pythons import PYENV, VERSIONS, found


def interpreters() -> dict[str, Path]:
    """The Pythons of this machine by minor version."""
    return {version: python for version in VERSIONS if (python := found(version))}


def test_equal_file_names_become_locations_of_different_names(dev: StartDev, project: Path) -> None:
    for folder in ("a", "b"):
        (project / folder).mkdir()
        (project / folder / "defs.py").write_text(native(f"of_{folder}"))
    daemon = dev("-f", "a/defs.py", "-f", "b/defs.py")
    daemon.until_serving("a.defs", "b.defs")
    assert daemon.definitions() == ["asset of_a", "asset of_b"]


def test_one_daemon_serves_every_python_of_the_machine(dev: StartDev, project: Path) -> None:
    pythons = interpreters()
    if len(pythons) < 3:
        pytest.skip(f"needs three Python versions in {PYENV}, found {sorted(pythons)}")
    tables = []
    for version in pythons:
        name = f"py{version.replace('.', '')}"
        (project / f"{name}.py").write_text(native(f"{name}_asset"))
        tables.append(
            f'[location.{name}]\npython_file = "{name}.py"\n'
            f'environment = {{ python = "{version}" }}\n'
        )
    (project / "codelocd.toml").write_text("\n".join(tables))
    daemon = dev()
    names = [f"py{version.replace('.', '')}" for version in pythons]
    daemon.until_serving(*names)
    served = {each["environment"]["python"] for each in daemon.status()["locations"]}
    assert {version.rpartition(".")[0] for version in served} == set(pythons)


def test_two_definitions_objects_are_the_error_that_people_know(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text(native("one") + "other_defs = Definitions(assets=[])\n")
    daemon = dev("-f", "defs.py")
    daemon.until("defs", failed)
    daemon.stop()
    done = daemon.cli("check", "-f", "defs.py", "--json")
    assert done.returncode == 1
    (result,) = json.loads(done.stdout)["locations"]
    assert (
        "Cannot have more than one Definitions object defined at module scope. "
        "Found: defs, other_defs" in result["problem"]["summary"]
    )


def test_an_existing_environment_is_used_and_never_modified(dev: StartDev, project: Path) -> None:
    import virtualenv

    environment = project / ".venv"
    virtualenv.cli_run([str(environment), "--no-seed", "--no-periodic-update"])
    (project / "defs.py").write_text(native("one"))
    before = contents(environment)
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    entry = daemon.entry("defs")
    assert entry["environment"]["origin"] == "existing"
    assert entry["environment"]["path"] == str(environment)
    assert contents(environment) == before


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
    }


def test_exec_runs_a_command_as_the_runner_would(dev: StartDev, project: Path) -> None:
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nenv = { REGION = "eu" }\n'
    )
    (project / "defs.py").write_text(native("one"))
    daemon = dev()
    daemon.until_serving("sales")
    code = "import codeloc, os, sys; print(os.environ['REGION'], os.getcwd(), sys.prefix)"
    done = daemon.cli("exec", "sales", "--", "python", "-c", code)
    region, directory, prefix = done.stdout.split()
    assert (region, directory) == ("eu", str(project))
    assert prefix == daemon.entry("sales")["environment"]["path"]
    assert daemon.cli("exec", "sales", "--", "python", "-c", "raise SystemExit(5)").returncode == 5


def test_an_environment_that_cannot_be_built_shows_the_installers_words_and_then_the_repair(
    dev: StartDev, project: Path
) -> None:
    (project / "requirements.txt").write_text("./nothing-there\n")
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    entry = daemon.until("defs", failed)
    assert entry["problem"]["kind"] == "environment"
    assert "nothing-there" in entry["problem"]["summary"] + entry["problem"]["detail"]
    (project / "requirements.txt").write_text("")
    daemon.until("defs", serving)


def test_a_changed_requirement_builds_beside_and_then_swaps(dev: StartDev, project: Path) -> None:
    package = project / "lib"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "tiny_backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\nversion = "1"\n'
    )
    (package / "tiny_backend.py").write_text(TINY_BACKEND)
    (project / "requirements.txt").write_text("")
    (project / "defs.py").write_text(
        "try:\n    import tiny\n    name = 'with_tiny'\n"
        "except ImportError:\n    name = 'without'\n"
        "from codeloc import Definitions, asset\n"
        "@asset(name=name)\ndef it(): ...\n"
        "defs = Definitions(assets=[it])\n"
    )
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    first = daemon.entry("defs")["environment"]["key"]
    assert daemon.definitions() == ["asset without"]
    (project / "requirements.txt").write_text(f"tiny @ file://{package}\n")
    entry = daemon.until("defs", lambda each: serving(each) and each["generation"] == 2)
    assert entry["environment"]["key"] != first
    assert daemon.definitions() == ["asset with_tiny"]


TINY_BACKEND = """
import zipfile
FILES = {
    "METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n",
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "RECORD": "",
}
def get_requires_for_build_wheel(settings=None): return []
def build_wheel(folder, *arguments, **settings):
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("tiny.py", "")
        for file, text in FILES.items():
            wheel.writestr(f"tiny-1.dist-info/{file}", text)
    return name
"""


def test_user_code_that_closes_every_descriptor_is_still_served(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text(
        native("one", before="import os\nos.closerange(3, 65536)\nos.chdir('/')")
    )
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    assert daemon.cli("call", "defs", "describe").returncode == 0


def last_lines(client: Client) -> list[str]:
    found = client.call("logs", {"locations": ["defs"], "lines": 3})["lines"]
    return [each["text"].split(" x")[0] for each in found]


def test_a_flood_of_output_is_kept_and_holds_nobody_up(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(
        native("one", before="for n in range(200_000): print(f'line {n} ' + 'x' * 80)")
    )
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    expected = [f"line {199_997 + n}" for n in range(3)]
    deadline = time.monotonic() + DEADLINE
    with daemon.client() as client:
        while (found := last_lines(client)) != expected and time.monotonic() < deadline:
            continue  # the load has ended, the daemon may still be reading what it printed
    assert found == expected
