"""Reads the place, the docstring and the parameters of a user's function."""

from __future__ import annotations

import functools
import os.path
import sys
from types import FunctionType

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


OWN_PACKAGE = __name__.partition(".")[0]


class Source:
    """An absolute file name and a line, counted from 1."""

    __slots__ = ("file", "line")

    def __init__(self, file: str, line: int) -> None:
        self.file = os.path.abspath(file)
        self.line = line

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def item(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line}


def caller() -> Source:
    """The nearest line that is not of this package."""
    frame: FrameType = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(OWN_PACKAGE + "."):
        frame = frame.f_back
    return Source(frame.f_code.co_filename, frame.f_lineno)


def source_of(function: Any) -> Source:
    """Where `function` begins, its decorators included; what is not Python, where it is used."""
    user_function = innermost(function)
    code = getattr(user_function, "__code__", None)
    code = code or getattr(type(user_function).__call__, "__code__", None)
    return Source(code.co_filename, code.co_firstlineno) if code else caller()


def docstring(function: Any) -> str | None:
    """The text of the docstring without the indentation of the code around it."""
    text = getattr(innermost(function), "__doc__", None)
    if not isinstance(text, str) or not text.strip():
        return None
    first, *rest = text.expandtabs().splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    lines = [first.strip(), *(line[margin:].rstrip() for line in rest)]
    return "\n".join(lines).strip("\n")


def innermost(function: Any) -> Any:
    """The function beneath `functools.partial` and `functools.wraps`."""
    seen: set[int] = set()
    while id(function) not in seen:
        seen.add(id(function))
        function = _wrapped(function)
    return function


def _wrapped(function: Any) -> Any:
    if isinstance(function, functools.partial):
        return function.func
    # Not getattr: an object that makes up its attributes would be unwrapped for ever.
    return getattr(function, "__dict__", {}).get("__wrapped__", function)


CONTEXT = "context"
"""The reserved parameter: never an asset, never a resource."""


class Parameter:
    """`required`: there is no `default` to fall back on. `positional`: it has no name in calls."""

    __slots__ = ("default", "name", "positional", "required")

    def __init__(
        self, name: str, required: bool, default: object = None, positional: bool = False
    ) -> None:
        self.name = name
        self.required = required
        self.default = default
        self.positional = positional


def parameters_of(function: Any) -> tuple[Parameter, ...]:
    """All but `context`, `*args`, `**kwargs` and what a partial has given already, in order.

    Raises ValueError or TypeError for a callable that does not tell its parameters, NameError for
    one that Python 3.14 would have to evaluate.
    """
    return tuple(each for each in all_parameters_of(function) if each.name != CONTEXT)


def all_parameters_of(function: Any) -> list[Parameter]:
    """The same with `context`."""
    plain = isinstance(function, FunctionType) and not function.__dict__.keys() & {
        "__wrapped__",
        "__signature__",
    }
    return _of_code(function) if plain else _of_signature(function)


def _of_code(function: FunctionType) -> list[Parameter]:
    """Read from the code object: importing `inspect` takes longer than loading most locations."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    required = code.co_argcount - len(given)
    named = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    defaults = function.__kwdefaults__ or {}
    return [
        *(
            Parameter(
                name,
                index < required,
                given[index - required] if index >= required else None,
                index < code.co_posonlyargcount,
            )
            for index, name in enumerate(positional)
        ),
        *(Parameter(name, name not in defaults, defaults.get(name)) for name in named),
    ]


def _of_signature(function: Any) -> list[Parameter]:
    import inspect  # costs more than all of this package, and is seldom needed

    given = function.keywords if isinstance(function, functools.partial) else {}
    return [
        Parameter(
            name,
            parameter.default is parameter.empty,
            None if parameter.default is parameter.empty else parameter.default,
            parameter.kind is parameter.POSITIONAL_ONLY,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in given
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def called(function: Any, values: dict[str, Any]) -> Any:
    """Its result, each parameter given the value of its name; without one it has its default."""
    positional = [
        values.get(parameter.name, parameter.default)
        for parameter in all_parameters_of(function)
        if parameter.positional
    ]
    return function(*positional, **_by_name(function, values))


def _by_name(function: Any, values: dict[str, Any]) -> dict[str, Any]:
    return {
        parameter.name: values[parameter.name]
        for parameter in all_parameters_of(function)
        if not parameter.positional and parameter.name in values
    }
