# /// script
# requires-python = ">=3.9"
# dependencies = ["charset-normalizer>=3", "python-dateutil>=2.9"]
# ///
"""What the shop exports, read as it comes: any encoding, any way of writing a date."""

import csv
from pathlib import Path

from charset_normalizer import from_path
from dateutil import parser

from codeloc import Definitions, Run, asset, job, resource, schedule, sensor


@resource
def exports(context):
    """The folder in which the shop leaves its exports."""
    return Path(__file__).parent / "exports"


@asset(group="raw", kinds={"csv"}, owners=["team:shop"])
def raw_orders(exports):
    """Every order of every export, with its dates parsed."""
    return [
        {**row, "placed": parser.parse(row["placed"])}
        for path in sorted(exports.glob("*.csv"))
        for row in csv.DictReader(str(from_path(path).best()).splitlines())
    ]


@asset(group="raw")
def customers(raw_orders):
    """Who has ordered so far."""
    return sorted({row["customer"] for row in raw_orders}, key=int)


@job
def read_exports(exports):
    """Look at what is there."""
    return sorted(exports.glob("*.csv"))


@schedule(cron="* * * * *", job="read_exports", enabled=False)
def each_minute(context):
    """Off until `codelocd schedules start ingest/each_minute`, under `codelocd dev --tick`."""


@sensor(job="read_exports", minimum_interval="30s")
def new_export(context, exports):
    """Notices an export that was not there before: a run of one key starts once."""
    return [Run(key=path.name) for path in sorted(exports.glob("*.csv"))]


defs = Definitions(
    assets=[raw_orders, customers],
    jobs=[read_exports],
    schedules=[each_minute],
    sensors=[new_export],
    resources={"exports": exports},
)
