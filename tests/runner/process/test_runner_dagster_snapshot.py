"""What Dagster's own representation keeps beyond the essentials, of real releases."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest

EVERYWHERE = """
import dagster as dg

daily = dg.DailyPartitionsDefinition("2024-01-01")
by_shop = dg.MultiPartitionsDefinition({"day": daily, "shop": dg.StaticPartitionsDefinition(["a"])})
yesterday = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

@dg.asset(partitions_def=daily, backfill_policy=dg.BackfillPolicy.single_run())
def raw(): ...

@dg.asset(partitions_def=daily, backfill_policy=dg.BackfillPolicy.multi_run(5),
          deps=["plain", dg.AssetDep("raw", partition_mapping=yesterday)])
def shifted(): ...

@dg.asset(ins={"raw": dg.AssetIn(partition_mapping=dg.LastPartitionMapping())})
def newest(raw): ...

@dg.asset(partitions_def=by_shop, deps=[dg.AssetDep(
    "shops", partition_mapping=dg.MultiPartitionMapping(
        {"day": dg.DimensionPartitionMapping("day", yesterday)}))])
def nested(): ...

@dg.asset(partitions_def=by_shop)
def shops(): ...

@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a"]), deps=[dg.AssetDep(
    "plain", partition_mapping=dg.StaticPartitionMapping({"a": {"y", "x"}}))])
def by_name(): ...

@dg.asset
def plain(): ...

@dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right")])
def together(): ...

@dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two")], can_subset=True)
def by_choice(): ...

@dg.op
def fetch():
    return 1

@dg.op
def clean(rows):
    return rows

@dg.graph
def fetched():
    return clean(fetch())

of_graph = dg.AssetsDefinition.from_graph(fetched)

@dg.asset_sensor(asset_key=dg.AssetKey("raw"), job_name="preset")
def on_raw(context, event): ...

@dg.job(config={"ops": {"take": {"config": {"password": "hunter5"}}}})
def preset():
    @dg.op(config_schema={"password": str})
    def take(): ...
    take()

@dg.schedule(cron_schedule="0 6 * * *", job_name="preset",
             environment_vars={"SECRET": "hunter6"})
def every_morning(context): ...

@dg.asset_check(asset=raw)
def raw_is_whole():
    return dg.AssetCheckResult(passed=True)

@dg.asset_check(asset=plain)
def plain_is_whole():
    return dg.AssetCheckResult(passed=True)

raw_only = dg.define_asset_job("raw_only", selection=["raw"])

class Connection(dg.ConfigurableResource):
    url: str
    timeout: int = 3

class Warehouse(dg.ConfigurableResource):
    shared: Connection
    own: Connection

@dg.resource(required_resource_keys={"connection"}, config_schema={"dsn": str})
def older(context): ...

