"""Dagster's definitions, unmodified, with a real Dagster in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".cache" / "dagster"
PREAMBLE = "import dagster as dg\n"
SHOP = (
    PREAMBLE
    + '''
@dg.asset(group_name="raw", kinds={"csv"}, owners=["team:data"], tags={"tier": "1"})
def raw_orders():
    """As they come."""

@dg.asset(deps=[raw_orders, dg.AssetKey(["elsewhere", "customers"])],
          required_resource_keys={"warehouse"}, key_prefix=["mart"], metadata={"rows": 3})
def orders(): ...

@dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right", deps=["left"])])
def both(): ...

@dg.asset_check(asset=orders)
def not_empty():
    return dg.AssetCheckResult(passed=True)

described = dg.AssetSpec("described_only")

@dg.op
def work(): ...

@dg.job(description="By hand.")
def refresh():
    work()

nightly = dg.define_asset_job("nightly", selection=["raw_orders"])

@dg.schedule(cron_schedule="0 6 * * *", job=refresh, execution_timezone="Europe/Berlin")
def every_morning(context): ...

@dg.sensor(job=refresh, minimum_interval_seconds=60)
def on_new_file(context): ...

class Warehouse(dg.ConfigurableResource):
    url: str

defs = dg.Definitions(
    assets=[raw_orders, orders, both, described], asset_checks=[not_empty],
    jobs=[refresh, nightly], schedules=[every_morning], sensors=[on_new_file],
    resources={"warehouse": Warehouse(url=dg.EnvVar("WAREHOUSE_URL")), "limit": 10},
)
'''
)


@pytest.fixture(scope="session")
def dagster() -> str:
    """An interpreter with Dagster, built once and kept for later runs."""
    python = CACHE / "bin" / "python"
    if not (CACHE / "ready").exists():
        uv = shutil.which("uv", path=str(ROOT / ".venv" / "bin")) or shutil.which("uv")
        if uv is None:
            pytest.skip("no uv: an environment with dagster cannot be built")
        for command in (
            ["venv", "--clear", str(CACHE)],
            ["pip", "install", "--python", str(python), "dagster"],
        ):
            done = subprocess.run([uv, *command], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"an environment with dagster cannot be built: {done.stderr.strip()}")
        (CACHE / "ready").touch()
    return str(python)


@pytest.fixture(scope="module")
def shop(dagster, starters, tmp_path_factory):
    """The definitions of SHOP, by kind and name."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "shop.py").write_text(SHOP)
    starter = starters(folder)
    try:
        content = starter(dagster, folder / "shop.py").load()
        assert "problem" not in content, content["problem"]["detail"]
        assert content["loader"] == "dagster"
        return {(one["kind"], one["name"]): one for one in content["definitions"]}
    finally:
        starter.end()


def test_everything_a_location_defines_is_listed_and_nothing_dagster_makes_up(shop):
    assert sorted(shop) == [
        ("asset", "described_only"),
        ("asset", "left"),
        ("asset", "mart/orders"),
        ("asset", "raw_orders"),
        ("asset", "right"),
        ("asset_check", "not_empty"),
        ("job", "nightly"),
        ("job", "refresh"),
        ("resource", "limit"),
        ("resource", "warehouse"),
        ("schedule", "every_morning"),
        ("sensor", "on_new_file"),
    ]
    assert {one["repository"] for one in shop.values()} == {"__repository__"}


def test_an_asset_keeps_what_its_author_said(shop):
    raw = shop["asset", "raw_orders"]
    assert (raw["group"], raw["kinds"], raw["owners"]) == ("raw", ["csv"], ["team:data"])
    assert (raw["tags"], raw["description"]) == ({"tier": "1"}, "As they come.")
    assert raw["source"]["file"].endswith("shop.py")
    assert raw["source"]["line"] == 3
    orders = shop["asset", "mart/orders"]
    assert orders["key"] == ["mart", "orders"]
    assert orders["deps"] == [["elsewhere", "customers"], ["raw_orders"]]
    assert (orders["resources"], orders["metadata"]) == (["warehouse"], {"rows": 3})
    assert shop["asset", "right"]["deps"] == [["left"]]


def test_an_asset_that_is_only_described_is_external(shop):
    external = {name for kind, name in shop if shop[kind, name].get("external")}
    assert external == {"described_only"}


def test_a_check_belongs_to_its_asset(shop):
    assert shop["asset_check", "not_empty"]["key"] == ["mart", "orders"]


def test_jobs_tell_their_assets_or_ops(shop):
    assert shop["job", "nightly"]["assets"] == [["raw_orders"]]
    assert shop["job", "refresh"]["ops"] == ["work"]
    assert shop["job", "refresh"]["description"] == "By hand."


