"""What the user wrote beneath the wrappers of a callable."""

from __future__ import annotations

import functools

from codeloc._typing import TYPE_CHECKING
from codeloc.source import Source, caller

if TYPE_CHECKING:
    from typing import Any


def source(function: Any) -> Source:
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
