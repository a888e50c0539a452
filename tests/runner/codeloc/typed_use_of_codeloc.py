"""Checked by type checkers, never run: what the decorators make of a function's types."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_type

from codeloc import (
    AssetCheckDefinition,
    AssetDefinition,
    Definitions,
    FunctionJobDefinition,
    RepositoryDefinition,
    ResourceDefinition,
    ScheduleDefinition,
    SensorDefinition,
    asset,
    asset_check,
    asset_job,
    job,
    repository,
    resource,
    schedule,
    sensor,
)


@asset
def bare(db: str) -> int:
    return len(db)


@asset(key_prefix="mart", deps=[bare, "ext/customers", ["a", "b"]], owners=["team:data"])
def named(bare: int) -> str:
    return str(bare)


@asset_check(asset=named, description="Not empty")
def check(named: str) -> bool:
    return bool(named)


@job
def refresh(db: str) -> None: ...


@job(name="other")
def renamed() -> None: ...


@schedule(cron="@daily", job=refresh)
def daily(context: object) -> None: ...


@sensor(job="refresh", minimum_interval=30)
def watching() -> None: ...


@resource
def db(context: object) -> str:
    return ""


@resource(variables={"a": "A"})
def configured() -> str:
    return ""


@repository
def older() -> list[AssetDefinition[..., int]]:
    return [bare]


@repository(name="oldest")
def mapping() -> dict[str, object]:
    return {"assets": [bare]}


assert_type(bare("x"), int)
assert_type(named(3), str)
assert_type(check("x"), bool)
assert_type(db(None), str)
checks: AssetCheckDefinition[..., bool] = check
jobs: list[FunctionJobDefinition[..., None]] = [refresh, renamed]
schedules: ScheduleDefinition[..., None] = daily
sensors: SensorDefinition[..., None] = watching
resources: ResourceDefinition[..., str] = configured
repositories: list[RepositoryDefinition] = [older, mapping]
decorator: Callable[[Callable[[int], int]], AssetDefinition[[int], int]] = asset(name="a")

defs = Definitions(
    assets=[bare, named],
    asset_checks=(check,),
    jobs=[refresh, renamed, asset_job("nightly", [bare, "mart/named"])],
    schedules={daily},
    sensors=iter([watching]),
    resources={"db": db, "limit": 10},
)

bare(3)  # error
asset(grup="x")  # error
asset_check(name="a")  # error
schedule(cron="@daily")  # error
Definitions(assets=[refresh])  # error
Definitions(asset=[bare])  # error
Definitions([bare])  # error
