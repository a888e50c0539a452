"""`codelocd init`: what it writes into folders of many kinds is what `codelocd check` loads."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.cli.commands.init import planned
from codelocd.config import load
from codelocd.daemon import check
from codelocd.model import Config, LocationSpec
from codelocd.storage.paths import DaemonPaths
from tests import commands
from tests.end_to_end.daemons import CACHE, native

Run = Callable[..., subprocess.CompletedProcess[str]]
Files = Mapping[str, str]

MERGED = "from codeloc import Definitions\ndefs = Definitions(assets=[orders])\n"
RELATIVE = "from .made import orders\n" + MERGED
MADE = "from codeloc import asset\n\n@asset\ndef orders(): ...\n"
ABSOLUTE = (
    "from {} import orders\nfrom codeloc import Definitions\ndefs = Definitions(assets=[orders])\n"
)
LOOSE_DAGSTER = "import dagster as dg\nimport yaml\n\n@dg.asset\ndef orders(): ...\n"
WHOLE_DAGSTER = LOOSE_DAGSTER + "\ndefs = dg.Definitions([orders])\n"

LOADED: dict[str, tuple[Files, dict[str, Any]]] = {
    "a file, called after what it is called": (
        {"etl.py": native("orders")},
        {"etl": {"python_file": "etl.py"}},
    ),
    "a file of a usual name, called after its folder": (
        {"defs.py": native("orders")},
        {"shop": {"python_file": "defs.py"}},
    ),
    "a package is imported, not loaded as a file": (
        {"sales/__init__.py": "", "sales/definitions.py": RELATIVE, "sales/made.py": MADE},
        {"sales": {"module": "sales.definitions"}},
    ),
    "a package below src": (
        {
            "src/sales/__init__.py": "",
            "src/sales/made.py": MADE,
            "src/sales/definitions.py": ABSOLUTE.format("sales.made"),
        },
        {"sales": {"module": "sales.definitions", "working_directory": "src"}},
    ),
    "a package that holds its definitions itself": (
        {"sales/__init__.py": RELATIVE, "sales/made.py": MADE},
        {"sales": {"module": "sales"}},
    ),
    "a folder without __init__.py whose files import each other relatively": (
        {"sales/definitions.py": RELATIVE, "sales/made.py": MADE},
        {"sales": {"module": "sales.definitions"}},
    ),
    "a file that imports what lies beside it": (
        {"etl/defs.py": ABSOLUTE.format("made"), "etl/made.py": MADE},
        {"etl": {"python_file": "etl/defs.py", "working_directory": "etl"}},
    ),
    "a file that imports from the folder above": (
        {"etl/defs.py": ABSOLUTE.format("common.made"), "common/made.py": MADE},
        {"etl": {"python_file": "etl/defs.py"}},
    ),
    "definitions that others gather are no location of their own": (
        {
            "sales/__init__.py": "",
            "sales/part.py": native("part"),
            "sales/definitions.py": (
                "from codeloc import Definitions\nfrom sales import part\n"
                "defs = Definitions(assets=[part.part])\n"
            ),
        },
        {"sales": {"module": "sales.definitions"}},
    ),
    "several are several, and equal names are told apart": (
        {
            "a/defs.py": native("one"),
            "b/defs.py": native("two"),
            "a/sub/a.py": native("three"),
        },
        {
            "a.defs": {"python_file": "a/defs.py"},
            "a.sub.a": {"python_file": "a/sub/a.py"},
            "b": {"python_file": "b/defs.py"},
        },
    ),
    "tests, environments and hidden folders hold no location": (
        {
            "etl.py": native("orders"),
            "tests/test_etl.py": native("orders"),
            "conftest.py": native("orders"),
            "mine/pyvenv.cfg": "",
            "mine/lib/defs.py": native("orders"),
            ".hidden/defs.py": native("orders"),
        },
        {"etl": {"python_file": "etl.py"}},
    ),
    "a file of variables is read": (
        {"etl.py": native("orders", before="import os\nos.environ['TOKEN']"), ".env": "TOKEN=x\n"},
        {"etl": {"python_file": "etl.py", "env_file": ".env"}},
    ),
    "definitions below try and if": (
        {"etl.py": "if True:\n" + "".join(f"    {x}\n" for x in native("o").splitlines())},
        {"etl": {"python_file": "etl.py"}},
    ),
    "older repositories": (
        {
            "etl.py": (
                "from codeloc import asset, repository\n@asset\ndef one(): ...\n"
                "@repository\ndef all_of_it():\n    return [one]\n"
            )
        },
        {"etl": {"python_file": "etl.py"}},
    ),
}

WRITTEN: dict[str, tuple[Files, dict[str, Any]]] = {
    "imports are the packages where nothing describes an environment": (
        {"etl.py": WHOLE_DAGSTER},
        {"etl": {"python_file": "etl.py", "environment": {"packages": ["dagster", "pyyaml"]}}},
    ),
    "a description of the environment is enough": (
        {"jobs/etl.py": WHOLE_DAGSTER, "requirements.txt": "dagster\npyyaml\n"},
        {"etl": {"python_file": "jobs/etl.py"}},
    ),
    "Dagster takes loose assets": (
        {"etl.py": LOOSE_DAGSTER, "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n'},
        {"etl": {"python_file": "etl.py"}},
    ),
    "a function that returns them all, by components": (
        {
            "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n',
            "shop/__init__.py": "",
            "shop/definitions.py": (
                "from dagster import definitions, load_from_defs_folder\n\n"
                "@definitions\ndef defs():\n    return load_from_defs_folder(project_root='.')\n"
            ),
        },
        {"shop": {"module": "shop.definitions"}},
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    return made


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Run:
    (tmp_path / "run").mkdir(mode=0o700)
    given = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "XDG_DATA_HOME": str(CACHE)}
    hidden = ("VIRTUAL_ENV", "CONDA_PREFIX", "CODELOCD_SOCKET")
    environ = {name: text for name, text in os.environ.items() if name not in hidden} | given

    def codelocd(*words: str, cwd: Path = folder) -> subprocess.CompletedProcess[str]:
        return commands.run(words, cwd=cwd, environ=environ)

    return codelocd


def fill(folder: Path, files: Files) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def text(folder: Path) -> str:
    """What would be written into `folder`."""
    return planned(folder, dagster=False).files[folder / "codelocd.toml"]


def tables(folder: Path) -> dict[str, Any]:
    """The same, read."""
    found: dict[str, Any] = tomllib.loads(text(folder))["location"]
    return found


@pytest.mark.parametrize(
    ("files", "expected"), [*LOADED.values(), *WRITTEN.values()], ids=[*LOADED, *WRITTEN]
)
def test_a_config_is_written_for_what_is_there(
    folder: Path, files: Files, expected: dict[str, Any]
) -> None:
    fill(folder, files)
    assert tables(folder) == expected


def test_what_is_written_loads(tmp_path: Path) -> None:
    specs: list[LocationSpec] = []
    for number, (files, _) in enumerate(LOADED.values()):
        folder = tmp_path / str(number) / "shop"
        fill(folder, files)
        (folder / "codelocd.toml").write_text(text(folder))
        config = load(folder / "codelocd.toml", os.environ, activated=False)
        specs += (replace(each, name=f"{number}.{each.name}") for each in config.locations)
    paths = DaemonPaths("x", tmp_path / "s", tmp_path / "state", CACHE / "codelocd", tmp_path / "r")
    checked = check.run(Config(locations=tuple(specs)), paths)["locations"]
    assert [(each["name"], each["problem"]) for each in checked] == [(s.name, None) for s in specs]


def test_what_is_written_is_named_and_so_is_the_next_command(run: Run, folder: Path) -> None:
    fill(folder, {"etl.py": native("orders"), "dagsters.py": WHOLE_DAGSTER})
    done = run("init")
    assert done.returncode == 0, done.stderr
    path = folder / "codelocd.toml"
    assert done.stdout == f"wrote {path}\nnext: codelocd dev --dagster\n"
    assert done.stderr == "found 2 locations: dagsters.py, etl.py\n"
    assert run("config", "validate").stdout == f"{path}: valid, 2 locations\n"


def test_a_file_in_another_encoding_is_read_by_its_coding(folder: Path) -> None:
    source = "# -*- coding: latin-1 -*-\n# é\n" + native("orders")
    (folder / "etl.py").write_bytes(source.encode("latin-1"))
    assert tables(folder) == {"etl": {"python_file": "etl.py"}}


def test_an_empty_folder_gets_a_small_project_that_loads(run: Run, folder: Path) -> None:
    new = folder / "new shop"
    done = run("init", "new shop")
    assert done.stdout.splitlines() == [
        f"wrote {new / 'codelocd.toml'}",
        f"wrote {new / 'definitions.py'}",
        "next: cd 'new shop' && codelocd dev",
    ]
    checked = run("check", cwd=new)
    assert checked.returncode == 0, checked.stderr
    assert "new-shop: 2 assets, 1 asset check, 1 job, 1 schedule" in checked.stdout


@pytest.mark.parametrize("name", ["shop", "dagster", "2024-etl", "json", "class"])
def test_a_small_dagster_project_is_one_that_dagsters_tools_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    fill(folder, {str(path): text for path, text in planned(folder, dagster=True).files.items()})
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    module = project["tool"]["dg"]["project"]["root_module"]
    assert module.isidentifier()
    assert module not in ("dagster", "json", "class")
    assert (folder / "src" / module / "definitions.py").is_file()
    (spec,) = load(folder / "pyproject.toml", {}, activated=False).locations
    assert (spec.name, spec.working_directory) == (name, folder / "src")


@pytest.mark.slow
def test_the_small_dagster_project_loads(run: Run, folder: Path) -> None:
    run("init", "--dagster")
    checked = run("check", "--json")
    (location,) = json.loads(checked.stdout)["locations"]
    if not location["ok"] and location["problem"]["kind"] == "environment":
        pytest.skip(f"no package index in reach: {location['problem']['summary']}")
    assert location["problem"] is None
    assert location["definitions"]["asset"] == 2


@pytest.mark.parametrize("name", ["codelocd.toml", "workspace.yaml", "dg.toml"])
def test_a_config_that_is_there_is_enough(folder: Path, name: str) -> None:
    fill(folder, {name: "", "etl.py": native("orders")})
    plan = planned(folder, dagster=True)
    assert (plan.files, plan.why) == ({}, f"{folder / name} is read as it is")


def test_a_config_that_is_there_and_broken_is_a_mistake(run: Run, folder: Path) -> None:
    fill(folder, {"codelocd.toml": '[location.a]\nmodule = "a"\nrelod = 1\n'})
    before = contents(folder)
    done = run("init")
    assert done.returncode == 2
    assert "codelocd.toml:3: location.a.relod: unknown key" in done.stderr
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("files", "arguments"),
    [({"definitions.py": "x = 1\n"}, ()), ({"pyproject.toml": ""}, ("--dagster",))],
)
def test_no_file_is_written_over_and_none_is_written_then(
    run: Run, folder: Path, files: Files, arguments: tuple[str, ...]
) -> None:
    fill(folder, files)
    before = contents(folder)
    done = run("init", *arguments)
    assert done.returncode == 1
    assert f"{folder / next(iter(files))} is there" in done.stderr
    assert contents(folder) == before


def test_assets_that_no_definitions_hold_are_said_to_lack_them(run: Run, folder: Path) -> None:
    (folder / "etl.py").write_text(MADE)
    done = run("init")
    assert done.returncode == 1
    assert f"{folder / 'etl.py'} has assets of codeloc that no Definitions holds" in done.stderr
    assert list(contents(folder)) == ["etl.py"]


def test_a_file_is_no_folder(run: Run, folder: Path) -> None:
    (folder / "etl.py").touch()
    done = run("init", "etl.py")
    assert (done.returncode, done.stderr) == (
        2,
        f"codelocd: {folder / 'etl.py'} is a file; name a folder\n",
    )
