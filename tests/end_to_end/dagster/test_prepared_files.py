"""What Dagster's components prepare at each load, which runner and code server both do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dagster_dbt import DEFINITIONS
from tests.end_to_end.daemons import serving

CONFIG = """
[dagster]
serve = true
page = false
[location.shop]
module = "shop_defs.definitions"
environment = {{ path = "{environment}" }}
env = {{ FLAGS = "{flags}" }}
"""
FETCHED = """
import json, os, sys, time
from pathlib import Path

import dagster as dg
from dagster.components import DefsStateConfig, DefsStateConfigArgs

is_server = "--socket" in sys.argv

def tell(flag):
    Path(os.environ["FLAGS"], flag).touch()

def await_(flag):
    end = time.monotonic() + 60
    while not Path(os.environ["FLAGS"], flag).exists():
        assert time.monotonic() < end, flag
        time.sleep(0.01)

class Fetched(dg.StateBackedComponent, dg.Model, dg.Resolvable):
    @property
    def defs_state_config(self):
        return DefsStateConfig.from_args(DefsStateConfigArgs.local_filesystem(), "Fetched")

    def write_state_to_path(self, state_path):
        if is_server:
            await_("written by the runner")
        with state_path.open("w") as file:
            if is_server:
                tell("emptied by the server")
                await_("read by the runner")
            file.write('["orders"]')
        tell("written by the runner")

    def build_defs_from_state(self, context, state_path):
        if not is_server:
            await_("emptied by the server")
        try:
            names = json.loads(state_path.read_text())
        finally:
            tell("read by the runner")
        return dg.Definitions(assets=[dg.AssetSpec(name) for name in names])
"""
FILES = {
    "pyproject.toml": '[project]\nname = "x"\nversion = "0"\n'
    '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop_defs"\n',
    "shop_defs/__init__.py": "",
    "shop_defs/definitions.py": DEFINITIONS,
    "shop_defs/fetched.py": FETCHED,
    "shop_defs/defs/fetched/defs.yaml": "type: shop_defs.fetched.Fetched\n",
}


@pytest.mark.slow
def test_a_runner_that_reads_what_the_code_server_is_writing_loads_again(
    dev, project: Path, tmp_path: Path, dagster_environment
):
    for name, text in FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (tmp_path / "flags").mkdir()
    config = CONFIG.format(environment=dagster_environment("newest"), flags=tmp_path / "flags")
    (project / "codelocd.toml").write_text(config)
    daemon = dev()
    entry = daemon.until("shop", lambda each: each["problem"] is not None or serving(each))
    assert entry["problem"] is None, entry["problem"]
    assert daemon.definitions() == ["asset orders"]
    assert daemon.json("show", "shop")["why"]["start_method"] == (
        "the code server loaded what the runner could not, at the same time and from the same "
        "files; it was started again on its own"
    )
    assert daemon.status()["daemon"]["dagster"]["servers"].keys() == {"shop"}
