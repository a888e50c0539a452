"""Projects to measure with: native locations that share one bare environment."""

from __future__ import annotations

from pathlib import Path

SOURCE = '''\
"""A small location."""

from codeloc import Definitions, asset, asset_job, resource, schedule


@resource
def db(context):
    return {{}}


@asset
def first(db):
    return 1


@asset
def {newest}(first):
    return first + 1


nightly = asset_job("nightly", ["first"])


@schedule(cron="0 6 * * *", job="nightly")
def mornings(context):
    return {{}}


defs = Definitions(
    assets=[first, {newest}],
    jobs=[nightly],
    schedules=[mornings],
    resources={{"db": db}},
)
'''

LOCATION = """
[location.{name}]
python_file = "{name}.py"
healthy_after = "1ms"
restart_limit = {{ count = 10000, period = "1s" }}
"""


def source(newest: str) -> str:
    """The code of a location whose second asset is called `newest`."""
    return SOURCE.format(newest=newest)


def write(folder: Path, locations: int) -> Path:
    """A project of so many equal locations, `location_0` and so on, which may die often."""
    folder.mkdir()
    names = [f"location_{number}" for number in range(locations)]
    for name in names:
        (folder / f"{name}.py").write_text(source("second"))
    (folder / "codelocd.toml").write_text("".join(LOCATION.format(name=name) for name in names))
    return folder
