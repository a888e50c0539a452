"""Checks what user code gives to `asset`, `job` and the others: types, names, keys of assets.

Each complaint names the argument, the type that came and the one expected.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from codeloc._typing import TYPE_CHECKING, cast
from codeloc.errors import ArgumentError, DefinitionsError
from codeloc.functions import caller

if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, Tuple, TypeVar

    from typing_extensions import TypeAlias

    Key: TypeAlias = Tuple[str, ...]
    F = TypeVar("F", bound=Callable[..., Any])
    T = TypeVar("T")


NAME = "letters, digits and _"
"""In words: `^[A-Za-z0-9_]+$`."""


def is_name(text: str) -> bool:
    return text.isascii() and text.replace("_", "a").isalnum()


def key_text(key: Key) -> str:
    """The key of an asset as people write it: its names joined by `/`."""
    return "/".join(key)


MANY = 500_000
"""More items than this in one argument come from an iterator that does not end."""


class Arguments:
    """`where` begins every complaint: the call, and its place in the user's code."""

    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, argument: str, value: object, expected: str) -> ArgumentError:
        """`value` itself is not shown: it may be long, or secret."""
        return ArgumentError(f"{self.where}: {argument}: got {type_of(value)}, expected {expected}")

    def invalid(self, argument: str, complaint: str) -> DefinitionsError:
        return DefinitionsError(f"{self.where}: {argument}: {complaint}")

    def text(self, argument: str, value: object) -> str:
        if not isinstance(value, str):
            raise self.wrong(argument, value, "str")
        return value

    def optional_text(self, argument: str, value: object) -> str | None:
        return None if value is None else self.text(argument, value)

    def name(self, argument: str, value: object) -> str:
        name = self.text(argument, value)
        if not is_name(name):
            raise self.invalid(argument, f"{name!r} is not a name: use only {NAME}")
        return name

    def items(self, argument: str, value: object, expected: str) -> Iterator[tuple[str, Any]]:
        """Each item beside its own argument name, `argument[index]`; reads an iterator once."""
        if value is None:
            return iter(())
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise self.wrong(argument, value, f"a list, each item {expected}")
        return self._numbered(argument, value)

    def _numbered(self, argument: str, value: Iterable[Any]) -> Iterator[tuple[str, Any]]:
        """An iterator that never ends is a mistake, not a reason to wait."""
        for index, item in enumerate(value):
            if index >= MANY:
                raise self.invalid(argument, f"more than {MANY} items: does it ever end?")
            yield f"{argument}[{index}]", item

    def instances(
        self, argument: str, value: object, kind: type[T], expected: str
    ) -> tuple[T, ...]:
        """The items, each object once; raises at the first that is no `kind`."""
        found = []
        for place, item in self.items(argument, value, expected):
            if not isinstance(item, kind):
                raise self.wrong(place, item, expected)
            found.append(item)
        return tuple(dict.fromkeys(found))

    def mapping(self, argument: str, value: object) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.wrong(argument, value, "a dict")
        for index, key in enumerate(value):
            if index >= MANY:
                raise self.invalid(argument, f"more than {MANY} keys: does it ever end?")
            if not isinstance(key, str):
                raise self.wrong(f"a key of {argument}", key, "str")
        return dict(value)

    def key(self, argument: str, value: object) -> Key:
        """The key of an asset, from its parts or from its text."""
        if isinstance(value, str):
            return tuple(self.name(argument, part) for part in value.split("/"))
        if not isinstance(value, (list, tuple)):
            raise self.wrong(argument, value, "the key of an asset (str or list of str)")
        if not value:
            raise self.invalid(argument, "an asset's key needs at least one part")
        return tuple(self.name(place, part) for place, part in self.items(argument, value, "str"))


def one_of(arguments: Arguments, argument: str, value: object, choices: tuple[str, ...]) -> str:
    """The text, which is one of `choices`. Raises DefinitionsError."""
    if value not in choices:
        text = arguments.text(argument, value)
        told = ", ".join(f'"{choice}"' for choice in choices)
        raise arguments.invalid(argument, f"{text!r} is not one of {told}")
    return str(value)


def flag(arguments: Arguments, argument: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise arguments.wrong(argument, value, "bool")
    return value


def type_of(value: object) -> str:
    return "None" if value is None else type(value).__qualname__


def named(function: F) -> F:
    """Says of a call that does not fit the signature where it is and what could be given."""

    @functools.wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except TypeError as error:
            if error.__traceback__ and error.__traceback__.tb_next:
                raise  # from inside: not about this call
            raise _misfit(function, arguments, str(error)) from None

    return cast("F", checked)


def _misfit(function: Any, arguments: tuple[Any, ...], complaint: str) -> ArgumentError:
    if function.__name__ == "__init__":
        maker, functions = arguments[0].maker, _constructors(type(arguments[0]))
    else:
        maker, functions = f"@{function.__name__}", [function]
    accepted = ", ".join(name for each in functions for name in _keywords(each))
    what = complaint.partition("() ")[2]
    return ArgumentError(f"{maker} ({caller()}): {what}; it takes, by name: {accepted}")


def _constructors(kind: type) -> list[Any]:
    found = [vars(base).get("__init__") for base in kind.__mro__]
    return [getattr(constructor, "__wrapped__", constructor) for constructor in found]


def _keywords(function: Any) -> tuple[str, ...]:
    code = getattr(function, "__code__", None)
    return code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount] if code else ()
