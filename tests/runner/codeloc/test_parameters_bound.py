"""Parameters are bound by name: to an upstream asset, or to a resource of the location."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from codeloc import (
    Definitions,
    asset,
    asset_check,
    job,
    resource,
    schedule,
    sensor,
)

Entry = Callable[..., Mapping[str, Any]]


@asset
def raw_orders() -> int:
    return 3


@resource
def warehouse() -> int:
    return 4


def uses_warehouse(warehouse: object) -> None: ...


MAKERS: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "assets": asset(name="user"),
    "asset_checks": asset_check(asset="raw_orders", name="user"),
    "jobs": job(name="user"),
    "schedules": schedule(cron="@daily", job="refresh", name="user"),
    "sensors": sensor(job="refresh", name="user"),
}


def arguments_with(argument: str, function: Callable[..., object]) -> dict[str, Any]:
    """Arguments of `Definitions`: a job, an asset, a resource, and a definition of `function`."""
    arguments: dict[str, Any] = {
        "assets": [raw_orders],
        "jobs": [job(name="refresh")(lambda: None)],
        "resources": {"warehouse": warehouse},
    }
    arguments[argument] = [*arguments.get(argument, ()), MAKERS[argument](function)]
    return arguments


@pytest.mark.parametrize("argument", MAKERS)
def test_a_resource_is_bound_to_every_kind_by_the_parameters_name(
    argument: str, entry: Entry
) -> None:
    made = Definitions(**arguments_with(argument, uses_warehouse))

    assert entry(made, argument[:-1], "user")["resources"] == ["warehouse"]


@pytest.mark.parametrize("argument", MAKERS)
def test_a_parameter_may_be_an_asset_for_every_kind(argument: str, entry: Entry) -> None:
    made = Definitions(**arguments_with(argument, lambda raw_orders: None))

    assert entry(made, argument[:-1], "user")["resources"] == []


@pytest.mark.parametrize("argument", MAKERS)
def test_a_parameter_that_is_neither_asset_nor_resource_is_an_error_that_lists_both(
    argument: str, refusal: Callable[..., str]
) -> None:
    arguments = arguments_with(argument, lambda wharehouse: None)
    user = arguments[argument][-1]
    assets = "raw_orders, user" if argument == "assets" else "raw_orders"

    assert refusal(**arguments) == (
        f'{user}: parameter "wharehouse" is neither an asset nor a resource;'
        f' did you mean "warehouse"? (assets: {assets}; resources: warehouse)'
    )


def test_what_there_is_may_be_nothing(refusal: Callable[..., str]) -> None:
    user = job(uses_warehouse)

    assert refusal(jobs=[user]) == (
        f'{user}: parameter "warehouse" is neither an asset nor a resource'
        " (assets: none; resources: none)"
    )


def test_a_long_list_of_what_there_is_ends(refusal: Callable[..., str]) -> None:
    text = refusal(jobs=[job(uses_warehouse)], resources={f"r{n}": n for n in range(40)})

    assert ", r29 and 10 more)" in text


@pytest.mark.parametrize("argument", MAKERS)
def test_a_parameter_that_is_both_is_an_error(argument: str, refusal: Callable[..., str]) -> None:
    store = asset(name="warehouse")(lambda: None)
    arguments = arguments_with(argument, uses_warehouse)
    arguments["assets"] = [store, *arguments["assets"]]
    user = arguments[argument][-1]

    assert refusal(**arguments) == (
        f'{user}: parameter "warehouse" means both {store} and {warehouse}: rename one'
    )


def test_an_asset_and_a_resource_of_one_name_are_no_error_while_nobody_asks() -> None:
    store = asset(name="warehouse")(lambda: None)

    assert len(Definitions(assets=[store], resources={"warehouse": 1}).describe()) == 2


@pytest.mark.parametrize("argument", MAKERS)
def test_the_context_is_neither_asset_nor_resource(argument: str, entry: Entry) -> None:
    made = Definitions(**arguments_with(argument, lambda context, warehouse: None))

    assert entry(made, argument[:-1], "user")["resources"] == ["warehouse"]


def test_a_parameter_with_a_default_may_mean_nothing(entry: Entry) -> None:
    def user(raw_orders: int = 0, warehouse: int = 0, limit: int = 10) -> None: ...

    made = Definitions(assets=[asset(user), raw_orders], resources={"warehouse": warehouse})

    assert entry(made, "asset", "user")["deps"] == [["raw_orders"]]
    assert entry(made, "asset", "user")["resources"] == ["warehouse"]


def test_keyword_only_and_positional_only_parameters_are_bound_too(entry: Entry) -> None:
    def user(raw_orders: int, /, limit: int, *, warehouse: int, colour: str = "") -> None: ...

    resources = {"warehouse": warehouse, "limit": 10}
    made = Definitions(assets=[asset(user), raw_orders], resources=resources)

    assert entry(made, "asset", "user")["deps"] == [["raw_orders"]]
    assert entry(made, "asset", "user")["resources"] == ["limit", "warehouse"]


def test_a_required_keyword_only_parameter_has_to_mean_something(
    refusal: Callable[..., str],
) -> None:
    def user(*, limit: int) -> None: ...

    assert 'parameter "limit" is neither an asset nor a resource' in refusal(jobs=[job(user)])


def test_star_parameters_are_given_nothing(entry: Entry) -> None:
    def user(*warehouse: int, **raw_orders: int) -> None: ...

    made = Definitions(assets=[asset(user), raw_orders], resources={"warehouse": warehouse})

    assert entry(made, "asset", "user")["deps"] == []
    assert entry(made, "asset", "user")["resources"] == []


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: object, **kwargs: object) -> object:
        return function(*args, **kwargs)

    return wrapper


class Loader:
    def __call__(self, warehouse: int) -> int:
        return warehouse

    def load(self, warehouse: int) -> int:
        return warehouse


@pytest.mark.parametrize(
    "function",
    [
        logged(uses_warehouse),
        functools.lru_cache(uses_warehouse),
        functools.partial(uses_warehouse),
        functools.partial(lambda region, warehouse: None, "eu"),
        Loader(),
        Loader().load,
    ],
)
def test_wrappers_partials_and_callable_objects_are_looked_through(
    function: Callable[..., Any], entry: Entry
) -> None:
    made = Definitions(jobs=[job(name="user")(function)], resources={"warehouse": warehouse})

    assert entry(made, "job")["resources"] == ["warehouse"]


def test_what_a_partial_has_given_already_is_not_bound(entry: Entry) -> None:
    def user(warehouse: int, limit: int) -> None: ...

    partial = functools.partial(user, warehouse=1)
    made = Definitions(
        jobs=[job(name="user")(partial)], resources={"warehouse": warehouse, "limit": 3}
    )

    assert entry(made, "job")["resources"] == ["limit"]


def test_annotations_are_never_evaluated(entry: Entry) -> None:
    def user(warehouse: Nowhere) -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821 - on purpose

    made = Definitions(jobs=[job(user)], resources={"warehouse": warehouse})

    assert entry(made, "job")["resources"] == ["warehouse"]


def user_of_orders(orders: int) -> None: ...


RAW = asset(key="raw/orders")(lambda: None)
MART = asset(key="mart/orders")(lambda: None)


def test_a_parameter_means_the_asset_whose_key_ends_in_its_name(entry: Entry) -> None:
    made = Definitions(assets=[RAW, asset(user_of_orders)])

    assert entry(made, "asset", "user_of_orders")["deps"] == [["raw", "orders"]]


def test_several_such_assets_are_an_error_that_lists_them(refusal: Callable[..., str]) -> None:
    user = asset(user_of_orders)

    assert refusal(assets=[RAW, MART, user]) == (
        f'{user}: parameter "orders" could mean any of {RAW}, {MART}: list one in deps='
    )


def test_several_such_assets_are_an_error_for_a_job_too(refusal: Callable[..., str]) -> None:
    user = job(user_of_orders)

    assert refusal(assets=[RAW, MART], jobs=[user]) == (
        f'{user}: parameter "orders" could mean any of {RAW}, {MART}: rename the others'
    )


def test_the_one_in_deps_is_meant(entry: Entry) -> None:
    user = asset(deps=["mart/orders"])(user_of_orders)

    assert entry(Definitions(assets=[RAW, MART, user]), "asset", "user_of_orders")["deps"] == [
        ["mart", "orders"]
    ]


def test_two_in_deps_are_ambiguous_again(refusal: Callable[..., str]) -> None:
    user = asset(deps=["mart/orders", "ext/orders"])(user_of_orders)

    assert refusal(assets=[MART, user]) == (
        f'{user}: parameter "orders" could mean any of {MART}, asset "ext/orders":'
        " list one in deps="
    )


def test_a_parameter_may_mean_an_asset_of_another_location_named_in_deps(entry: Entry) -> None:
    user = asset(deps=["ext/orders"])(user_of_orders)

    assert entry(Definitions(assets=[MART, user]), "asset", "user_of_orders")["deps"] == [
        ["ext", "orders"]
    ]


def test_an_asset_may_be_named_like_the_one_it_needs(entry: Entry) -> None:
    clean = asset(key="clean/orders")(user_of_orders)

    assert entry(Definitions(assets=[RAW, clean]), "asset", "clean/orders")["deps"] == [
        ["raw", "orders"]
    ]


def test_in_a_check_the_name_of_its_asset_means_that_asset() -> None:
    check = asset_check(asset="mart/orders")(user_of_orders)

    made = Definitions(assets=[RAW, MART], asset_checks=[check])

    assert len(made.describe()) == 3


@pytest.mark.parametrize("count", [3000])
def test_thousands_of_assets_in_a_chain_are_bound(count: int, entry: Entry) -> None:
    names = [f"a{number}" for number in range(count)]
    scope: dict[str, Any] = {}
    code = "\n".join(f"def {b}({a}): ..." for a, b in pairwise(names))
    exec(f"def a0(): ...\n{code}", scope)

    made = Definitions(assets=[asset(scope[name]) for name in names])

    assert entry(made, "asset", names[-1])["deps"] == [[names[-2]]]
