"""A real dbt project under a real dagster-dbt: it loads, and a saved model is a change."""

from __future__ import annotations

import pytest

from benchmarks.dagster_dbt import ASSETS, COMPONENT, DEFINITIONS
from tests.end_to_end.daemons import serving, stale

DBT = {
    "dbt_project.yml": "name: shop\nversion: '1.0'\nprofile: shop\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
    "models/orders.sql": "select id, day from {{ source('raw', 'orders') }}\n",
    "models/days.sql": "select day, count(*) as orders from {{ ref('orders') }} group by day\n",
    "models/schema.yml": """
version: 2
sources: [{name: raw, tables: [{name: orders}]}]
models:
  - name: orders
    columns: [{name: id, data_type: int, description: Which one, tests: [unique, not_null]}]
""",
}

CONFIG = """
[location.shop]
{target}
start_timeout = "600s"
[location.shop.environment]
path = "{environment}"
"""


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def as_assets(project):
    write(project, {"defs.py": ASSETS})
    return 'python_file = "defs.py"'


def as_component(project):
    package = "[project]\nname = 'x'\nversion = '0'\n"
    files = {"__init__.py": "", "definitions.py": DEFINITIONS, "defs/dbt/defs.yaml": COMPONENT}
    write(project / "shop_defs", files)
    dg = "[tool.dg]\ndirectory_type = 'project'\n[tool.dg.project]\nroot_module = 'shop_defs'\n"
    write(project, {"pyproject.toml": package + dg})
    return 'module = "shop_defs.definitions"'


@pytest.mark.slow
@pytest.mark.timeout(1200)  # dbt is started three times
@pytest.mark.parametrize("way", [as_assets, as_component])
def test_a_dbt_project_loads_and_a_saved_model_is_seen_once(
    way, dev, project, dagster_environment, monkeypatch
):
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    write(project / "shop", DBT)
    config = CONFIG.format(target=way(project), environment=dagster_environment("dbt"))
    (project / "codelocd.toml").write_text(config)
    daemon = dev()
    daemon.until("shop", serving)
    found = {each["name"]: each for each in daemon.json("definitions")["definitions"]}
    orders = found["orders"]
    assert (found["days"]["deps"], orders["deps"]) == ([["orders"]], [["raw", "orders"]])
    assert orders["checks"] == ["not_null_orders_id", "unique_orders_id"]
    assert orders["metadata"]["dagster/table_name"] == "shop.main.orders"
    assert orders["metadata"]["dagster/column_schema"]["columns"][0]["name"] == "id"
    assert orders["metadata"]["dagster_dbt/manifest"] == "[DbtManifestWrapper] (unserializable)"
    assert " at 0x" not in str(found)

    generation = daemon.entry("shop")["generation"]
    model = project / "shop" / "models" / "fresh.sql"
    model.write_text("select {{ broken")
    daemon.until("shop", stale)
    model.write_text("select * from {{ ref('days') }}\n")
    daemon.until("shop", lambda each: serving(each) and each["generation"] > generation)
    daemon.until_printed("+ asset shop/fresh")  # the location's name, then the asset's
    assert daemon.entry("shop")["generation"] == generation + 1
    assert not [line for line in daemon.printed if "~ asset" in line], (
        "what no one has edited does not look changed"
    )
    causes = [line for line in daemon.printed if line.endswith("changed)")]
    others = [line for line in causes if "models/fresh.sql changed" not in line]
    assert causes, "each reload says what it comes from"
    assert not others, "what a load writes itself is no change"
