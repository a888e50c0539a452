"""The keys of `[defaults]` put under those of a location. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

TARGETS = ("python_file", "module", "package", "autoload_defs_module")
"""The keys that name the code, of which a location has one."""

_JOINED = ("env", "backoff", "restart_limit")
"""The tables in which a location's keys join those of the defaults."""

_MANNERS = frozenset({"python", "link_mode", "installer", "allow_python_download"})
"""The keys of an environment that do not say what is in it."""

Raw = Mapping[str, Any]


def as_table(value: object) -> Raw:
    """A table of a file that nobody has validated yet; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def merged(defaults: Raw, own: Raw) -> dict[str, Any]:
    """The complete table of a location. Lists are replaced, not joined."""
    kept = _without(defaults, TARGETS) if own.keys() & set(TARGETS) else defaults
    table = {**kept, **own}
    for name in _JOINED:
        if name in kept and isinstance(own.get(name), Mapping):
            table[name] = {**as_table(kept[name]), **own[name]}
    if "environment" in kept and isinstance(own.get("environment"), Mapping):
        table["environment"] = _environment(as_table(kept["environment"]), own["environment"])
    return table


def _environment(defaults: Raw, own: Raw) -> dict[str, Any]:
    """A location that says what is in its environment replaces all of it but its manners."""
    if "path" in own:
        return dict(own)
    if own.keys() <= _MANNERS:
        return {**_without(defaults, ("path",) if "python" in own else ()), **own}
    return {**{name: value for name, value in defaults.items() if name in _MANNERS}, **own}


def _without(table: Raw, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in names}
