"""What all definitions have in common."""

from __future__ import annotations

import functools

from codeloc import callables, labels, parameters
from codeloc._typing import TYPE_CHECKING, Generic, P, R_co
from codeloc.arguments import Arguments, named

if TYPE_CHECKING:
    from typing import Any, Callable, ClassVar, Iterable, Mapping

    from typing_extensions import Unpack

    from codeloc.binding import Bound
    from codeloc.keys import Key
    from codeloc.labels import Labels
    from codeloc.source import Source


class Definition:
    """One named thing of a location. Read-only: it has been checked when it was made."""

    kind: ClassVar[str]
    maker: ClassVar[str]
    """What users call to make one, as messages say it."""

    @named
    def __init__(
        self,
        name: str,
        source: Source,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        owners: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self._arguments = Arguments(str(self))
        self.description = self._arguments.optional_text("description", description)
        self.tags = labels.tags(self._arguments, tags)
        self.owners = labels.owners(self._arguments, owners)
        self.metadata = labels.metadata_of(self._arguments, metadata)

    def __str__(self) -> str:
        return f'{self.kind} "{self.name}" ({self.source})'

    def __repr__(self) -> str:
        return f"<{self}>"

    def item(self, bound: Bound) -> dict[str, Any]:
        """Its entry among the definitions, without `location` and `repository`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "description": self.description,
            "tags": self.tags,
            "owners": self.owners,
            "metadata": self.metadata,
            "resources": list(bound.resources),
            "source": self.source.item(),
        }


COPIED = ("__module__", "__name__", "__qualname__", "__doc__")
"""Of a function to its definition. Not its annotations, which may name what is not there."""


class FunctionDefinition(Definition, Generic[P, R_co]):
    """A definition that is made of a function, and can be called like it."""

    def __init__(self, function: Callable[P, R_co], name: str, **labels: Unpack[Labels]) -> None:
        if labels.get("description") is None:
            labels["description"] = callables.docstring(function)
        super().__init__(name, callables.source(function), **labels)
        functools.update_wrapper(self, function, assigned=COPIED, updated=())
        self.function = function
        self.parameters = self._parameters()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.function(*args, **kwargs)

    def declared(self) -> tuple[Key, ...]:
        """Assets that are named beside the function: its parameters mean these first."""
        return ()

    def _parameters(self) -> tuple[parameters.Parameter, ...]:
        try:
            return parameters.parameters(self.function)
        except (NameError, TypeError, ValueError) as error:
            complaint = f"its parameters cannot be read ({error}); wrap it in a function"
            raise self._arguments.invalid("function", complaint) from error


def opening(maker: str, function: object) -> Arguments:
    """Checks the function of a definition whose name is not known yet."""
    arguments = Arguments(f"{maker} ({callables.source(function)})")
    if not callable(function) or isinstance(function, (type, Definition)):
        raise arguments.wrong("function", function, "a function; options are given by name")
    return arguments


def name_of(arguments: Arguments, function: object, name: str | None) -> str:
    """The name that was given, or else the function's own."""
    own = getattr(function, "__name__", None)
    if name is None and own is None:
        raise arguments.invalid("name", f"a {type(function).__qualname__} has none: give name=")
    return arguments.name("name", own if name is None else name)


def decorate(kind: Callable[..., Any], function: object, options: dict[str, Any]) -> Any:
    """`@kind` and `@kind(...)`: with a function the definition, without one what will make it."""
    if function is None:
        return functools.partial(kind, **options)
    return kind(function, **options)
