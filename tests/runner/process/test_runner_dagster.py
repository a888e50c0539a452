"""What the snapshot keeps of Dagster's definitions, of real releases in their environments."""

from __future__ import annotations

import json

import pytest

EVERYWHERE = '''
import dagster as dg

daily = dg.DailyPartitionsDefinition("2024-01-01")

@dg.asset(group_name="raw", compute_kind="csv", code_version="v1", partitions_def=daily,
          metadata={"rows": 3, "notes": dg.MetadataValue.md("# Hi"), "odd": float("nan")},
          auto_materialize_policy=dg.AutoMaterializePolicy.eager())
def raw_orders():
    """As they come."""

@dg.asset(deps=[raw_orders, dg.AssetKey(["elsewhere", "customers"])], key_prefix=["mart"],
          required_resource_keys={"warehouse"})
def orders(): ...

@dg.asset(partitions_def=dg.MultiPartitionsDefinition(
    {"day": daily, "shop": dg.StaticPartitionsDefinition(["a", "b"])}))
def by_shop(): ...

@dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="files"))
def by_file(): ...

@dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right", deps=["left"])])
def both(): ...

@dg.observable_source_asset
def seen():
    return dg.DataVersion("1")

@dg.asset_check(asset=orders)
def not_empty():
    return dg.AssetCheckResult(passed=True)

@dg.op(config_schema={"rows": int, "dry": dg.Field(bool, is_required=False)})
def take():
    return 1

@dg.op
def give(rows): ...

@dg.job(description="By hand.", tags={"team": "x"})
def refresh():
    give(take())

nightly = dg.define_asset_job("nightly", selection=["raw_orders"])

@dg.schedule(cron_schedule="0 6 * * *", job=refresh, execution_timezone="Europe/Berlin",
             default_status=dg.DefaultScheduleStatus.RUNNING)
def every_morning(context): ...

@dg.sensor(job=refresh, minimum_interval_seconds=60)
def on_new_file(context): ...

class Warehouse(dg.ConfigurableResource):
    url: str
    password: str
    more: dict

@dg.resource(config_schema={"dsn": str})
def older(context): ...

defs = dg.Definitions(
    assets=[raw_orders, orders, by_shop, by_file, both, seen, dg.SourceAsset("theirs")],
    asset_checks=[not_empty], jobs=[refresh, nightly], schedules=[every_morning],
    sensors=[on_new_file],
    resources={
        "warehouse": Warehouse(
            url=dg.EnvVar("WAREHOUSE_URL"), password="hunter2", more={"token": "hunter3"}),
        "older": older.configured({"dsn": "hunter4"}), "limit": 10,
    },
)
'''


@pytest.fixture(scope="module", params=["newest", "1.9", "1.5"])
def shop(request, dagster_environment, start_once, tmp_path_factory):
    """The definitions of EVERYWHERE by kind and name, from every release on its own Python."""
    python = dagster_environment(request.param) / "bin" / "python"
    file = tmp_path_factory.mktemp("dagster") / "shop.py"
    file.write_text(EVERYWHERE)
    content = start_once(str(python), file).load()
    assert "problem" not in content, content["problem"]["detail"]
    assert content["loader"] == "dagster"
    return {(one["kind"], one["name"]): one for one in content["definitions"]}


def test_everything_a_location_defines_is_listed_and_no_stub_that_dagster_makes_up(shop):
    names = {name for kind, name in shop if kind == "asset"}
    assert names == {
        *("raw_orders", "mart/orders", "by_shop", "by_file", "left", "right", "seen", "theirs"),
    }
    others = {(kind, name) for kind, name in shop if kind != "asset"}
    assert others - {("sensor", "default_automation_condition_sensor")} == {
        ("asset_check", "not_empty"),
        ("job", "nightly"),
        ("job", "refresh"),
        ("resource", "limit"),
        ("resource", "older"),
        ("resource", "warehouse"),
        ("schedule", "every_morning"),
        ("sensor", "on_new_file"),
    }
    assert {one["repository"] for one in shop.values()} == {"__repository__"}


def test_an_asset_keeps_what_its_author_said(shop):
    raw = shop["asset", "raw_orders"]
    assert (raw["group"], raw["kinds"], raw["description"]) == ("raw", ["csv"], "As they come.")
    assert (raw["code_version"], raw["deps"]) == ("v1", [])
    assert raw["metadata"] == {"rows": 3, "notes": "# Hi", "odd": "nan"}
    assert raw["source"]["file"].endswith("shop.py")
    assert raw["source"]["line"] == 6
    assert raw["automation"]
    orders = shop["asset", "mart/orders"]
    assert orders["key"] == ["mart", "orders"]
    assert orders["deps"] == [["elsewhere", "customers"], ["raw_orders"]]
    assert (orders["resources"], orders["checks"]) == (["warehouse"], ["not_empty"])
    assert (orders["automation"], orders["partitions"]) == (None, None)
    assert shop["asset", "right"]["deps"] == [["left"]]


