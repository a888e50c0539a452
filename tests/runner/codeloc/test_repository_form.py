"""The older form: functions that return definitions, each a namespace of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from codeloc import (
    Definition,
    RepositoryDefinition,
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
def orders(warehouse: object) -> None: ...


@asset_check(asset="orders")
def not_empty() -> None: ...


@job
def refresh() -> None: ...


@schedule(cron="@daily", job="refresh")
def every_morning() -> None: ...


@sensor(job="refresh")
def on_new_file() -> None: ...


@resource
def warehouse() -> None: ...


nightly = asset_job("nightly", ["orders"])
EVERYTHING = [warehouse, on_new_file, every_morning, nightly, refresh, not_empty, orders]
NAMES = {
    ("asset", "orders"),
    ("asset_check", "not_empty"),
    ("job", "nightly"),
    ("job", "refresh"),
    ("schedule", "every_morning"),
    ("sensor", "on_new_file"),
    ("resource", "warehouse"),
}


def names(made: RepositoryDefinition) -> set[tuple[str, str]]:
    return {(each["kind"], each["name"]) for each in made.describe()}


def returning(returned: Any) -> RepositoryDefinition:
    @repository
    def sales() -> Any:
        return returned

    return sales


@pytest.mark.parametrize(
    "returned",
    [
        EVERYTHING,
        tuple(EVERYTHING),
        {each.name: each for each in EVERYTHING},
        {
            "assets": [orders],
            "asset_checks": [not_empty],
            "jobs": {"refresh": refresh, "nightly": nightly},
            "schedules": {"every_morning": every_morning},
            "sensors": iter([on_new_file]),
            "resources": {"warehouse": warehouse},
        },
        {"assets": [orders], "resources": [warehouse], "jobs": [nightly, refresh]}
        | {each.name: each for each in (not_empty, every_morning, on_new_file)},
    ],
)
def test_it_returns_a_list_or_a_dict_of_definitions(returned: Any) -> None:
    assert names(returning(returned)) == NAMES


def test_it_may_yield_them() -> None:
    @repository
    def sales() -> Iterator[Definition]:
        yield refresh

    assert names(sales) == {("job", "refresh")}


def test_a_resource_of_a_dict_is_known_by_its_key() -> None:
    made = returning({"assets": [orders], "resources": {"warehouse": 3, "other": warehouse}})

    assert names(made) == {("asset", "orders"), ("resource", "warehouse"), ("resource", "other")}


def test_each_is_a_namespace_with_its_name() -> None:
    @repository
    def sales() -> list[Definition]:
        return [refresh]

    @repository(name="other")
    def finance() -> list[Definition]:
        return [refresh]

    assert (sales.name, finance.name) == ("sales", "other")
    assert [each["repository"] for each in (*sales.describe(), *finance.describe())] == [
        "sales",
        "other",
    ]
    assert sales() == finance() == [refresh]


def test_one_does_not_see_the_definitions_of_another(error_of: Callable[..., str]) -> None:
    returning([refresh])

    assert error_of(lambda: returning([every_morning])) == (
        f'{every_morning}: job "refresh" does not exist (jobs: none)'
    )


def test_its_entries_are_those_of_definitions() -> None:
    (entry,) = returning([refresh]).describe()

    assert entry["ops"] == ["refresh"]
    assert entry["source"] == {"file": __file__, "line": refresh.function.__code__.co_firstlineno}


DEFINITION = "a definition (made by @asset, @job, @schedule, …)"
ELSEWHERE = "stands under another name"
JOB = "a job (made by @job or asset_job)"
NAMED = "a resource made by @resource; objects need a name"
THERE_ARE = (
    "(keys: assets, asset_checks, jobs, schedules, sensors, resources, or names of definitions)"
)


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (3, f"returned: got int, expected a list, each item {DEFINITION}"),
        (None, "returned: got None, expected a list or a dict of definitions"),
        ("a", f"returned: got str, expected a list, each item {DEFINITION}"),
        ([refresh, 3], f"returned[1]: got int, expected {DEFINITION}"),
        ({3: refresh}, "a key of returned: got int, expected str"),
        ({"job": [refresh]}, f"returned['job']: no such key; did you mean \"jobs\"? {THERE_ARE}"),
        ({"other": refresh}, f"returned['other']: {refresh} {ELSEWHERE}"),
        ({"jobs": {"other": refresh}}, f"returned['jobs']['other']: {refresh} {ELSEWHERE}"),
        ({"jobs": [orders]}, f"jobs[0]: got AssetDefinition, expected {JOB}"),
        ({"jobs": 3}, f"returned['jobs']: got int, expected a list, each item {JOB}"),
        ({"resources": [3]}, f"returned['resources'][0]: got int, expected {NAMED}"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(
    returned: Any, complaint: str, error_of: Callable[..., str]
) -> None:
    text = error_of(lambda: returning(returned))

    assert text.startswith(f'repository "sales" ({__file__}:')
    assert text.endswith(f": {complaint}")


def test_two_resources_of_one_name_are_refused_with_both_places(
    error_of: Callable[..., str],
) -> None:
    other = resource(name="warehouse")(lambda: None)

    assert error_of(lambda: returning([warehouse, other])).endswith(
        f"returned[1]: {other} has the same name as {warehouse}"
    )
    assert returning([warehouse, warehouse]).describe()


def test_it_takes_no_arguments(error_of: Callable[..., str]) -> None:
    def sales(region: str) -> list[Definition]:
        return []

    assert error_of(lambda: repository(sales)).endswith(  # type: ignore[arg-type]  # on purpose
        'parameter: "region" cannot be given: a repository takes no arguments'
    )


def empty() -> list[Definition]:
    return []


def test_the_name_of_what_definitions_holds_is_taken(error_of: Callable[..., str]) -> None:
    assert error_of(lambda: repository(name="__repository__")(empty)).endswith(
        "name: is the name of what Definitions holds: choose another"
    )


def test_an_error_of_the_function_stays_what_it_is() -> None:
    def sales() -> Mapping[str, Any]:
        raise KeyError("the user's own")

    with pytest.raises(KeyError, match="the user's own"):
        repository(sales)
