"""The parameters of a request have the types that the protocol says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codelocd.daemon import params
from codelocd.rpc.errors import RpcError

KINDS = ("asset", "job")
READERS: dict[str, Callable[[params.Params], Any]] = {
    "text": lambda given: params.text(given, "x"),
    "optional_text": lambda given: params.optional_text(given, "x"),
    "choice": lambda given: params.choice(given, "x", KINDS),
    "texts": lambda given: params.texts(given, "x"),
    "mapping": lambda given: params.mapping(given, "x"),
    "flag": lambda given: params.flag(given, "x", default=True),
    "number": lambda given: params.number(given, "x", 100),
    "seconds": lambda given: params.seconds(given, "x"),
}


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", "sales"),
        ("optional_text", "sales"),
        ("choice", "job"),
        ("texts", ["a", "b"]),
        ("texts", []),
        ("mapping", {"a": 1}),
        ("flag", False),
        ("number", 0),
        ("seconds", 0),
        ("seconds", 1.5),
    ],
)
def test_a_value_of_the_right_type_is_taken_as_it_is(reader: str, value: object) -> None:
    assert READERS[reader]({"x": value}) == value


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", 5),
        ("optional_text", 5),
        ("choice", "jobs"),
        ("choice", ["job"]),
        ("texts", "sales"),
        ("texts", 5),
        ("texts", [["a"]]),
        ("texts", {"a": 1}),
        ("mapping", [1]),
        ("flag", "no"),
        ("flag", 1),
        ("number", True),
        ("number", -1),
        ("number", 1.0),
        ("seconds", "1"),
        ("seconds", True),
        ("seconds", -1),
        ("seconds", float("nan")),
    ],
)
def test_a_value_of_another_type_is_wrong_usage_that_names_it(reader: str, value: object) -> None:
    with pytest.raises(RpcError, match=r"\bx\b") as caught:
        READERS[reader]({"x": value})
    assert caught.value.kind == "usage"


@pytest.mark.parametrize("given", [{}, {"x": None}])
def test_nil_counts_as_left_out(given: params.Params) -> None:
    left_out = {name: READERS[name](given) for name in READERS if name != "text"}
    assert left_out == {
        "optional_text": None,
        "choice": None,
        "texts": None,
        "mapping": {},
        "flag": True,
        "number": 100,
        "seconds": None,
    }


@pytest.mark.parametrize("reader", [params.text, params.number])
def test_what_must_be_given_is_missed(reader: Callable[[params.Params, str], Any]) -> None:
    with pytest.raises(RpcError, match="x"):
        reader({}, "x")
