"""What definitions refer to exists, and assets do not need each other in a cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloc import Definitions, asset, asset_check, asset_job, job, schedule, sensor
from codeloc.namespace import first_cycle


@job
def refresh() -> None: ...


@asset
def orders() -> None: ...


def tick() -> None: ...


STARTERS: dict[str, Callable[[Any], Any]] = {
    "schedules": lambda target: schedule(cron="@daily", job=target)(tick),
    "sensors": lambda target: sensor(job=target)(tick),
}


@pytest.mark.parametrize("argument", STARTERS)
@pytest.mark.parametrize("target", ["refresh", refresh])
def test_a_schedule_or_sensor_starts_a_job_by_name_or_object(argument: str, target: Any) -> None:
    arguments: dict[str, Any] = {argument: [STARTERS[argument](target)]}

    assert Definitions(jobs=[refresh], **arguments).describe()[1]["job"] == "refresh"


@pytest.mark.parametrize("argument", STARTERS)
def test_a_job_that_does_not_exist_is_an_error(argument: str, refusal: Callable[..., str]) -> None:
    starter = STARTERS[argument]("refesh")

    assert refusal(jobs=[refresh], **{argument: [starter]}) == (
        f'{starter}: job "refesh" does not exist; did you mean "refresh"? (jobs: refresh)'
    )


@pytest.mark.parametrize("argument", STARTERS)
def test_a_job_object_that_is_not_listed_is_an_error(
    argument: str, refusal: Callable[..., str]
) -> None:
    starter = STARTERS[argument](refresh)

    assert refusal(**{argument: [starter]}) == (
        f'{starter}: job "refresh" does not exist (jobs: none)'
    )


@pytest.mark.parametrize("argument", STARTERS)
def test_another_job_of_that_name_is_an_error(argument: str, refusal: Callable[..., str]) -> None:
    starter = STARTERS[argument](refresh)
    other = job(name="refresh")(tick)

    assert refusal(jobs=[other], **{argument: [starter]}) == (
        f"{starter}: starts {refresh}, but the job of that name here is {other}"
    )


@pytest.mark.parametrize("target", ["orders", ["orders"], orders])
def test_a_check_names_its_asset_by_key_or_object(target: Any) -> None:
    check = asset_check(asset=target)(tick)

    assert Definitions(assets=[orders], asset_checks=[check]).describe()[1]["key"] == ["orders"]


def test_a_check_of_an_asset_that_does_not_exist_is_an_error(refusal: Callable[..., str]) -> None:
    check = asset_check(asset="mart/orders")(tick)

    assert refusal(assets=[orders], asset_checks=[check]) == (
        f'{check}: asset "mart/orders" does not exist; did you mean "orders"? (assets: orders)'
    )


@pytest.mark.parametrize("target", ["orders", ["orders"], orders])
def test_a_job_names_its_assets_by_key_or_object(target: Any) -> None:
    nightly = asset_job("nightly", [target, "orders"])

    assert Definitions(assets=[orders], jobs=[nightly]).describe()[1]["assets"] == [["orders"]]


def test_a_job_of_an_asset_that_does_not_exist_is_an_error(refusal: Callable[..., str]) -> None:
    nightly = asset_job("nightly", ["orders", "customers"])

    assert refusal(assets=[orders], jobs=[nightly]) == (
        f'{nightly}: asset "customers" does not exist (assets: orders)'
    )


def test_a_dependency_may_be_of_another_location() -> None:
    made = asset(deps=["ext/customers", ["ext", "regions"], orders, "ext/customers"])(tick)

    assert Definitions(assets=[made]).describe()[0]["deps"] == [
        ["ext", "customers"],
        ["ext", "regions"],
        ["orders"],
    ]


def test_a_cycle_is_an_error_that_shows_it(refusal: Callable[..., str]) -> None:
    a = asset(name="a", deps=["c"])(lambda: None)
    b = asset(name="b")(lambda a: None)
    c = asset(name="c", deps=["outside"])(lambda b: None)
    outside = asset(name="outside")(lambda: None)

    assert refusal(assets=[outside, b, c, a]) == (
        f"assets need each other in a cycle: {b} needs {a} needs {c} needs {b}"
    )


@pytest.mark.parametrize(
    "made", [asset(name="a", deps=["a"])(lambda: None), asset(name="a")(lambda a: None)]
)
def test_an_asset_that_needs_itself_is_a_cycle(made: Any, refusal: Callable[..., str]) -> None:
    assert refusal(assets=[made]) == f"assets need each other in a cycle: {made} needs {made}"


def test_two_ways_to_one_asset_are_no_cycle() -> None:
    assets: list[Any] = [
        asset(name="a")(lambda: None),
        asset(name="b")(lambda a: None),
        asset(name="c")(lambda a: None),
        asset(name="d")(lambda b, c, a: None),
    ]

    assert len(Definitions(assets=assets).describe()) == 4


def test_a_chain_longer_than_the_stack_is_searched() -> None:
    chain = {number: [number + 1] for number in range(100_000)}

    assert first_cycle(chain) == []
    assert len(first_cycle({**chain, 100_000: [50_000]})) == 50_001


@given(st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 8), max_size=3)))
def test_a_cycle_is_found_exactly_if_the_graph_cannot_be_sorted(
    graph: dict[int, list[int]],
) -> None:
    found = first_cycle(graph)

    steps = list(zip(found, [*found[1:], *found[:1]], strict=True))
    assert all(target in graph[node] for node, target in steps)
    assert bool(found) == bool(_unsortable(graph))


def _unsortable(graph: Mapping[int, list[int]]) -> set[int]:
    """What is left after taking away, again and again, every node that points to nothing left."""
    left = set(graph)
    while leaves := {node for node in left if not left & set(graph[node])}:
        left -= leaves
    return left
