"""What the board reads; an old project that nobody has had the time to bring up to date."""

import dagster as dg


@dg.asset(deps=[dg.AssetKey("orders")], group_name="board")
def revenue():
    """Revenue by month."""


@dg.repository
def reports():
    return [revenue, dg.define_asset_job("monthly", selection=["revenue"])]
