"""Chooses the objects of a module that are the location's definitions, and the loader that reads
them.

A loader is a module with the functions of `Loader`. It is imported only once user code has
imported the package whose definitions it reads.
"""

from __future__ import annotations

import sys

from ..load.exceptions import LoadFailure
from ..load.sources import imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, List, Mapping, Optional, Protocol, Sequence, Tuple

    from ..load.snapshot import Definition
    from ..process import LoadTarget

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

    Found = Tuple[str, Loader, List[Any]]


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


TOLD = 12
WANTED = (
    "a Definitions object or @repository functions of codeloc, or Dagster's Definitions, "
    "repositories, job, graph or assets"
)


def find(module: ModuleType, settings: LoadTarget) -> Found:
    """The loader by name, itself, and what it shall load.

    Raises LoadFailure, or what a function called for its result raises.
    """
    if settings.kind == "autoload_defs_module":
        dagster = loader("dagster")
        return "dagster", dagster, dagster.autoload(module)
    if settings.attribute:
        return named(module, settings.attribute)
    members = vars(module)
    found = chosen(members)
    if found is None:
        raise LoadFailure(
            f"No Definitions found in {told_module(module)}. Looked for, at module scope: {WANTED}."
            f" Found instead: {contents(members, module.__name__)}."
            f" Add {remedy(members)}, or name an attribute"
        )
    return found


def chosen(members: Mapping[str, object]) -> Optional[Found]:
    found = {}
    for name, one in present():
        targets = one.targets(members)
        if targets:
            found[name] = (name, one, targets)
    if len(found) > 1:  # Definitions of codeloc beside Dagster's: two of them all the same
        at_most_one(dict.fromkeys(f"one of {LOADERS[name]}" for name in found))
    return next(iter(found.values()), None)


def remedy(members: Mapping[str, object]) -> str:
    """The line that is missing, with the objects in it that only lack a Definitions."""
    told = [text for _, one in present() if (text := one.gathered(members))]
    return f"defs = Definitions({told[0] if told else '...'})"


def named(module: ModuleType, attribute: str) -> Found:
    """An attribute, dotted or not; what is none of the definitions is called for one."""
    value = resolve(module, attribute)
    found = chosen({attribute: value})
    if found is None and callable(value):
        value = value()
        found = chosen({attribute: value})
    if found is None:
        raise LoadFailure(
            f"attribute {attribute!r} of {told_module(module)} is {article(value)},"
            f" which is no definitions; expected: {WANTED}, or a function that returns them"
        )
    return found


def resolve(module: ModuleType, attribute: str) -> Any:
    value: Any = module
    for part in attribute.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise LoadFailure(
                f"no attribute {attribute!r} in {told_module(module)};"
                f" it has: {contents(vars(module), module.__name__)}"
            ) from None
    return value


def told_module(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"module {module.__name__!r}" + (f" ({file})" if file else "")


def contents(members: Mapping[str, object], module: str) -> str:
    """The public names that a module defines itself, with their types."""
    own = {name: value for name, value in members.items() if is_own(name, value, module)}
    names = [f"{name} ({type(value).__name__})" for name, value in own.items()]
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return (", ".join(names[:TOLD]) + more) or "nothing that is public"


def is_own(name: str, value: object, module: str) -> bool:
    if name.startswith("_") or isinstance(value, type(sys)):
        return False
    made_in = getattr(value, "__module__", module)
    return made_in == module or not isinstance(value, (type, type(resolve)))


def article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
