"""Uses every part of the package, under any Python from 3.8 on, and prints what it describes."""

from __future__ import annotations

import functools
import json

import codeloc
from codeloc import (
    Definitions,
    asset,
    asset_check,
    asset_job,
    job,
    repository,
    resource,
    schedule,
    sensor,
)


def refused(make, text):
    said = "nothing"
    try:
        make()
    except codeloc.DefinitionsError as error:
        said = str(error)
    assert text in said, said


@asset(group="raw", kinds={"csv"}, tags={"tier": "1"}, owners=["team:data"])
def raw_orders(warehouse: Nowhere) -> Nowhere:  # noqa: F821 - nothing evaluates it
    """Orders.

    All of them.
    """
    return [warehouse]


@asset(deps=["ext/customers"], key_prefix=["mart"], metadata={"rows": [1, 2.5, None]})
def orders(raw_orders, /, limit, *args, unused=None, warehouse, **kwargs):
    return raw_orders


@asset_check(asset="mart/orders")
def not_empty(orders): ...


@job
def refresh(warehouse): ...


def counted(context, step, warehouse): ...


@schedule(cron="*/5 6-18 * jan-jun mon-fri", job="refresh", timezone="Europe/Berlin")
def every_morning(context): ...


@sensor(job=refresh, minimum_interval="500ms")
def on_new_file(context): ...


@resource(variables={"password": "DB_PASSWORD"})
def warehouse(context) -> dict: ...


defs = Definitions(
    assets=(each for each in [raw_orders, orders]),
    asset_checks=[not_empty],
    jobs=[
        refresh,
        asset_job("nightly", ["mart/orders"]),
        job(name="counted")(functools.partial(counted, step=2)),
    ],
    schedules=[every_morning],
    sensors=[on_new_file],
    resources={"warehouse": warehouse, "limit": 10},
)


@repository
def older():
    return {"assets": [raw_orders], "resources": {"warehouse": warehouse}}


def tick(): ...


assert raw_orders(1) == [1]
assert orders(3, 4, warehouse=5) == 3
refused(lambda: asset(grup="x")(tick), "got an unexpected keyword argument 'grup'")
refused(lambda: schedule(cron="@daily")(tick), "missing 1 required keyword-only argument: 'job'")
refused(lambda: Definitions([orders]), "takes 1 positional argument but 2 were given")
refused(lambda: Definitions(jobs=[3]), "jobs[0]: got int, expected a job")
refused(lambda: schedule(cron="0 0 30 2 *", job="a")(tick), "no day 30 in feb")
refused(lambda: schedule(cron="@daily", job="a", timezone="Mars")(tick), "not an IANA time zone")
refused(lambda: asset(name="a")(max), "its parameters cannot be read")
refused(lambda: Definitions(assets=[orders]), 'parameter "raw_orders" is neither')

made = defs.run(assets="+mart/orders", checks="without")
assert made.succeeded, made
assert made.values["mart/orders"] == [None]
failed = defs.run(params={"unused": 1})
assert (failed.why, failed["mart/orders"].checks[0].state) == ("check", "error"), failed
assert defs.run("counted")["counted"].state == "succeeded"
refused(lambda: codeloc.Run(tags={"a b": "c"}), "is not a tag's key")

print(json.dumps(defs.describe() + older.describe(), sort_keys=True))
