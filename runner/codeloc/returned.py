"""What a `@repository` function returned, sorted into the arguments that `Definitions` has."""

from __future__ import annotations

from collections.abc import Mapping

from codeloc._typing import TYPE_CHECKING
from codeloc.contents import KINDS
from codeloc.definition import Definition
from codeloc.nearest import listing, suggestion

if TYPE_CHECKING:
    from typing import Any, Iterator, Optional, Tuple

    from typing_extensions import TypeAlias

    from codeloc.arguments import Arguments

    Entry: TypeAlias = Tuple[str, str, Optional[str], Any]
    """Where it was, the argument it belongs to, its name in a dict, the thing itself."""

EXPECTED = "a definition (made by @asset, @job, @schedule, …)"


def by_argument(arguments: Arguments, returned: object) -> dict[str, Any]:
    """Raises DefinitionsError for what is no definition, or stands under another's name."""
    groups: dict[str, Any] = {argument: [] for argument in KINDS}
    resources: dict[str, Any] = {}
    for place, argument, name, item in _entries(arguments, returned):
        own = item.name if isinstance(item, Definition) else None
        if argument == "resources":
            _add(arguments, resources, place, name or own, item)
            continue
        if None not in (name, own) and name != own:
            raise arguments.invalid(place, f"{item} stands under another name")
        groups[argument].append(item)
    return {**groups, "resources": resources}


def _entries(arguments: Arguments, returned: object) -> Iterator[Entry]:
    if returned is None:
        raise arguments.wrong("returned", None, "a list or a dict of definitions")
    if not isinstance(returned, Mapping):
        for place, item in arguments.items("returned", returned, EXPECTED):
            yield place, _argument(arguments, place, item), None, item
        return
    for name, value in arguments.mapping("returned", returned).items():
        place = f"returned[{name!r}]"
        if isinstance(value, Definition):
            yield place, _argument(arguments, place, value), name, value
        elif name in KINDS:
            yield from _group(arguments, place, name, value)
        else:
            hint = suggestion(name, KINDS)
            complaint = f"no such key{hint} (keys: {listing(KINDS)}, or names of definitions)"
            raise arguments.invalid(place, complaint)


def _group(arguments: Arguments, place: str, argument: str, value: object) -> Iterator[Entry]:
    if isinstance(value, Mapping):
        for name, item in arguments.mapping(place, value).items():
            yield f"{place}[{name!r}]", argument, name, item
    else:
        for item_place, item in arguments.items(place, value, KINDS[argument][1]):
            yield item_place, argument, None, item


def _argument(arguments: Arguments, place: str, item: object) -> str:
    for argument, (kind, _) in KINDS.items():
        if isinstance(item, kind):
            return argument
    raise arguments.wrong(place, item, EXPECTED)


def _add(
    arguments: Arguments, resources: dict[str, Any], place: str, name: str | None, item: object
) -> None:
    if name is None:
        raise arguments.wrong(place, item, "a resource made by @resource; objects need a name")
    if resources.setdefault(name, item) is not item:
        raise arguments.invalid(place, f"{item} has the same name as {resources[name]}")