def test_schedules_and_sensors_tell_when_and_what(shop):
    schedule = shop["schedule", "every_morning"]
    assert schedule["cron"] == "0 6 * * *"
    assert (schedule["timezone"], schedule["job"]) == ("Europe/Berlin", "refresh")
    sensor = shop["sensor", "on_new_file"]
    assert (sensor["minimum_interval"], sensor["job"]) == (60, "refresh")


def test_resources_tell_types_and_variables_never_values(shop):
    assert shop["resource", "warehouse"]["type"] == "shop.Warehouse"
    assert shop["resource", "warehouse"]["variables"] == ["WAREHOUSE_URL"]
    assert shop["resource", "limit"]["type"] == "builtins.int"


def test_a_module_of_assets_alone_loads_them(run, dagster):
    source = PREAMBLE + "@dg.asset\ndef one(): ...\nmore = [dg.AssetSpec('two')]\n"
    assert run(dagster, source).assets() == ["one"]


def test_one_job_alone_is_a_repository_of_its_own(run, dagster):
    source = PREAMBLE + "@dg.op\ndef work(): ...\n@dg.job\ndef only():\n    work()\n"
    (found,) = run(dagster, source).load()["definitions"]
    assert (found["kind"], found["repository"]) == ("job", "__repository__only")


def test_repositories_keep_their_names(run, dagster):
    source = PREAMBLE + (
        "@dg.asset\ndef one(): ...\n"
        "@dg.repository\ndef first():\n    return [one]\n"
        "@dg.repository\ndef second():\n    return [one]\n"
    )
    found = run(dagster, source).load()["definitions"]
    assert [one["repository"] for one in found] == ["first", "second"]


def test_lazy_definitions_win_over_the_objects_beside_them(run, dagster):
    source = PREAMBLE + (
        "@dg.asset\ndef one(): ...\n"
        "other = dg.Definitions()\n"
        "@dg.definitions\ndef defs():\n    return dg.Definitions(assets=[one])\n"
    )
    assert run(dagster, source).assets() == ["one"]


def test_two_definitions_objects_are_one_too_many_and_one_under_two_names_is_one(run, dagster):
    source = PREAMBLE + "defs = dg.Definitions()\nother_defs = {}\n"
    assert run(dagster, source.format("defs")).assets() == []
    problem = run(dagster, source.format("dg.Definitions()"), "again.py").problem()
    assert problem["summary"] == (
        "Cannot have more than one Definitions object defined at module scope. "
        "Found: defs, other_defs"
    )


def test_two_jobs_without_definitions_are_told_with_what_to_do(run, dagster):
    source = (
        PREAMBLE + "@dg.op\ndef o(): ...\n@dg.job\ndef j():\n    o()\n@dg.job\ndef k():\n    o()\n"
    )
    problem = run(dagster, source).problem()
    assert problem["summary"].endswith("Found: j, k; add defs = Definitions(jobs=[j, k])")


def test_errors_that_show_only_when_all_is_resolved_are_load_errors(run, dagster):
    source = PREAMBLE + (
        "job = dg.define_asset_job('nightly', selection=['nothing'])\n"
        "defs = dg.Definitions(jobs=[job])\n"
    )
    assert "nothing" in run(dagster, source).problem()["detail"]


def test_a_folder_of_definitions_is_loaded_by_itself(start, code, dagster):
    (code / "shop" / "defs").mkdir(parents=True)
    (code / "pyproject.toml").write_text("")  # how Dagster knows the project's root
    (code / "shop" / "__init__.py").write_text("")
    (code / "shop" / "defs" / "__init__.py").write_text("")
    (code / "shop" / "defs" / "parts.py").write_text(
        "import dagster as dg\n@dg.asset\ndef one(): ...\n"
    )
    runner = start(dagster, "shop.defs", kind="autoload_defs_module", directory=code)
    assert runner.assets() == ["one"]
    assert str(code / "shop" / "defs" / "parts.py") in runner.load()["sources"]


def test_definitions_of_codeloc_beside_dagsters_are_two(run, dagster):
    source = PREAMBLE + "import codeloc\na = dg.Definitions()\nb = codeloc.Definitions()\n"
    assert run(dagster, source).problem()["summary"] == (
        "Cannot have more than one Definitions object defined at module scope. "
        "Found: one of codeloc, one of dagster"
    )


def test_without_dagster_a_folder_cannot_be_loaded_by_itself(start, code, extreme):
    (code / "shop.py").write_text("")
    problem = start(extreme, "shop", kind="autoload_defs_module", directory=code).problem()
    assert problem["summary"].startswith("autoload_defs_module needs a Dagster with")
