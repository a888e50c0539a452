"""Small projects that work as they are: paths and texts. Pure."""

from __future__ import annotations

import keyword
import re
import sys

PACKAGES = ("codeloc", "dagster", "src", "test", "tests")
"""Names that a package of the small project must not have."""

NATIVE = '''\
"""What this location defines. Save a change while `codelocd dev` runs: it says what changed."""

from codeloc import Definitions, asset, asset_check, asset_job, schedule


@asset(group="shop")
def raw_orders():
    """Every order, as it came."""
    return [{"customer": "ada", "amount": 12.5}, {"customer": "bob", "amount": 8.0}]


@asset(group="shop")
def revenue(raw_orders):
    """What each customer spent. A parameter is an upstream asset, or a resource."""
    spent = {}
    for order in raw_orders:
        spent[order["customer"]] = spent.get(order["customer"], 0) + order["amount"]
    return spent


@asset_check(asset="revenue")
def nobody_owes_us(revenue):
    """No sum is negative."""
    return all(amount >= 0 for amount in revenue.values())


nightly = asset_job("nightly", ["raw_orders", "revenue"])


@schedule(cron="0 6 * * *", job="nightly", timezone="UTC")
def every_morning(context):
    """Before people are at work."""


defs = Definitions(
    assets=[raw_orders, revenue],
    asset_checks=[nobody_owes_us],
    jobs=[nightly],
    schedules=[every_morning],
)
'''

CONFIG = """\
# What codelocd runs here; `codelocd config schema` says what else may stand here.

[location.{name}]
python_file = "definitions.py"

# [location.{name}.environment]
# packages = ["pandas>=2"]
"""

DAGSTER = '''\
"""What this project defines. Save a change while `codelocd dev --dagster` runs: it is shown."""

import dagster as dg


@dg.asset(group_name="shop")
def raw_orders() -> list[dict]:
    """Every order, as it came."""
    return [{"customer": "ada", "amount": 12.5}, {"customer": "bob", "amount": 8.0}]


@dg.asset(group_name="shop")
def revenue(raw_orders: list[dict]) -> dict[str, float]:
    """What each customer spent."""
    spent: dict[str, float] = {}
    for order in raw_orders:
        spent[order["customer"]] = spent.get(order["customer"], 0) + order["amount"]
    return spent


@dg.asset_check(asset=revenue)
def nobody_owes_us(revenue: dict[str, float]) -> dg.AssetCheckResult:
    """No sum is negative."""
    return dg.AssetCheckResult(passed=all(amount >= 0 for amount in revenue.values()))


nightly = dg.define_asset_job("nightly", selection=["raw_orders", "revenue"])

every_morning = dg.ScheduleDefinition(name="every_morning", job=nightly, cron_schedule="0 6 * * *")

defs = dg.Definitions(
    assets=[raw_orders, revenue],
    asset_checks=[nobody_owes_us],
    jobs=[nightly],
    schedules=[every_morning],
)
'''

PYPROJECT = """\
# Read by `codelocd dev` as it is, and by `dagster dev` and `dg`, too.

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{module}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["dagster>=1.11"]

[tool.hatch.build.targets.wheel]
packages = ["src/{module}"]

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{module}"
code_location_name = "{name}"
"""


def native(name: str) -> dict[str, str]:
    """A file of definitions and its config, for a location of that name."""
    return {"codelocd.toml": CONFIG.format(name=name), "definitions.py": NATIVE}


def dagster(name: str) -> dict[str, str]:
    """A Dagster project that Dagster's own tools read as well."""
    module = _module(name)
    return {
        "pyproject.toml": PYPROJECT.format(name=name, module=module),
        f"src/{module}/__init__.py": "",
        f"src/{module}/definitions.py": DAGSTER,
    }


def _module(name: str) -> str:
    """A name that can be imported, and that hides no module of Python's or of Dagster's."""
    module = re.sub(r"\W", "_", name.lower(), flags=re.ASCII)
    if not module.isidentifier():
        return f"project_{module}"
    taken = keyword.iskeyword(module) or module in sys.stdlib_module_names or module in PACKAGES
    return f"{module}_project" if taken else module