connection = Connection(url=dg.EnvVar("URL"))
defs = dg.Definitions(
    assets=[by_name, raw, shifted, newest, nested, shops, plain, together, by_choice, of_graph],
    asset_checks=[raw_is_whole, plain_is_whole], jobs=[preset, raw_only],
    schedules=[every_morning], sensors=[on_raw],
    resources={"connection": connection,
               "warehouse": Warehouse(shared=connection, own=Connection(url="hunter7")),
               "older": older.configured({"dsn": "hunter8"}), "limit": 3},
)
"""


@pytest.fixture(scope="module", params=["newest", "1.9", "1.5"])
def found(request, dagster_environment, start_once, tmp_path_factory):
    """The definitions of EVERYWHERE by kind and name, from every release on its own Python."""
    python = dagster_environment(request.param) / "bin" / "python"
    file = tmp_path_factory.mktemp("dagster") / "whole.py"
    file.write_text(EVERYWHERE)
    content = start_once(str(python), file).load()
    assert "problem" not in content, content["problem"]["detail"]
    return {(one["kind"], one["name"]): one for one in content["definitions"]}


def test_how_an_asset_is_filled_in_afterwards_is_told(found):
    assert found["asset", "raw"]["backfill_policy"] == {
        "type": "single_run",
        "max_partitions_per_run": None,
    }
    assert found["asset", "shifted"]["backfill_policy"] == {
        "type": "multi_run",
        "max_partitions_per_run": 5,
    }
    assert found["asset", "plain"]["backfill_policy"] is None


YESTERDAY = {
    "type": "TimeWindowPartitionMapping",
    "start_offset": -1,
    "end_offset": -1,
    "allow_nonexistent_upstream_partitions": False,
}


def test_a_dependency_keeps_the_mapping_of_partitions_that_it_was_given(found):
    assert found["asset", "shifted"]["deps"] == [["plain"], ["raw"]]
    assert found["asset", "shifted"]["partition_mappings"] == [{"asset": ["raw"], **YESTERDAY}]
    assert found["asset", "newest"]["partition_mappings"] == [
        {"asset": ["raw"], "type": "LastPartitionMapping"}
    ]
    [nested] = found["asset", "nested"]["partition_mappings"]
    assert nested["downstream_mappings_by_upstream_dimension"]["day"] == {
        "type": "DimensionPartitionMapping",
        "dimension_name": "day",
        "partition_mapping": YESTERDAY,
    }
    [by_name] = found["asset", "by_name"]["partition_mappings"]
    assert by_name["downstream_partition_keys_by_upstream_partition_key"] == {"a": ["x", "y"]}
    assert found["asset", "raw"]["partition_mappings"] == []


def test_assets_of_one_function_are_a_set(found):
    whole = {"name": "left", "can_subset": False}
    assert found["asset", "left"]["execution_set"] == whole
    assert found["asset", "right"]["execution_set"] == whole
    assert found["asset", "two"]["execution_set"] == {"name": "one", "can_subset": True}
    assert found["asset", "plain"]["execution_set"] is None


def test_an_asset_names_its_op_or_its_graph_and_the_ops_of_that(found):
    right = found["asset", "right"]
    assert (right["op"], right["graph"], right["ops"]) == ("together", None, [])
    graph = found["asset", "fetched"]
    assert (graph["op"], graph["graph"], graph["ops"]) == (None, "fetched", ["clean", "fetch"])


def test_a_job_tells_which_fields_its_own_config_sets_and_no_value(found):
    assert found["job", "preset"]["preset"] == ["ops.take.config.password"]
    assert found["job", "raw_only"]["preset"] == []


def test_a_job_tells_which_checks_it_runs(found):
    assert found["job", "raw_only"]["checks"] == [{"key": ["raw"], "name": "raw_is_whole"}]
    assert found["job", "preset"]["checks"] == []


def test_schedules_and_sensors_tell_variables_and_the_asset_they_wait_for(found):
    assert found["schedule", "every_morning"]["variables"] == ["SECRET"]
    assert found["sensor", "on_raw"]["watches"] == [["raw"]]


def test_a_resource_tells_which_resources_are_in_it(found):
    warehouse = found["resource", "warehouse"]
    assert warehouse["nested"] == {
        "shared": {"resource": "connection", "type": "whole.Connection"},
        "own": {"resource": None, "type": "whole.Connection"},
    }
    assert found["resource", "older"]["nested"] == {
        "connection": {"resource": "connection", "type": "whole.Connection"}
    }
    assert found["resource", "limit"]["nested"] == {}


def test_a_resource_tells_the_types_of_its_fields_those_with_a_value_included(found):
    assert found["resource", "connection"]["config_schema"] == {
        "url": {"type": "String", "required": True},
        "timeout": {"type": "Int", "required": False},
    }
    assert found["resource", "older"]["fields"] == ["dsn"]
    assert "hunter" not in json.dumps(list(found.values()))


def load(run, python, source):
    content = run(str(python / "bin" / "python"), "import dagster as dg\n" + source).load()
    assert "problem" not in content, content["problem"]["detail"]
    return {each["name"]: each for each in content["definitions"]}


LIMITED = """
@dg.asset(pool="warehouse")
def one(): ...
@dg.op(pool="api")
def fetch():
    return 1
@dg.graph
def fetched():
    return fetch()
@dg.job
def refresh():
    fetch()
daily = dg.DailyPartitionsDefinition("2024-01-01")
@dg.asset(partitions_def=daily, backfill_policy=dg.BackfillPolicy.single_run())
def filled(): ...
nightly = dg.define_asset_job("nightly", selection=[filled])
assets = [one, filled, dg.AssetsDefinition.from_graph(fetched)]
defs = dg.Definitions(assets=assets, jobs=[refresh, nightly])
"""


def test_assets_and_jobs_tell_pools_and_how_they_are_filled_in(run_warm, dagster_environment):
    found = load(run_warm, dagster_environment("newest"), LIMITED)
    assert (found["one"]["pools"], found["fetched"]["pools"]) == (["warehouse"], ["api"])
    assert found["refresh"]["pools"] == {"fetch": "api"}
    assert found["nightly"]["backfill_policy"]["type"] == "single_run"


FRESH = """
from datetime import timedelta
hours = lambda number: timedelta(hours=number)
@dg.asset(freshness_policy=dg.FreshnessPolicy.time_window(hours(24), warn_window=hours(12)))
def window(): ...
@dg.asset(freshness_policy=dg.FreshnessPolicy.cron("0 9 * * *", hours(1), timezone="Europe/Berlin"))
def morning(): ...
@dg.asset
def whenever(): ...
@dg.asset_check(asset=window, automation_condition=dg.AutomationCondition.eager(),
                partitions_def=dg.DailyPartitionsDefinition("2024-01-01"))
