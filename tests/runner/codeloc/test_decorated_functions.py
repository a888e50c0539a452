"""What a definition has of the function under its decorator."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any

import pytest

from codeloc import (
    DefinitionsError,
    asset,
    job,
)


def test_the_source_is_the_users_function_beneath_its_wrappers() -> None:
    def user(context: object) -> None:
        """Documented."""

    @functools.wraps(user)
    def wrapper(*args: object) -> None: ...

    wrapped: list[Any] = [wrapper, functools.partial(wrapper), functools.lru_cache(user)]
    made = [job(name="user")(function) for function in wrapped]

    assert {each.source.line for each in made} == {user.__code__.co_firstlineno}
    assert {each.description for each in made} == {"Documented."}


def test_the_source_of_a_callable_object_is_its_call() -> None:
    class Loader:
        def __call__(self) -> None: ...

    made = asset(name="a")(Loader())

    assert made.source.line == Loader.__call__.__code__.co_firstlineno


def test_a_wrapper_that_wraps_itself_does_no_harm() -> None:
    def user() -> None: ...

    user.__wrapped__ = user  # type: ignore[attr-defined]  # nobody should

    with pytest.raises(DefinitionsError, match="its parameters cannot be read"):
        asset(user)


@pytest.mark.parametrize(
    ("docstring", "description"),
    [
        (None, None),
        ("", None),
        (" \n ", None),
        ("One.", "One."),
        ("  One.\n  Two.\n    Three.\n\n  ", "One.\nTwo.\n  Three."),
        ("\n    One.\n\n      Two.  \n    ", "One.\n\n  Two."),
    ],
)
def test_the_docstring_is_the_description_unless_one_is_given(
    docstring: str | None, description: str | None
) -> None:
    def user() -> None: ...

    user.__doc__ = docstring

    assert job(user).description == description
    assert job(description="Given")(user).description == "Given"


def test_coroutine_functions_and_generator_functions_are_functions_too() -> None:
    @asset
    async def fetched() -> int:
        return 3

    @asset
    def streamed() -> Iterator[int]:
        yield 3

    assert asyncio.run(fetched()) == 3
    assert list(streamed()) == [3]


def test_attributes_of_the_function_are_not_those_of_the_definition() -> None:
    def user() -> None: ...

    user.key = ("stolen",)  # type: ignore[attr-defined]  # as some decorators do

    assert asset(user).key == ("user",)
