"""What all definitions have in common: a name, a place, a description, tags, owners, metadata."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from codeloc._typing import TYPE_CHECKING, Generic, P, R_co
from codeloc.arguments import Arguments, named
from codeloc.functions import Parameter, docstring, parameters_of, source_of
from codeloc.quantities import BITS

if TYPE_CHECKING:
    from typing import Any, Callable, ClassVar, Dict, Iterable, Optional

    from typing_extensions import TypedDict

    from codeloc.arguments import Key
    from codeloc.functions import Source
    from codeloc.namespace import Bound

    Item = Dict[str, Any]
    """A definition as the daemon gets it; its fields depend on its kind (docs/protocol.md)."""

    class Labels(TypedDict, total=False):
        """The keyword arguments that every definition takes.

        `description`: the function's docstring unless given. `tags`: text by key.
        `owners`: e-mail addresses or `team:NAME`. `metadata`: anything JSON can hold.
        """

        description: Optional[str]
        tags: Optional[Mapping[str, str]]
        owners: Optional[Iterable[str]]
        metadata: Optional[Mapping[str, Any]]


JSON_FORM = "what JSON can hold (None, bool, int, float, str, list, dict)"
DEPTH = 50
"""Levels of nesting: what has more contains itself."""


VALUES = 100_000
"""Values in all: lists that hold each other can be small, and endless when copied."""
CHARACTERS = 1_000_000
"""Of one text."""


def json_copy(arguments: Arguments, place: str, value: object) -> Any:
    """A copy of `value` of JSON's own types; `place` says where it is."""
    return _JsonCopy(arguments, place).of(place, value, 0)


class _JsonCopy:
    """Of one value given as metadata: counts what it holds."""

    def __init__(self, arguments: Arguments, top: str) -> None:
        self._arguments = arguments
        self._top = top
        self._count = 0

    def of(self, place: str, value: object, depth: int) -> Any:
        self._count += 1
        if depth > DEPTH:
            raise self._arguments.invalid(self._top, f"nested more than {DEPTH} deep")
        if self._count > VALUES:
            raise self._arguments.invalid(self._top, f"holds more than {VALUES} values")
        if isinstance(value, Mapping):
            entries = self._arguments.mapping(place, value)
            return {key: self.of(f"{place}[{key!r}]", entries[key], depth + 1) for key in entries}
        if isinstance(value, (list, tuple)):
            return [
                self.of(f"{place}[{index}]", item, depth + 1) for index, item in enumerate(value)
            ]
        return _scalar(self._arguments, place, value)


def _scalar(arguments: Arguments, place: str, value: object) -> object:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise arguments.invalid(place, f"{value} is not a number in JSON")
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise arguments.wrong(place, value, JSON_FORM)
    if isinstance(value, int) and value.bit_length() > BITS:
        raise arguments.invalid(place, f"an integer of more than {BITS} bits: give it as a str")
    if isinstance(value, str) and len(value) > CHARACTERS:
        raise arguments.invalid(place, f"longer than {CHARACTERS} characters: {len(value)}")
    return value


TAG_SECTION = 63
"""Characters of a tag's namespace and of its name, as Kubernetes and Dagster limit them."""


def checked_tags(arguments: Arguments, value: object) -> dict[str, str]:
    found = arguments.mapping("tags", value)
    for key, tag in found.items():
        arguments.text(f"tags[{key!r}]", tag)
        if not _is_tag_key(key):
            form = f"[NAMESPACE/]NAME, each of 1 to {TAG_SECTION} letters, digits, '_', '-', '.'"
            raise arguments.invalid("tags", f"{key!r} is not a tag's key: {form}")
    return found


def checked_owners(arguments: Arguments, value: object) -> list[str]:
    found = [arguments.text(place, item) for place, item in arguments.items("owners", value, "str")]
    for index, owner in enumerate(found):
        if not _is_owner(owner):
            complaint = f"{owner!r} is neither an e-mail address nor team:NAME"
            raise arguments.invalid(f"owners[{index}]", complaint)
    return found


def checked_metadata(arguments: Arguments, value: object) -> dict[str, Any]:
    found = arguments.mapping("metadata", value)
    return {key: json_copy(arguments, f"metadata[{key!r}]", found[key]) for key in found}


def _is_tag_key(key: str) -> bool:
    sections = key.split("/")
    return len(sections) <= 2 and all(_is_tag_section(section) for section in sections)


def _is_tag_section(section: str) -> bool:
    letters = section.replace("-", "a").replace(".", "a").replace("_", "a")
    return len(section) <= TAG_SECTION and letters.isascii() and letters.isalnum()


def _is_owner(owner: str) -> bool:
    if owner.startswith("team:"):
        return bool(owner[len("team:") :].strip())
    user, _, host = owner.partition("@")
    return bool(user and host) and "@" not in host and len(owner.split()) == 1


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
        self.tags = checked_tags(self._arguments, tags)
        self.owners = checked_owners(self._arguments, owners)
        self.metadata = checked_metadata(self._arguments, metadata)

    def __str__(self) -> str:
        return f'{self.kind} "{self.name}" ({self.source})'

    def __repr__(self) -> str:
        return f"<{self}>"

    def item(self, bound: Bound) -> Item:
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

    def __init__(self, function: Callable[P, R_co], name: str, **labels: Any) -> None:
        if labels.get("description") is None:
            labels["description"] = docstring(function)
        super().__init__(name, source_of(function), **labels)
        functools.update_wrapper(self, function, assigned=COPIED, updated=())
        self.function = function
        self.parameters = self._parameters()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.function(*args, **kwargs)

    def item(self, bound: Bound) -> Item:
        item = super().item(bound)
        if bound.options:
            from codeloc.parameters import described  # most functions have none

            item["parameters"] = [described(self.function, each) for each in bound.options]
        return item

    def declared(self) -> tuple[Key, ...]:
        """Assets that are named beside the function: its parameters mean these first."""
        return ()

    def _parameters(self) -> tuple[Parameter, ...]:
        try:
            return parameters_of(self.function)
        except (NameError, TypeError, ValueError) as error:
            complaint = f"its parameters cannot be read ({error}); wrap it in a function"
            raise self._arguments.invalid("function", complaint) from error


def opening(maker: str, function: object) -> Arguments:
    """Checks the function of a definition whose name is not known yet."""
    arguments = Arguments(f"{maker} ({source_of(function)})")
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
