"""Small projects of the integrations of Dagster that are used most, for `test_integrations`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.dagster_dbt import ASSETS as DBT
from benchmarks.dagster_dbt import PROJECT as DBT_PROJECT


@dataclass(frozen=True, slots=True)
class Integration:
    """`packages` are installed beside dagster; `code` is its definitions file, `beside` has others
    by their paths.
    """

    packages: tuple[str, ...]
    code: str
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        return {"defs.py": f"import dagster as dg\n{self.code}", **self.beside}

    @property
    def shown(self) -> tuple[str, ...]:
        """The names of the packages without bounds and extras."""
        return ("dagster", *(re.split(r"[<>[]", name)[0] for name in self.packages))


LISTING = """
import json, sys
from importlib.util import module_from_spec, spec_from_file_location
from dagster._core.remote_representation.external_data import RepositorySnap
spec = spec_from_file_location("defs", "defs.py")
module = sys.modules["defs"] = module_from_spec(spec)
spec.loader.exec_module(module)
snap = RepositorySnap.from_def(module.defs.get_repository_def())
found = {}
def add(kind, name, deps=(), group="", kinds=()):
    deps = sorted(key.to_user_string() for key in deps)
    found[f"{kind} {name}"] = [deps, group or "", sorted(kinds)]
for each in snap.asset_nodes:
    if "dagster/auto_created_stub_asset" in each.metadata:
        continue  # it is only depended on, and defined nowhere
    tagged = [tag.partition("/kind/")[2] for tag in each.tags or () if "/kind/" in tag]
    kinds = [each.compute_kind] if each.compute_kind else tagged  # as its UI does
    deps = [edge.parent_asset_key for edge in each.parent_edges]
    add("asset", each.asset_key.to_user_string(), deps, each.group_name, kinds)
for each in snap.asset_check_nodes or ():
    add("asset_check", f"{each.asset_key.to_user_string()}:{each.name}")
for each in snap.job_datas or snap.job_refs:
    if not each.name.startswith("__"):
        add("job", each.name)
for kind, those in ("schedule", snap.schedules), ("sensor", snap.sensors):
    for each in those:
        add(kind, each.name)
for each in snap.resources or ():
    add("resource", each.name)
print(json.dumps(found))
"""

AWS = """
from dagster_aws.s3 import S3PickleIOManager, S3Resource

s3 = S3Resource(region_name="eu-west-1")

@dg.asset(group_name="raw", kinds={"s3"})
def orders(): return 1

@dg.asset
def days(orders): return orders

@dg.sensor(asset_selection=[orders])
def arrivals(context): ...

defs = dg.Definitions(
    assets=[orders, days],
    sensors=[arrivals],
    resources={"s3": s3, "io_manager": S3PickleIOManager(s3_resource=s3, s3_bucket="shop")},
)
"""
K8S = """
from dagster_k8s import PipesK8sClient, k8s_job_op

sweep = k8s_job_op.configured({"image": "busybox", "command": ["true"]}, name="sweep")

@dg.job(tags={"dagster-k8s/config": {"container_config": {"resources": {"limits": {"cpu": "1"}}}}})
def nightly():
    sweep()

@dg.asset
def orders(context, pipes: PipesK8sClient): ...

defs = dg.Definitions(assets=[orders], jobs=[nightly], resources={"pipes": PipesK8sClient()})
"""
SLACK = """
from dagster_slack import SlackResource, make_slack_on_run_failure_sensor

@dg.asset
def orders(slack: SlackResource): ...

defs = dg.Definitions(
    assets=[orders],
    sensors=[make_slack_on_run_failure_sensor(channel="#shop", slack_token="xoxb")],
    resources={"slack": SlackResource(token=dg.EnvVar("SLACK_TOKEN"))},
)
"""
PANDAS = """
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

Orders = create_dagster_pandas_dataframe_type(
    name="Orders",
    columns=[PandasColumn.integer_column("id"), PandasColumn.string_column("day")],
)

@dg.asset(dagster_type=Orders)
def orders(): ...

@dg.op(out=dg.Out(Orders))
def read(): ...

@dg.job
def nightly():
    read()

defs = dg.Definitions(assets=[orders], jobs=[nightly])
"""
GCP = """
from dagster_gcp import BigQueryResource
from dagster_gcp.gcs import GCSPickleIOManager, GCSResource

gcs = GCSResource(project="shop")

@dg.asset(kinds={"bigquery"})
def orders(bigquery: BigQueryResource): ...

defs = dg.Definitions(
    assets=[orders],
    resources={
        "bigquery": BigQueryResource(project="shop"),
        "gcs": gcs,
        "io_manager": GCSPickleIOManager(gcs=gcs, gcs_bucket="shop"),
    },
)
"""
SNOWFLAKE = """
from dagster_snowflake import SnowflakeResource

@dg.asset(kinds={"snowflake"})
def orders(snowflake: SnowflakeResource): ...

defs = dg.Definitions(
    assets=[orders],
    resources={
        "snowflake": SnowflakeResource(
            account="shop", user="codelocd", password=dg.EnvVar("SNOWFLAKE_PASSWORD")
        )
    },
)
"""
DATABRICKS = """
from dagster_databricks import DatabricksClientResource, create_databricks_run_now_op

