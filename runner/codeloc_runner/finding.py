"""Which of a module's objects are the location's definitions."""

from __future__ import annotations

import sys

from .importing import LoadFailure
from .loaders import LOADERS, at_most_one, loader, present

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, List, Mapping, Optional, Tuple

    from .settings import Settings

TOLD = 12
WANTED = (
    "a Definitions object or @repository functions of codeloc, or Dagster's Definitions, "
    "repositories, job, graph or assets"
)

if TYPE_CHECKING:
    from .loaders import Loader

    Found = Tuple[str, Loader, List[Any]]


def find(module: ModuleType, settings: Settings) -> Found:
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
