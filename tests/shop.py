"""A small location, whose jobs and assets end in every way that there is."""

SALES = """
import sys, time
from codeloc import Definitions, asset, asset_check, asset_job, job, resource

VERSION = 1

@asset
def raw_orders(context):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    context.add_metadata(rows=1204, version=VERSION)
    return [1, 2]

@asset(deps=["customers"])
def orders(raw_orders, day: int = 1):
    return sum(raw_orders) + day

@asset_check(asset=orders)
def few(orders):
    return orders < 100 or (False, "too many")

@asset_check(asset=orders, severity="warn")
def fresh(orders):
    return False, "newest row is 3 days old"

@asset(deps=["ingest/customers"])
def adrift(): ...

@asset(retries=1, retry_delay=0.01)
def flaky(context):
    if context.attempt == 1:
        raise ValueError("not yet")

@asset
def broken():
    raise ValueError("never")

@asset
def report(broken): ...

@resource
def warehouse():
    yield "open"
    print("closed", flush=True)

@job
def wait(warehouse):
    try:
        print("waits", flush=True)
        time.sleep(1000)
    finally:
        print("finally", flush=True)

@job
def stay():
    while True:
        try:
            print("stays", flush=True)
            time.sleep(1000)
        except BaseException:
            print("heard", flush=True)

nightly = asset_job("nightly", ["raw_orders", "orders"])
defs = Definitions(
    assets=[raw_orders, orders, adrift, flaky, broken, report],
    asset_checks=[few, fresh],
    jobs=[nightly, wait, stay],
    resources={"warehouse": warehouse},
)
"""
