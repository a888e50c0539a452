"""The variables of a location, and which of their values may be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What POSIX calls a name (XBD 3.216)."""


LONGEST = 128 * 1024
"""Bytes of one variable or argument that Linux takes, with its end (MAX_ARG_STRLEN, execve(2))."""

MOST = min(size if (size := os.sysconf("SC_ARG_MAX")) > 0 else 2**63, 6 * 1024 * 1024)
"""Bytes of all variables and arguments together, with a pointer to each (execve(2))."""

_ARGUMENTS = 16 * 1024
"""Of these, what the command line and the runner's own variables may need."""


def is_too_long(name: str, value: str) -> bool:
    """Whether no process can have this variable."""
    return len(f"{name}={value}\0".encode(errors="surrogateescape")) > LONGEST


def are_too_many(variables: Mapping[str, str]) -> bool:
    """Whether no process can have all of them together."""
    texts = "".join(f"{name}={value}\0" for name, value in variables.items())
    size = len(texts.encode(errors="surrogateescape")) + 8 * len(variables)
    return size > MOST - _ARGUMENTS


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that is taken from elsewhere: `source` says how, as the config does (`from_env`,
    `credential`), and `name` from what."""

    source: str
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
    return {name: Reference("from_env", source) for name, source in found.items()}


def shown(variables: Mapping[str, str]) -> dict[str, str | None]:
    """Each name with its value where that is no secret, else with None."""
    literal = _literal(variables)
    return {name: value if name in literal else None for name, value in variables.items()}


def _literal(variables: Mapping[str, str]) -> frozenset[str]:
    return variables.literal if isinstance(variables, Variables) else frozenset()