run = create_databricks_run_now_op(databricks_job_id=1)

@dg.job
def nightly():
    run()

databricks = DatabricksClientResource(host="https://x.invalid", token=dg.EnvVar("TOKEN"))
defs = dg.Definitions(jobs=[nightly], resources={"databricks": databricks})
"""
AZURE = """
from dagster_azure.adls2 import ADLS2PickleIOManager, ADLS2Resource, ADLS2SASToken

adls2 = ADLS2Resource(storage_account="shop", credential=ADLS2SASToken(token="x"))

@dg.asset
def orders(): return 1

defs = dg.Definitions(
    assets=[orders],
    resources={
        "adls2": adls2,
        "io_manager": ADLS2PickleIOManager(adls2=adls2, adls2_file_system="shop"),
    },
)
"""
DLT = """
import dlt
from dagster_dlt import DagsterDltResource, dlt_assets

@dlt.source
def shop():
    @dlt.resource
    def orders():
        yield {"id": 1}

    @dlt.resource
    def visits():
        yield {"id": 1}

    return orders, visits

pipeline = dlt.pipeline(pipeline_name="shop", destination="duckdb", dataset_name="raw")

@dlt_assets(dlt_source=shop(), dlt_pipeline=pipeline, name="raw", group_name="raw")
def raw(context: dg.AssetExecutionContext, loads: DagsterDltResource):
    yield from loads.run(context=context)

defs = dg.Definitions(assets=[raw], resources={"loads": DagsterDltResource()})
"""
DUCKDB = """
from dagster_duckdb import DuckDBResource
from dagster_duckdb_pandas import DuckDBPandasIOManager

@dg.asset
def orders(duckdb: DuckDBResource): ...

defs = dg.Definitions(
    assets=[orders],
    resources={
        "duckdb": DuckDBResource(database="shop.duckdb"),
        "io_manager": DuckDBPandasIOManager(database="shop.duckdb"),
    },
)
"""
AIRBYTE = """
from dagster_airbyte import AirbyteResource, build_airbyte_assets

defs = dg.Definitions(
    assets=build_airbyte_assets(connection_id="1", destination_tables=["orders", "visits"]),
    resources={"airbyte": AirbyteResource(host="localhost", port="8000")},
)
"""
SLING = """
from dagster_sling import SlingConnectionResource, SlingResource, sling_assets

replication = {
    "source": "SHOP",
    "target": "STORE",
    "defaults": {"mode": "full-refresh", "object": "{stream_schema}_{stream_table}"},
    "streams": {"public.orders": None, "public.visits": None},
}

@sling_assets(replication_config=replication)
def raw(context, sling: SlingResource):
    yield from sling.replicate(context=context)

connections = [
    SlingConnectionResource(name="SHOP", type="postgres", host="localhost", database="shop"),
    SlingConnectionResource(name="STORE", type="duckdb", instance="store.duckdb"),
]
defs = dg.Definitions(assets=[raw], resources={"sling": SlingResource(connections=connections)})
"""
FIVETRAN = """
from dagster_fivetran import FivetranResource, build_fivetran_assets

defs = dg.Definitions(
    assets=build_fivetran_assets(connector_id="x", destination_tables=["s.orders", "s.visits"]),
    resources={"fivetran": FivetranResource(api_key="k", api_secret=dg.EnvVar("SECRET"))},
)
"""
POSTGRES = """
import dagster_postgres

@dg.asset
def orders(): ...

defs = dg.Definitions(assets=[orders])
"""
DBT_FILES = {f"shop/{name}": text for name, text in DBT_PROJECT.items()} | {
    "shop/models/orders.sql": "select id from {{ source('raw', 'orders') }}\n",
    "shop/models/days.sql": "select id from {{ ref('orders') }}\n",
    "shop/models/schema.yml": "version: 2\nsources: [{name: raw, tables: [{name: orders}]}]\n"
    "models: [{name: days, columns: [{name: id, tests: [unique, not_null]}]}]\n",
}

INTEGRATIONS = {
    "dbt": Integration(
        ("dagster-dbt>=0.28", "dbt-duckdb>=1.8", "dbt-core<1.11"),  # newer: a download
        DBT,
        beside=DBT_FILES,
    ),
    "aws": Integration(("dagster-aws",), AWS),
    "k8s": Integration(("dagster-k8s",), K8S),
    "slack": Integration(("dagster-slack",), SLACK),
    "pandas": Integration(("dagster-pandas",), PANDAS),
    "gcp": Integration(("dagster-gcp",), GCP),
    "snowflake": Integration(("dagster-snowflake",), SNOWFLAKE),
    "databricks": Integration(("dagster-databricks",), DATABRICKS),
    "azure": Integration(("dagster-azure",), AZURE),
    "dlt": Integration(("dagster-dlt", "dlt[duckdb]"), DLT),
    "duckdb": Integration(("dagster-duckdb", "dagster-duckdb-pandas"), DUCKDB),
    "airbyte": Integration(("dagster-airbyte",), AIRBYTE),
    "sling": Integration(("dagster-sling",), SLING),
    "fivetran": Integration(("dagster-fivetran",), FIVETRAN),
    "postgres": Integration(("dagster-postgres",), POSTGRES),
}
"""By the end of the name of the package."""