def test_partitions_are_told_by_their_type(shop):
    day = shop["asset", "raw_orders"]["partitions"]
    assert (day["type"], day["cron"], day["timezone"]) == ("time_window", "0 0 * * *", "UTC")
    assert (day["start"][:10], day["end"], day["format"]) == ("2024-01-01", None, "%Y-%m-%d")
    assert shop["asset", "by_shop"]["partitions"] == {
        "type": "multi",
        "dimensions": {"day": day, "shop": {"type": "static", "keys": ["a", "b"], "count": 2}},
    }
    assert shop["asset", "by_file"]["partitions"] == {"type": "dynamic", "name": "files"}


def test_what_a_location_does_not_make_itself_is_external(shop):
    external = {name for kind, name in shop if shop[kind, name].get("external")}
    assert external == {"seen", "theirs"}
    assert shop["asset", "left"]["execution_type"] == "MATERIALIZATION"
    assert shop["asset", "seen"]["execution_type"] == "OBSERVATION"
    assert shop["asset", "theirs"]["execution_type"] == "UNEXECUTABLE"


def test_a_check_belongs_to_its_asset(shop):
    check = shop["asset_check", "not_empty"]
    assert (check["key"], check["blocking"]) == (["mart", "orders"], False)


def test_jobs_tell_their_assets_or_their_ops_and_how_those_hang_together(shop):
    assert shop["job", "nightly"]["assets"] == [["raw_orders"]]
    assert shop["job", "nightly"]["partitions"]["type"] == "time_window"
    job = shop["job", "refresh"]
    assert job["ops"] == ["give", "take"]
    assert job["graph"] == {"give": ["take"], "take": []}
    assert (job["description"], job["tags"]) == ("By hand.", {"team": "x"})
    assert job["config_schema"] == {
        "take": {
            "rows": {"type": "Int", "required": True},
            "dry": {"type": "Bool", "required": False},
        }
    }


def test_schedules_and_sensors_tell_when_what_and_whether(shop):
    schedule = shop["schedule", "every_morning"]
    assert (schedule["cron"], schedule["timezone"]) == ("0 6 * * *", "Europe/Berlin")
    assert (schedule["job"], schedule["default_status"]) == ("refresh", "RUNNING")
    assert schedule["target"] == {"jobs": ["refresh"], "assets": None}
    sensor = shop["sensor", "on_new_file"]
    assert (sensor["minimum_interval"], sensor["job"]) == (60, "refresh")
    assert (sensor["sensor_type"], sensor["default_status"]) == ("STANDARD", "STOPPED")


def test_resources_tell_types_fields_and_variables_and_never_a_value(shop):
    warehouse = shop["resource", "warehouse"]
    assert warehouse["type"] == "shop.Warehouse"
    assert warehouse["fields"] == ["more", "password", "url"]
    assert warehouse["variables"] == ["WAREHOUSE_URL"]
    assert shop["resource", "older"]["type"] == "shop.older"
    assert shop["resource", "limit"]["type"] == "builtins.int"
    assert "hunter" not in json.dumps(list(shop.values()))


def test_tags_owners_and_kinds_are_the_authors_own(run, dagster_environment):
    source = (
        "import dagster as dg\n"
        "@dg.asset(kinds={'csv', 'duckdb'}, owners=['team:data'], tags={'tier': '1'},\n"
        "          automation_condition=dg.AutomationCondition.eager())\n"
        "def one(): ...\n"
        "stub = dg.AssetSpec('described_only')\n"
        "@dg.schedule(cron_schedule=['0 6 * * *', '0 7 * * *'], target=[one])\n"
        "def often(): ...\n"
        "defs = dg.Definitions(assets=[one, stub], schedules=[often])\n"
    )
    found = run(str(dagster_environment("newest") / "bin" / "python"), source).load()
    by_name = {each["name"]: each for each in found["definitions"]}
    one = by_name["one"]
    assert (one["kinds"], one["owners"], one["tags"]) == (
        ["csv", "duckdb"],
        ["team:data"],
        {"tier": "1"},
    )
    assert one["automation"] == "eager"
    assert by_name["described_only"]["external"] is True
    assert by_name["often"]["cron"] == ["0 6 * * *", "0 7 * * *"]
    assert (by_name["often"]["job"], by_name["often"]["target"]["jobs"]) == (None, [])
    assert "one" in by_name["often"]["target"]["assets"]
