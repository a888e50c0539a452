"""The integrations of Dagster that are used most: a small project of each, in its own environment.

`pytest -m slow -s tests/end_to_end/dagster/test_integrations.py` prints the rows of the table in
docs/dagster.md. The environments are built by codelocd's own store, and kept for later runs.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import Dev, StartDev, serving
from tests.end_to_end.dagster.integrations import INTEGRATIONS, LISTING

CONFIG = """
[dagster]
serve = true
page = false
[location.shop]
python_file = "defs.py"
start_timeout = "600s"
environment = {{ python = "3.12", packages = {packages} }}
"""
FRESH = """
@dg.asset
def {0}(): ...

defs = dg.Definitions.merge(defs, dg.Definitions(assets=[{0}]))
"""
NOT_YET = "no warm interpreter was ready"
PATIENCE = 900.0
"""Seconds for one of these environments to be built, or for its interpreter to be warm."""


@pytest.fixture(scope="module")
def rows() -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    print("\n| integration | releases | definitions | starts by | from which save on | because |")
    print("|---|---|---|---|---|---|", *rows, sep="\n")


@pytest.fixture
def daemon(name: str, dev: StartDev, project: Path, monkeypatch) -> Dev:
    for variable in ("DO_NOT_TRACK", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(variable, "1")
    integration = INTEGRATIONS[name]
    for path, text in integration.files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    packages = json.dumps(["dagster", *integration.packages])
    (project / "codelocd.toml").write_text(CONFIG.format(packages=packages))
    return dev()


@pytest.mark.slow
@pytest.mark.timeout(3 * PATIENCE)
@pytest.mark.parametrize("name", INTEGRATIONS)
def test_an_integration_loads_as_in_dagster_and_a_save_is_served_from_what_is_warm(
    name: str, daemon: Dev, project: Path, rows: list[str]
) -> None:
    entry = daemon.until("shop", lambda each: each["problem"] is not None or serving(each))
    if (entry["problem"] or {}).get("kind") == "environment":
        pytest.skip(f"the environment cannot be built: {entry['problem']['summary']}")
    assert entry["problem"] is None, entry["problem"]
    prefix = Path(daemon.json("show", "shop")["environment"]["path"])
    found = daemon.json("definitions")["definitions"]
    assert told(found) == dagsters(prefix, project)
    method, why, saves = until_warm(daemon, project / "defs.py")
    releases = ", ".join(release(prefix, each) for each in INTEGRATIONS[name].shown)
    rows.append(f"| {name} | {releases} | {len(found)} | {method} | {saves} | {why} |")
    assert (method, why) == ("fork", "nothing that it imports forbids it")
    start = daemon.status()["daemon"]["dagster"]["starts"]["shop"]
    assert start["start_method"] == method
    changed = [line for line in daemon.printed if re.search(r" ~ \w+ shop/", line)]
    assert not changed, "what no one has edited does not look changed"


def until_warm(daemon: Dev, file: Path) -> tuple[str, str, int]:
    """How the first save was loaded for which something warm could be ready, why so, and which
    save that was.
    """
    text, end = file.read_text(), time.monotonic() + PATIENCE
    for number in itertools.count(1):
        file.write_text(text + FRESH.format(f"fresh_{number}"))
        daemon.until_printed(f"+ asset shop/fresh_{number}")
        shown = daemon.json("show", "shop")
        method, why = shown["start_method"], shown["why"]["start_method"]
        if why != NOT_YET:
            return method, why, number
        assert time.monotonic() < end, f"nothing was warm after {number} saves"
    raise AssertionError


def told(found: list[dict[str, Any]]) -> dict[str, Any]:
    """codelocd's definitions in the form of `dagsters`."""
    return {
        f"{each['kind']} {name_of(each)}": [
            sorted("/".join(key) for key in each.get("deps", ())),
            each.get("group") or "",
            sorted(each.get("kinds", ())),
        ]
        for each in found
    }


def name_of(definition: dict[str, Any]) -> str:
    """That of a check is unique for its asset alone."""
    name: str = definition["name"]
    asset = definition["key"] if definition["kind"] == "asset_check" else ()
    return ":".join(["/".join(asset), name] if asset else [name])


def dagsters(prefix: Path, project: Path) -> dict[str, Any]:
    """What Dagster itself lists for this project in the same environment."""
    command = [str(prefix / "bin" / "python"), "-c", LISTING]
    activated = os.environ | {"PATH": f"{prefix / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=project, env=activated, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    listed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return listed


def release(prefix: Path, package: str) -> str:
    """Its name and release, as they are installed."""
    [info] = prefix.glob(f"lib/*/site-packages/{package.replace('-', '_')}-*.dist-info")
    return f"{package} {info.name.removesuffix('.dist-info').rpartition('-')[2]}"
