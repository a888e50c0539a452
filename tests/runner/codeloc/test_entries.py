"""What `describe` tells of each kind of definition, and that definitions stay functions."""

from __future__ import annotations

import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from codeloc import (
    Definitions,
    DefinitionsError,
    asset,
    asset_check,
    asset_job,
    job,
    resource,
    schedule,
    sensor,
)

Entry = Callable[..., Mapping[str, Any]]


@asset(group="raw", kinds={"sql", "csv"}, tags={"tier": "1"}, owners=["team:data"])
def raw_orders(warehouse: list[int]) -> list[int]:
    """Orders as they came.

    One line for each.
    """
    return [each for each in warehouse if each]


@asset(
    deps=["ext/customers"],
    key_prefix=["mart"],
    description="Paid ones",
    metadata={"rows": 3, "ok": True, "none": None, "parts": ({"a": 1.5},)},
)
def orders(raw_orders: list[int], warehouse: object) -> int:
    """Not this."""
    return len(raw_orders)


@asset_check(asset="mart/orders")
def not_empty(orders: int, warehouse: object) -> bool:
    return orders > 0


@job
def refresh(warehouse: object) -> None: ...


@schedule(cron="0 6 * * *", job="refresh", timezone="Europe/Berlin")
def every_morning(context: object) -> None: ...


@sensor(job=refresh, minimum_interval="1.5min")
def on_new_file(context: object) -> None: ...


@resource(variables={"password": "DB_PASSWORD"}, tags={"a": "b"})
def database(context: object) -> list[int]:
    """The one."""
    return [1, 0, 2]


nightly = asset_job("nightly", ["mart/orders"], description="By night")
resources = {"warehouse": database, "limit": 10, "token": "hunter2"}
defs = Definitions(
    assets=[raw_orders, orders],
    asset_checks=[not_empty],
    jobs=[refresh, nightly],
    schedules=[every_morning],
    sensors=[on_new_file],
    resources=resources,
)


def line_of(definition: Any) -> int:
    return int(definition.function.__code__.co_firstlineno)


def common(name: str, line: int, **differing: object) -> dict[str, object]:
    return {
        "repository": "__repository__",
        "name": name,
        "description": None,
        "tags": {},
        "owners": [],
        "metadata": {},
        "resources": [],
        "source": {"file": os.path.abspath(__file__), "line": line},
        **differing,
    }


def test_an_asset(entry: Entry) -> None:
    assert entry(defs, "asset", "raw_orders") == common(
        "raw_orders",
        line_of(raw_orders),
        kind="asset",
        key=["raw_orders"],
        description="Orders as they came.\n\nOne line for each.",
        group="raw",
        deps=[],
        tags={"tier": "1"},
        owners=["team:data"],
        kinds=["csv", "sql"],
        resources=["warehouse"],
    )
    assert entry(defs, "asset", "mart/orders") == common(
        "mart/orders",
        line_of(orders),
        kind="asset",
        key=["mart", "orders"],
        description="Paid ones",
        group="default",
        deps=[["ext", "customers"], ["raw_orders"]],
        kinds=[],
        metadata={"rows": 3, "ok": True, "none": None, "parts": [{"a": 1.5}]},
        resources=["warehouse"],
    )


def test_an_asset_check(entry: Entry) -> None:
    assert entry(defs, "asset_check") == common(
        "not_empty",
        line_of(not_empty),
        kind="asset_check",
        key=["mart", "orders"],
        resources=["warehouse"],
    )


def test_a_job_has_ops_or_assets(entry: Entry) -> None:
    assert entry(defs, "job", "refresh") == common(
        "refresh", line_of(refresh), kind="job", ops=["refresh"], resources=["warehouse"]
    )
    assert entry(defs, "job", "nightly") == common(
        "nightly",
        nightly.source.line,
        kind="job",
        assets=[["mart", "orders"]],
        description="By night",
    )


def test_a_schedule(entry: Entry) -> None:
    assert entry(defs, "schedule") == common(
        "every_morning",
        line_of(every_morning),
        kind="schedule",
        cron="0 6 * * *",
        timezone="Europe/Berlin",
        job="refresh",
    )


