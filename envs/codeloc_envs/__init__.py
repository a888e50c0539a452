"""From what a location asks for to a ready interpreter.

    choice = choose(None, code=Path("sales/definitions.py"))
    store = Store(Path("~/.local/share/codelocd").expanduser())
    environment = store.find(choice.specification) or store.build(choice.specification, print)

Everything expected that goes wrong is an `EnvironmentProblem`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from codeloc_envs.request import Request

if TYPE_CHECKING:
    from codeloc_envs.environment import Environment
    from codeloc_envs.install.output import Progress
    from codeloc_envs.problem import EnvironmentProblem
    from codeloc_envs.request import Specification
    from codeloc_envs.selection import Choice, choose
    from codeloc_envs.store.lease import Lease
    from codeloc_envs.store.store import Store

__all__ = [
    "Choice",
    "Environment",
    "EnvironmentProblem",
    "Lease",
    "Progress",
    "Request",
    "Specification",
    "Store",
    "choose",
]

_HOMES = {
    "Choice": "selection",
    "Environment": "environment",
    "EnvironmentProblem": "problem",
    "Lease": "store.lease",
    "Progress": "install.output",
    "Specification": "request",
    "Store": "store.store",
    "choose": "selection",
}


def __getattr__(name: str) -> Any:
    """The rest is imported at first use: the command line needs `Request` alone, and quickly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"codeloc_envs.{_HOMES[name]}"), name)
    globals()[name] = value  # from now on it is found without this
    return value
