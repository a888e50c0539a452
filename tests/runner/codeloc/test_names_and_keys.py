"""Names: how they look, where they come from, and that they are unique."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from codeloc import (
    Definition,
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


def load() -> None: ...


def nothing() -> list[Definition]:
    return []


@pytest.mark.parametrize("name", ["a", "A_9", "9", "_", "x" * 200])
def test_a_name_is_of_letters_digits_and_underscores(name: str) -> None:
    assert job(name=name)(load).name == name


@pytest.mark.parametrize("name", ["", "a-b", "a b", "a.b", "a/b", "ä", "٣", "a\n"])
@pytest.mark.parametrize(
    "make",
    [
        lambda name: asset(name=name)(load),
        lambda name: asset(key=["ok", name])(load) if "/" in name else asset(key=name)(load),
        lambda name: asset(key_prefix=[name])(load),
        lambda name: asset(deps=[[name]])(load),
        lambda name: asset_check(asset="a", name=name)(load),
        lambda name: job(name=name)(load),
        lambda name: asset_job(name, ["a"]),
        lambda name: schedule(cron="@daily", job="a", name=name)(load),
        lambda name: sensor(job="a", name=name)(load),
        lambda name: resource(name=name)(load),
        lambda name: repository(name=name)(nothing),
        lambda name: Definitions(resources={name: 1}),
    ],
)
def test_anything_else_is_no_name(
    name: str, make: Callable[[str], object], error_of: Callable[..., str]
) -> None:
    text = error_of(lambda: make(name))

    assert text.endswith(f"{name!r} is not a name: use only letters, digits and _")
    assert f"({__file__}:" in text


def test_the_name_is_the_functions_unless_given() -> None:
    assert asset(load).name == "load"
    assert asset(name="orders")(load).name == "orders"


def test_a_partial_needs_a_name(error_of: Callable[..., str]) -> None:
    partial = functools.partial(load)

    assert asset(name="a")(partial).name == "a"
    assert error_of(lambda: asset(partial)).endswith("name: a partial has none: give name=")


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, ("load",)),
        ({"name": "a"}, ("a",)),
        ({"key_prefix": "mart"}, ("mart", "load")),
        ({"key_prefix": ["mart", "eu"]}, ("mart", "eu", "load")),
        ({"key_prefix": "mart/eu", "name": "a"}, ("mart", "eu", "a")),
        ({"key": "a"}, ("a",)),
        ({"key": "a/b"}, ("a", "b")),
        ({"key": ["a", "b"]}, ("a", "b")),
        ({"key": ("a", "b")}, ("a", "b")),
    ],
)
def test_the_key_of_an_asset_is_a_list_of_names_that_a_slash_joins(
    options: dict[str, Any], key: tuple[str, ...]
) -> None:
    made = asset(**options)(load)

    assert made.key == key
    assert made.name == "/".join(key)


def test_a_slash_inside_a_part_is_refused(error_of: Callable[..., str]) -> None:
    assert error_of(lambda: asset(key=["a", "b/c"])(load)).endswith(
        "key[1]: 'b/c' is not a name: use only letters, digits and _"
    )


def test_context_is_reserved(error_of: Callable[..., str]) -> None:
    reserved = '"context" is reserved for the parameter of that name'

    assert error_of(lambda: asset(name="context")(load)).endswith(f"name: {reserved}")
    assert error_of(lambda: asset(key="mart/context")(load)).endswith(f"name: {reserved}")
    assert error_of(lambda: Definitions(resources={"context": 1})).endswith(
        f"resources['context']: {reserved}"
    )


def first() -> None: ...


def second() -> None: ...


@pytest.mark.parametrize(
    ("argument", "kind", "name", "make"),
    [
        ("assets", "asset", "mart/a", asset(key="mart/a")),
        ("jobs", "job", "a", job(name="a")),
        ("schedules", "schedule", "a", schedule(cron="@daily", job="refresh", name="a")),
        ("sensors", "sensor", "a", sensor(job="refresh", name="a")),
    ],
)
def test_two_definitions_of_one_name_are_refused_with_both_places(
    argument: str, kind: str, name: str, make: Any, refusal: Callable[..., str]
) -> None:
    refresh = job(name="refresh")(load)
    arguments = {"jobs": [refresh], argument: [make(first), make(second)]}

    assert refusal(**arguments) == (
        f'{kind} "{name}" ({__file__}:{second.__code__.co_firstlineno}) has the same name as'
        f' {kind} "{name}" ({__file__}:{first.__code__.co_firstlineno})'
    )


def test_a_job_of_a_function_and_one_of_assets_share_their_names(
    refusal: Callable[..., str],
) -> None:
    one, other = job(name="a")(first), asset_job("a", ["orders"])

    text = refusal(jobs=[one, other], assets=[asset(name="orders")(load)])

    assert text == f"{other} has the same name as {one}"


def test_schedules_and_sensors_share_one_namespace(refusal: Callable[..., str]) -> None:
    refresh = job(name="refresh")(load)
    one = schedule(cron="@daily", job="refresh", name="a")(first)
    other = sensor(job="refresh", name="a")(second)

    assert refusal(jobs=[refresh], schedules=[one], sensors=[other]) == (
        f"{other} has the same name as {one}; their kinds share one namespace"
    )


def test_a_check_is_told_by_its_asset_and_its_name(refusal: Callable[..., str]) -> None:
    assets = [asset(name="a")(load), asset(name="b")(load)]
    of_a, of_b = (asset_check(asset=key, name="full")(first) for key in ("a", "b"))
    again = asset_check(asset="a", name="full")(second)

    assert len(Definitions(assets=assets, asset_checks=[of_a, of_b]).describe()) == 4
    assert refusal(assets=assets, asset_checks=[of_a, again]) == (
        f"{again} has the same name as {of_a}"
    )


def test_things_of_different_kinds_may_share_a_name() -> None:
    made = Definitions(
        assets=[asset(name="a")(load)],
        asset_checks=[asset_check(asset="a", name="a")(load)],
        jobs=[job(name="a")(load)],
        sensors=[sensor(job="a", name="a")(load)],
        resources={"a": 1},
    )

    assert [each["name"] for each in made.describe()] == ["a"] * 5


def test_one_object_listed_twice_is_one_object() -> None:
    orders = asset(name="orders")(load)

    assert len(Definitions(assets=[orders, orders]).describe()) == 1


def test_every_problem_is_told_at_once_the_first_in_the_first_line(
    refusal: Callable[..., str],
) -> None:
    one, other = asset(name="a")(first), asset(name="a")(second)
    lost = sensor(job="refresh", name="lost")(load)

    assert refusal(assets=[one, other], sensors=[lost]).splitlines() == [
        f"{other} has the same name as {one} (and 1 more)",
        f'{lost}: job "refresh" does not exist (jobs: none)',
    ]
