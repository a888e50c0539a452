"""What a document weighs, by which the daemon tells what its loop must not do."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from codelocd.core.weight import HEAVY, VALUE, is_heavy, let_go, weight
from codelocd.process.garbage import drop
from codelocd.rpc.packed import Packed
from codelocd.rpc.requests import Limits

MEGABYTE = 2**20
HEAVY_VALUES = [
    "x" * MEGABYTE,
    "\N{SNOWMAN}" * MEGABYTE,
    "\udcff" * MEGABYTE,
    b"x" * MEGABYTE,
    [0] * MEGABYTE,
    ["x" * 100_000] * 10,
    {str(n): n for n in range(50_000)},
    {"x" * MEGABYTE: None},
    [{"metadata": {"m": [["deep"]] * 20_000}}] * 3,
]


@pytest.mark.parametrize("value", HEAVY_VALUES, ids=range(len(HEAVY_VALUES)))
def test_what_is_heavy_is_known_wherever_it_lies_and_encoded_as_it_is(value: Any) -> None:
    assert is_heavy(value)
    assert is_heavy({"result": [1, {"in": value}]})
    packed = Packed.of({"result": value, "light": [1]}, Limits())
    whole = packed.head({}) + b"".join(packed.items)
    assert msgpack.unpackb(whole, unicode_errors="surrogateescape") == {
        "result": value,
        "light": [1],
    }


def test_a_light_value_weighs_its_values_and_characters() -> None:
    assert weight(None) == weight(7) == 0
    assert weight("four") == 4
    assert weight(["four", 7]) == 2 * VALUE + 4
    assert weight({"four": "four"}) == VALUE + 8
    assert not is_heavy([{"name": "orders", "deps": [["raw"]]}] * 1000)


def test_no_more_is_looked_at_than_is_needed() -> None:
    class Untouched(list[int]):
        def __iter__(self) -> Any:
            raise AssertionError("it was gone through")

    assert weight([Untouched([0]), [0] * MEGABYTE]) == HEAVY


def test_dropping_in_pieces_drops_everything() -> None:
    held: list[Any] = [{"n": n, "inner": [[n] * 500]} for n in range(1000)]
    drop(held)
    assert held == []
    light = list(range(1000))
    let_go(light)
    assert light == []
