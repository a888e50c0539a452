"""The parameters of a function that can be given a value by their name."""

from __future__ import annotations

import functools
from types import FunctionType

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

CONTEXT = "context"
"""The reserved parameter: never an asset, never a resource."""


class Parameter:
    """`required`: there is no default to fall back on."""

    __slots__ = ("name", "required")

    def __init__(self, name: str, required: bool) -> None:
        self.name = name
        self.required = required


def parameters(function: Any) -> tuple[Parameter, ...]:
    """All but `context`, `*args`, `**kwargs` and what a partial has given already, in order.

    Raises ValueError or TypeError for a callable that does not tell its parameters, NameError for
    one that Python 3.14 would have to evaluate.
    """
    plain = isinstance(function, FunctionType) and not function.__dict__.keys() & {
        "__wrapped__",
        "__signature__",
    }
    found = _of_code(function) if plain else _of_signature(function)
    return tuple(parameter for parameter in found if parameter.name != CONTEXT)


def _of_code(function: FunctionType) -> list[Parameter]:
    """Read from the code object: importing `inspect` takes longer than loading most locations."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    required = code.co_argcount - len(function.__defaults__ or ())
    named = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    defaults = function.__kwdefaults__ or {}
    return [
        *(Parameter(name, index < required) for index, name in enumerate(positional)),
        *(Parameter(name, name not in defaults) for name in named),
    ]


def _of_signature(function: Any) -> list[Parameter]:
    import inspect  # costs more than all of this package, and is seldom needed

    given = function.keywords if isinstance(function, functools.partial) else {}
    return [
        Parameter(name, parameter.default is parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in given
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