def not_empty():
    return dg.AssetCheckResult(passed=True)
when = dg.AutomationCondition
@dg.asset(automation_condition=when.missing() & ~when.in_progress())
def composed(): ...
auto = dg.AutomationConditionSensorDefinition("auto", target="*", run_tags={"team": "x"})
view = dg.AssetSpec("view", is_virtual=True)
assets = [window, morning, whenever, composed, view]
defs = dg.Definitions(assets=assets, asset_checks=[not_empty], sensors=[auto])
"""


def test_what_only_new_releases_keep_is_told(run_warm, dagster_environment):
    found = load(run_warm, dagster_environment("newest"), FRESH)
    check = found["not_empty"]
    assert (check["automation"], check["partitions"]["type"]) == ("eager", "time_window")
    assert found["composed"]["automation"].startswith("AND(missing, NOT(")
    assert found["auto"]["run_tags"] == {"team": "x"}
    assert (found["view"]["virtual"], found["window"]["virtual"]) == (True, False)


def test_how_fresh_an_asset_is_to_be_is_told_in_seconds(run_warm, dagster_environment):
    found = load(run_warm, dagster_environment("newest"), FRESH)
    hour = timedelta(hours=1).total_seconds()
    assert found["window"]["freshness_policy"] == {
        "type": "time_window",
        "fail_window": 24 * hour,
        "warn_window": 12 * hour,
    }
    assert found["morning"]["freshness_policy"] == {
        "type": "cron",
        "deadline_cron": "0 9 * * *",
        "lower_bound": hour,
        "timezone": "Europe/Berlin",
    }
    assert found["whenever"]["freshness_policy"] is None


FORMER = """
policy = dg.FreshnessPolicy(maximum_lag_minutes=60, cron_schedule="0 9 * * *")
@dg.asset(freshness_policy=policy)
def one(): ...
@dg.observable_source_asset(auto_observe_interval_minutes=5)
def seen():
    return dg.DataVersion("1")
defs = dg.Definitions(assets=[one, seen])
"""


@pytest.mark.parametrize("release", ["1.9", "1.5"])
def test_what_only_former_releases_keep_is_told_of_them(run_warm, dagster_environment, release):
    found = load(run_warm, dagster_environment(release), FORMER)
    assert (found["seen"]["observed_every"], found["one"]["observed_every"]) == (300, None)
    one = found["one"]
    assert one["freshness_policy"]["type"] == "maximum_lag"
    assert one["freshness_policy"]["maximum_lag"] == 3600
    assert one["freshness_policy"]["cron"] == "0 9 * * *"
    assert one["pools"] == []


LIBRARY = """
class DbtProject:
    def __init__(self, folder):
        self.project_dir = self.profiles_dir = folder
        self.manifest_path = folder / "target" / "manifest.json"
"""
"""Stands for dagster-dbt; a slow test has the real one."""

OF_DBT = """
from pathlib import Path
import dagster as dg
from dagster_dbt.dbt_project import DbtProject

project = DbtProject(Path(__file__).parent / "shop [old]")
{then}
defs = dg.Definitions()
"""


@pytest.mark.parametrize("then", ["project.manifest_path.touch()", "raise OSError('no parser')"])
def test_the_sources_of_a_dbt_project_are_watched_also_when_it_does_not_load(
    run_warm, dagster_environment, code, then
):
    """The manifest is none of them: the load itself has written it, or should have."""
    folder = with_dbt(code)
    (folder / "dbt_project.yml").write_text("name: shop\nmodel-paths: [marts]\n")
    content = run_warm(
        str(dagster_environment("newest") / "bin" / "python"), OF_DBT.format(then=then)
    )
    watched = content.load()["watch"]
    where = str(code / "shop [[]old]")
    assert {f"{where}/marts/**", f"{where}/macros/**", f"{where}/dbt_project.yml"} <= set(watched)
    assert not any("manifest.json" in each or "target" in each for each in watched)


def test_a_manifest_that_somebody_else_has_made_is_watched_in_place_of_the_models(
    run_warm, dagster_environment, code
):
    manifest = with_dbt(code) / "target" / "manifest.json"
    manifest.touch()
    os.utime(manifest, (1, 1))
    content = run_warm(
        str(dagster_environment("newest") / "bin" / "python"), OF_DBT.format(then="")
    )
    watched = content.load()["watch"]
    assert f"{code}/shop [[]old]/target/manifest.json" in watched
    assert not any("models" in each for each in watched)


def with_dbt(code):
    """A library and a dbt project beside the code; the folder of the project."""
    (code / "dagster_dbt").mkdir()
    (code / "dagster_dbt" / "dbt_project.py").write_text(LIBRARY)
    folder = code / "shop [old]"
    (folder / "target").mkdir(parents=True)
    return folder
