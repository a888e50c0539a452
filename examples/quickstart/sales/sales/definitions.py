"""What the location `sales` defines."""

import os

import pandas as pd

from codeloc import Definitions, asset, asset_check, asset_job, resource, schedule
from sales.money import cents


@resource
def currency(context):
    """The currency that the shop counts in."""
    return os.environ.get("SALES_CURRENCY", "EUR")


@asset(deps=["raw_orders"], group="sales", kinds={"pandas"})
def orders(currency):
    """The orders that `ingest` read, as a table. `raw_orders` is defined in that location."""
    frame = pd.DataFrame({"customer": [7, 3, 7], "amount": ["129.00", "18.50", "64.90"]})
    return frame.assign(cents=frame["amount"].map(cents), currency=currency)


@asset(group="sales", kinds={"pandas"})
def revenue_by_customer(orders, large_order):
    """What each customer spent, without the orders that somebody has to look at first."""
    usual = orders[orders["cents"] < large_order]
    return usual.groupby("customer")["cents"].sum()


@asset_check(asset="orders")
def amounts_are_positive(orders):
    """Nobody is paid for ordering."""
    return bool((orders["cents"] > 0).all())


nightly = asset_job("nightly", ["orders", "revenue_by_customer"])


@schedule(cron="0 6 * * *", job="nightly", timezone="Europe/Oslo")
def every_morning(context):
    """Before anybody is at work."""


defs = Definitions(
    assets=[orders, revenue_by_customer],
    asset_checks=[amounts_are_positive],
    jobs=[nightly],
    schedules=[every_morning],
    resources={"currency": currency, "large_order": 50_000},  # a definition, and a raw object
)
