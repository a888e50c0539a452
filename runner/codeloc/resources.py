"""Resources: what functions are given besides assets."""

from __future__ import annotations

from types import FunctionType

from codeloc._typing import TYPE_CHECKING, P, R_co, overload
from codeloc.arguments import NAME, Arguments, is_name, named
from codeloc.definition import Definition, FunctionDefinition, decorate, name_of, opening
from codeloc.functions import innermost

if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

    from typing_extensions import Unpack

    from codeloc.definition import Item, Labels
    from codeloc.functions import Source
    from codeloc.namespace import Bound


class ResourceDefinition(FunctionDefinition[P, R_co]):
    """A function that makes the value of a resource; see `resource`."""

    kind = "resource"
    maker = "@resource"

    @named
    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        variables: Mapping[str, str] | None = None,
        **labels: Unpack[Labels],
    ) -> None:
        name = name_of(opening(self.maker, function), function, name)
        super().__init__(function, name, **labels)
        for parameter in self.parameters:
            if parameter.required:
                complaint = f'"{parameter.name}" cannot be given: a resource takes only context'
                raise self._arguments.invalid("parameter", complaint)
        self.variables = _variables(self._arguments, variables)

    def item(self, bound: Bound) -> Item:
        made = {"type": _result(self.function), "variables": sorted({*self.variables.values()})}
        return {**super().item(bound), **made}


class RawResource(Definition):
    """Any other object as a resource: only its type is told, never its value."""

    kind = "resource"

    def __init__(self, name: str, value: object, source: Source) -> None:
        super().__init__(name, source)
        self.value = value
        self.type = _full_name(type(value))

    def item(self, bound: Bound) -> Item:
        return {**super().item(bound), "type": self.type, "variables": []}


@overload
def resource(function: Callable[P, R_co], /) -> ResourceDefinition[P, R_co]: ...
@overload
def resource(
    *,
    name: str | None = None,
    variables: Mapping[str, str] | None = None,
    **labels: Unpack[Labels],
) -> Callable[[Callable[P, R_co]], ResourceDefinition[P, R_co]]: ...
def resource(function: Any = None, /, **options: Any) -> Any:
    """Makes a resource of a function of `context`, or of nothing, that returns its value, or yields
    it once: in a run it goes on behind the `yield` when all is done.

    It is bound under its key in `resources=`; `name` is its key in a list. `variables`: which
    environment variable each field of its configuration comes from, so that it can be shown:
    `{"password": "DB_PASSWORD"}`. The function reads them itself.
    """
    return decorate(ResourceDefinition, function, options)


def _variables(arguments: Arguments, value: object) -> dict[str, str]:
    found = arguments.mapping("variables", value)
    for field, variable in found.items():
        name = arguments.text(f"variables[{field!r}]", variable)
        if not is_name(name):
            complaint = f"{name!r} is not the name of a variable: use only {NAME}"
            raise arguments.invalid(f"variables[{field!r}]", complaint)
    return found


def _result(function: Any) -> str:
    """The type its annotation promises; without one, the full name of what makes the value."""
    written = innermost(function)
    promised = _promised(written)
    if promised is None:
        return _full_name(written if isinstance(written, FunctionType) else type(written))
    if isinstance(promised, type):
        return _full_name(promised)
    return str(promised)  # text, or an alias such as typing.Iterator[int]


def _promised(function: Any) -> object:
    try:
        return getattr(function, "__annotations__", {}).get("return")
    except NameError:  # from Python 3.14 on, it is evaluated only here
        return None


def _full_name(thing: type | FunctionType) -> str:
    module = "" if thing.__module__ == "builtins" else f"{thing.__module__}."
    return f"{module}{thing.__qualname__}"
