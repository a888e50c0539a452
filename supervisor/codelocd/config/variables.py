"""The variables of a location, and which of their values may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What POSIX calls a name (XBD 3.216)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that is taken from the daemon's variable `name`."""

    name: str


class Variables(dict[str, str]):
    """Names and values. `literal`: those whose value stands in the config file itself.

    `referred`: the names of the daemon's variables that others are taken from. All but the
    literal ones come from the daemon's variables, an env file or a command line, and may be
    secrets.
    """

    __slots__ = ("literal", "referred")

    def __init__(
        self,
        values: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        literal: Iterable[str] = (),
        referred: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(values)
        self.literal = frozenset(literal)
        self.referred = dict(referred or {})


def over(variables: Mapping[str, str], secret: Mapping[str, str]) -> Variables:
    """`variables` with those of `secret` in their place."""
    return Variables({**variables, **secret}, _literal(variables) - secret.keys())


def referred(variables: Mapping[str, str]) -> dict[str, Reference]:
    """Those that are taken from variables of the daemon."""
    found = variables.referred if isinstance(variables, Variables) else {}
    return {name: Reference(source) for name, source in found.items()}


def shown(variables: Mapping[str, str]) -> dict[str, str | None]:
    """Each name with its value where that is no secret, else with None."""
    literal = _literal(variables)
    return {name: value if name in literal else None for name, value in variables.items()}


def _literal(variables: Mapping[str, str]) -> frozenset[str]:
    return variables.literal if isinstance(variables, Variables) else frozenset()
