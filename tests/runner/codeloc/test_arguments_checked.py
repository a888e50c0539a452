"""Arguments are typed and named: an error says which one, what came and what was expected."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codeloc import (
    ArgumentError,
    AssetDefinition,
    Definitions,
    DefinitionsError,
    asset,
    asset_check,
    job,
    repository,
    resource,
    schedule,
    sensor,
)

HERE = __file__


@asset
def orders() -> int:
    return 3


@job
def refresh() -> None: ...


EXPECTED = {
    "assets": "an asset (made by @asset)",
    "asset_checks": "an asset check (made by @asset_check)",
    "jobs": "a job (made by @job or asset_job)",
    "schedules": "a schedule (made by @schedule)",
    "sensors": "a sensor (made by @sensor)",
}


@pytest.mark.parametrize("argument", EXPECTED)
def test_an_item_of_another_type_is_named_by_argument_and_index(
    argument: str, refusal: Callable[..., str]
) -> None:
    text = refusal(**{argument: [3]})

    assert text.startswith("Definitions (")
    assert text.endswith(f": {argument}[0]: got int, expected {EXPECTED[argument]}")


def test_the_index_is_that_of_the_wrong_item_and_the_place_that_of_the_call(
    refusal: Callable[..., str],
) -> None:
    def make() -> None:
        Definitions(assets=[orders, orders, refresh])  # type: ignore[list-item]  # on purpose

    with pytest.raises(ArgumentError) as caught:
        make()

    line = make.__code__.co_firstlineno + 1
    assert str(caught.value) == (
        f"Definitions ({HERE}:{line}): assets[2]: got FunctionJobDefinition,"
        " expected an asset (made by @asset)"
    )


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (lambda: 1, "function"),
        (orders, "AssetDefinition"),
        (None, "None"),
        ("orders", "str"),
        ([orders], "list"),
        (AssetDefinition, "type"),
    ],
)
def test_whatever_came_is_told_by_its_type(
    value: object, came: str, refusal: Callable[..., str]
) -> None:
    text = refusal(jobs=[value])

    assert text.endswith(f"jobs[0]: got {came}, expected a job (made by @job or asset_job)")


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ("orders", "str"),
        (b"orders", "bytes"),
        ({"orders": orders}, "dict"),
        (3, "int"),
        (orders, "AssetDefinition"),
    ],
)
def test_what_is_no_list_is_refused(value: object, came: str, refusal: Callable[..., str]) -> None:
    text = refusal(assets=value)

    assert text.endswith(
        f"assets: got {came}, expected a list, each item an asset (made by @asset)"
    )


@pytest.mark.parametrize("value", [[("db", 1)], "db", 3])
def test_resources_that_are_no_dict_are_refused(value: object, refusal: Callable[..., str]) -> None:
    assert refusal(resources=value).endswith(
        f"resources: got {type(value).__name__}, expected a dict"
    )


def test_the_key_of_a_resource_is_text(refusal: Callable[..., str]) -> None:
    assert refusal(resources={1: 2}).endswith("a key of resources: got int, expected str")


def test_another_kind_of_definition_is_no_resource(refusal: Callable[..., str]) -> None:
    assert refusal(resources={"orders": orders}).endswith(
        "resources['orders']: got AssetDefinition,"
        " expected a resource (made by @resource) or an object"
    )


def test_an_argument_error_is_a_type_error_too() -> None:
    with pytest.raises(TypeError) as caught:
        Definitions(assets=3)  # type: ignore[arg-type]  # on purpose

    assert isinstance(caught.value, DefinitionsError)


def test_a_generator_is_read_once_and_not_lost() -> None:
    def assets() -> Iterator[AssetDefinition[..., Any]]:
        yield orders

    definitions = Definitions(assets=assets(), jobs=iter([refresh]))

    assert [each["name"] for each in definitions.describe()] == ["orders", "refresh"]
    assert [each["name"] for each in definitions.describe()] == ["orders", "refresh"]


def test_an_error_inside_a_generator_stays_what_it_is() -> None:
    def assets() -> Iterator[AssetDefinition[..., Any]]:
        yield orders
        raise TypeError("the user's own")

    with pytest.raises(TypeError, match="the user's own") as caught:
        Definitions(assets=assets())

    assert not isinstance(caught.value, DefinitionsError)


def test_nothing_at_all_makes_empty_definitions() -> None:
    nothing: dict[str, Any] = dict.fromkeys([*EXPECTED, "resources"])

    assert Definitions().describe() == Definitions(**nothing).describe() == []


def test_an_unknown_argument_is_named_beside_those_there_are(refusal: Callable[..., str]) -> None:
    text = refusal(asset=[orders])

    assert "got an unexpected keyword argument 'asset'" in text
    assert text.endswith(
        "; it takes, by name: assets, asset_checks, jobs, schedules, sensors, resources"
    )


def test_arguments_of_definitions_are_given_by_name(error_of: Callable[..., str]) -> None:
    text = error_of(lambda: Definitions([orders]))  # type: ignore[call-arg]  # on purpose

    assert f"Definitions ({HERE}:" in text
    assert "takes 1 positional argument but 2 were given; it takes, by name: assets," in text


LABELS = "description, tags, owners, metadata"
RUNS = "retries, retry_delay, timeout, memory_limit, limits"


@pytest.mark.parametrize(
    ("decorate", "accepted"),
    [
        (lambda: asset(grup="x"), f"{LABELS}"),  # type: ignore[call-overload]
        (lambda: job(grup="x"), f"{LABELS}"),  # type: ignore[call-overload]
        (lambda: resource(grup="x"), f"{LABELS}"),  # type: ignore[call-overload]
        (lambda: asset_check(asset="a", grup="x"), f"{LABELS}"),  # type: ignore[call-arg]
        (lambda: sensor(job="a", grup="x"), f"{LABELS}"),  # type: ignore[call-arg]
        (lambda: repository(grup="x"), "name"),  # type: ignore[call-overload]
    ],
)
def test_an_unknown_option_of_a_decorator_is_named(
    decorate: Callable[[], Callable[..., object]], accepted: str, error_of: Callable[..., str]
) -> None:
    text = error_of(lambda: decorate()(refresh.function))

    assert "got an unexpected keyword argument 'grup'" in text
    assert accepted in text.partition("; it takes, by name: ")[2]


def test_the_options_of_an_asset_are_listed(error_of: Callable[..., str]) -> None:
    text = error_of(lambda: asset(grup="x")(refresh.function))  # type: ignore[call-overload]

    assert text.endswith(f"by name: name, key, key_prefix, deps, group, kinds, {RUNS}, {LABELS}")


def test_a_decorator_without_its_required_options_says_which(error_of: Callable[..., str]) -> None:
    text = error_of(lambda: schedule(cron="@daily"))  # type: ignore[call-arg]

    line = sys._getframe().f_lineno - 2
    assert text == (
        f"@schedule ({HERE}:{line}): missing 1 required keyword-only argument: 'job';"
        " it takes, by name: cron, job, timezone, catch_up, overlap, jitter, enabled, timeout, name"
    )


@pytest.mark.parametrize("decorator", [asset_check, schedule, sensor])
def test_a_decorator_that_needs_options_says_so_when_it_has_none(
    decorator: Callable[..., object], error_of: Callable[..., str]
) -> None:
    text = error_of(lambda: decorator(lambda: None))

    assert "takes 0 positional arguments but 1 was given; it takes, by name: " in text


@pytest.mark.parametrize(
    ("function", "came"),
    [("orders", "str"), (3, "int"), (dict, "type"), (orders, "AssetDefinition")],
)
@pytest.mark.parametrize("decorator", [asset, job, resource, repository, schedule, sensor])
def test_only_a_function_can_be_decorated(
    decorator: Any, function: object, came: str, error_of: Callable[..., str]
) -> None:
    options = {schedule: {"cron": "@daily", "job": "a"}, sensor: {"job": "a"}}.get(decorator)
    make = decorator(**options) if options else decorator

    assert error_of(lambda: make(function)).endswith(
        f"function: got {came}, expected a function; options are given by name"
    )


def test_a_callable_that_hides_its_parameters_is_refused(error_of: Callable[..., str]) -> None:
    text = error_of(lambda: asset(name="a")(max))

    assert "function: its parameters cannot be read (" in text
    assert text.endswith("; wrap it in a function")


def test_a_values_text_is_never_in_an_error(refusal: Callable[..., str]) -> None:
    assert "hunter2" not in refusal(assets=["hunter2"], resources={"password": "hunter2"})
