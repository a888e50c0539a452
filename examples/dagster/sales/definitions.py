"""What was sold: depends on an asset of another location, which has another Dagster."""

import dagster as dg


class Warehouse(dg.ConfigurableResource):
    url: str
    password: str = "secret"


@dg.asset(deps=["raw_orders"], kinds={"duckdb"}, owners=["team:sales"])
def orders(warehouse: Warehouse):
    """One row for each order that was paid."""


@dg.asset_check(asset=orders)
def no_order_twice():
    return dg.AssetCheckResult(passed=True)


defs = dg.Definitions(
    assets=[orders],
    asset_checks=[no_order_twice],
    resources={"warehouse": Warehouse(url=dg.EnvVar("WAREHOUSE_URL"))},
)
