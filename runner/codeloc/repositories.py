"""The older form: a function that returns definitions, a namespace of its own."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING, overload
from codeloc.arguments import named
from codeloc.callables import source
from codeloc.contents import Contents
from codeloc.definition import decorate, name_of, opening
from codeloc.definitions import REPOSITORY
from codeloc.namespace import Namespace
from codeloc.parameters import parameters
from codeloc.returned import by_argument

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping, Union

    from typing_extensions import TypeAlias

    from codeloc.arguments import Arguments
    from codeloc.definition import Definition

    Returned: TypeAlias = Union[Iterable[Definition], Mapping[str, Any]]


class RepositoryDefinition:
    """What a `@repository` function returned, checked as `Definitions` checks; see `repository`."""

    maker = "@repository"

    @named
    def __init__(self, function: Callable[[], Returned], *, name: str | None = None) -> None:
        arguments = opening(self.maker, function)
        self.name = name_of(arguments, function, name)
        self.source = source(function)
        self.function = function
        arguments.where = f'repository "{self.name}" ({self.source})'
        _check(arguments, self.name, function)
        groups = by_argument(arguments, function())
        self._namespace = Namespace(self.name, Contents(arguments, self.source, **groups))

    def __call__(self) -> Returned:
        return self.function()

    def describe(self) -> list[dict[str, Any]]:
        """As `Definitions.describe`, with this repository's name."""
        return self._namespace.describe()


@overload
def repository(function: Callable[[], Returned], /) -> RepositoryDefinition: ...
@overload
def repository(
    *, name: str | None = None
) -> Callable[[Callable[[], Returned]], RepositoryDefinition]: ...
def repository(function: Any = None, /, **options: Any) -> Any:
    """Makes a repository of a function, which is called at once.

    It returns a list of definitions, or a dict: of definitions by name, or of the arguments of
    `Definitions`, each a list or a dict by name. `name`: the function's unless given. A location
    may have several; the definitions of one do not see those of another.
    """
    return decorate(RepositoryDefinition, function, options)


def _check(arguments: Arguments, name: str, function: Any) -> None:
    if name == REPOSITORY:
        raise arguments.invalid("name", "is the name of what Definitions holds: choose another")
    for parameter in parameters(function):
        if parameter.required:
            complaint = f'"{parameter.name}" cannot be given: a repository takes no arguments'
            raise arguments.invalid("parameter", complaint)
