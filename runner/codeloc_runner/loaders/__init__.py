"""Kinds of definitions the runner can load, one module each.

A loader is a module with the functions of `Loader`. It is imported only once user code has
imported the package whose definitions it reads.
"""

from __future__ import annotations

import sys

from ..importing import LoadFailure, imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Mapping, Protocol, Sequence, Tuple

    from ..outcome import Definition

    class Loader(Protocol):
        def targets(self, members: Mapping[str, object]) -> List[Any]:
            """What is to be loaded of a module's members, or []. Raises LoadFailure."""
            ...

        def gathered(self, members: Mapping[str, object]) -> str:
            """The arguments of the Definitions that would hold a module's loose objects."""
            ...

        def definitions(self, targets: List[Any]) -> List[Definition]:
            """Their definitions in the contract's shape, or what user code raises."""
            ...


LOADERS = {"native": "codeloc", "dagster": "dagster"}
"""By name, as the snapshot tells it: the package that user code must have imported."""


def present() -> List[Tuple[str, Loader]]:
    return [(name, loader(name)) for name, package in LOADERS.items() if package in sys.modules]


def loader(name: str) -> Any:
    return imported(f"{__name__}.{name}")


def distinct(members: Mapping[str, object], kind: Any) -> Mapping[str, Any]:
    """The members of a type by name; one object under two names is one object."""
    found = {}
    seen = set()
    for name, value in members.items():
        if isinstance(value, kind) and id(value) not in seen:
            seen.add(id(value))
            found[name] = value
    return found


def at_most_one(found: Mapping[str, Any]) -> List[Any]:
    """A location holds one Definitions object. Raises LoadFailure where there are two."""
    if len(found) > 1:
        raise LoadFailure(
            "Cannot have more than one Definitions object defined at module scope. "
            f"Found: {', '.join(found)}"
        )
    return list(found.values())


def arguments(members: Mapping[str, object], kinds: Mapping[str, Sequence[str]]) -> str:
    """`jobs=[nightly], schedules=[daily]`, by the names of the types that each argument takes."""
    named = {
        argument: [name for name, value in members.items() if is_one_of(value, names)]
        for argument, names in kinds.items()
    }
    return ", ".join(f"{name}=[{', '.join(found)}]" for name, found in named.items() if found)


def is_one_of(value: object, types: Sequence[str]) -> bool:
    """By name: not every version of a package has, or shows, each type."""
    return any(base.__name__ in types for base in type(value).__mro__)