def test_a_schedule_is_in_utc_unless_told(entry: Entry) -> None:
    made = schedule(cron="@daily", job=refresh, name="a")(lambda: None)

    entries = Definitions(jobs=[refresh], schedules=[made], resources=resources)
    assert entry(entries, "schedule")["timezone"] == "UTC"


def test_a_sensor_tells_its_interval_in_seconds(entry: Entry) -> None:
    assert entry(defs, "sensor") == common(
        "on_new_file", line_of(on_new_file), kind="sensor", minimum_interval=90, job="refresh"
    )


def test_a_sensor_asks_every_30_seconds_unless_told() -> None:
    assert sensor(job="a", name="a")(lambda: None).minimum_interval == 30
    assert sensor(job="a", name="a", minimum_interval=0.5)(lambda: None).minimum_interval == 0.5


def test_a_resource_is_known_by_its_key(entry: Entry) -> None:
    assert entry(defs, "resource", "warehouse") == common(
        "warehouse",
        line_of(database),
        kind="resource",
        description="The one.",
        type="list[int]",
        tags={"a": "b"},
        variables=["DB_PASSWORD"],
    )


def test_of_an_object_as_a_resource_only_the_type_is_told(entry: Entry) -> None:
    limit = common("limit", defs.source.line, kind="resource", type="int", variables=[])

    assert entry(defs, "resource", "limit") == limit
    assert "hunter2" not in json.dumps(defs.describe())


class Connection: ...


class Connecting:
    def __call__(self) -> Connection:
        return Connection()


class Lazy(Connecting):
    """Has annotations as a function of Python 3.14 has, which are evaluated when asked for."""

    @property
    def __annotations__(self):  # type: ignore[override]  # not a dict, on purpose
        raise NameError("Nowhere")


def test_the_type_of_a_resource_is_what_its_function_promises_or_is(entry: Entry) -> None:
    def unannotated():  # that is the point
        return 3

    def promising() -> None: ...

    promising.__annotations__["return"] = Connection
    made = Definitions(
        resources={
            "promising": resource(promising),
            "unannotated": resource(unannotated),
            "partial": resource(name="a")(functools.partial(unannotated)),
            "callable": resource(name="a")(Connecting()),
            "raw": Connection(),
        }
    )

    here = f"{__name__}.{unannotated.__qualname__}"
    connection = f"{__name__}.Connection"
    assert {each["name"]: each["type"] for each in made.describe()} == {
        "promising": connection,
        "unannotated": here,
        "partial": here,
        "callable": f"{__name__}.Connecting",
        "raw": connection,
    }


def test_an_annotation_that_cannot_be_evaluated_does_no_harm(entry: Entry) -> None:
    made = resource(name="a")(Connecting())
    made.function = Lazy()

    assert entry(Definitions(resources={"a": made}), "resource")["type"] == f"{__name__}.Lazy"
    with pytest.raises(DefinitionsError, match=r"its parameters cannot be read \(Nowhere\)"):
        resource(name="a")(Lazy())


def test_entries_are_plain_json() -> None:
    assert json.loads(json.dumps(defs.describe())) == defs.describe()


def test_metadata_is_copied_when_it_is_given() -> None:
    rows = [1]
    made = asset(name="a", metadata={"rows": rows})(lambda: None)

    rows.append(2)

    assert made.metadata == {"rows": [1]}


def test_decorated_functions_stay_functions() -> None:
    assert raw_orders([1, 0, 2]) == [1, 2]
    assert orders([1, 2], warehouse=None) == 2
    assert not_empty(0, None) is False
    assert database(None) == [1, 0, 2]
    assert list(inspect.signature(orders).parameters) == ["raw_orders", "warehouse"]
    assert orders.__doc__ == "Not this."
    assert inspect.unwrap(orders) is orders.function


def test_a_definition_shows_its_kind_name_and_place() -> None:
    assert str(orders) == f'asset "mart/orders" ({__file__}:{line_of(orders)})'
    assert repr(orders) == f"<{orders}>"
