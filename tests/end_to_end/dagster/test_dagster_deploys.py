"""Dagster's projects as releases, and runs that go on in the release that they began in."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.daemons import StartDev, serving, wait_for

if TYPE_CHECKING:
    from tests.end_to_end.dagster.conftest import Page

pytestmark = pytest.mark.slow

JOB = """
import time
from pathlib import Path
import dagster as dg

@dg.op
def until_told():
    while not Path({signal!r}).exists():
        time.sleep(0.05)
    import late
    assert late.RELEASE == "{asset}"

@dg.job
def long():
    until_told()

@dg.asset
def {asset}(): ...

defs = dg.Definitions(assets=[{asset}], jobs=[long])
"""


@pytest.mark.timeout(900)
def test_a_run_ends_in_its_own_release_which_stays_for_as_long(
    project: Path,
    declare: Callable[..., None],
    page: Callable[..., Page],
    tmp_path: Path,
) -> None:
    told, source = tmp_path / "told", tmp_path / "source"
    source.mkdir()
    declare(shop="newest")
    config = project / "codelocd.toml"
    config.write_text(f"[defaults]\nkeep_releases = 1\n{config.read_text()}")
    (project / "shop.py").write_text(JOB.format(signal=str(told), asset="in_place"))
    shown = page("shop")

    def deploy(asset: str) -> dict[str, Any]:
        (source / "late.py").write_text(f"RELEASE = '{asset}'\n")
        (source / "shop.py").write_text(JOB.format(signal=str(told), asset=asset))
        done = shown.dev.cli("deploy", "shop", "--source", str(source), "--json")
        assert done.returncode == 0, done.stderr
        outcome: dict[str, Any] = json.loads(done.stdout)
        shown.until(lambda: shown.assets() == {asset})
        return outcome

    first = deploy("one")["release"]
    run = shown.launch("shop", "long")
    shown.until(lambda: shown.status(run) == "STARTED")
    second = deploy("two")
    assert second["removed"] == [], "the run is in it"
    assert shown.status(run) == "STARTED"
    told.touch()
    shown.until(lambda: shown.status(run) == "SUCCESS")
    with shown.dev.client() as client:
        (known,) = client.call("releases")["locations"]
    leases = [Path(each["path"]).with_name("lease") for each in known["releases"]]
    wait_for(lambda: sum(map(is_free, leases)) == 1)  # their code servers have left
    assert deploy("three")["removed"] == [first]
    wait_for(lambda: is_free(next(each for each in leases if second["release"] in str(each))))
    assert deploy("four")["removed"] == [second["release"]]


def is_free(lease: Path) -> bool:
    """Whether no process runs the release."""
    with lease.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_a_workspace_is_deployed_like_any_config(
    project: Path, dev: StartDev, dagster_environment: Callable[[str], Path], tmp_path: Path
) -> None:
    python = dagster_environment("newest") / "bin/python"
    text = "import dagster as dg\n@dg.asset\ndef {0}(): ...\ndefs = dg.Definitions(assets=[{0}])\n"
    (project / "workspace.yaml").write_text(
        "load_from:\n- python_file:\n    relative_path: shop/defs.py\n    location_name: shop\n"
        f"    executable_path: {python}\n"
    )
    (project / "shop").mkdir()
    (project / "shop/defs.py").write_text(text.format("in_place"))
    daemon = dev()
    daemon.until("shop", serving)
    source = tmp_path / "source"
    (source / "shop").mkdir(parents=True)
    (source / "shop/defs.py").write_text(text.format("released"))
    done = daemon.cli("deploy", "shop", "--source", str(source))
    assert done.returncode == 0, done.stderr
    assert daemon.definitions("shop") == ["asset released"]
    (project / "shop/defs.py").write_text("1 / 0")
    assert daemon.cli("reload", "shop").returncode == 0
    assert daemon.definitions("shop") == ["asset released"]
