"""Begins a process whose order is a file: an attempt of a run, an evaluation, or a report."""

from __future__ import annotations

import os

from ..load.exceptions import type_name
from ..process import die_with, prepare_streams, print_stacks_at, say, search_path
from . import attempt, evaluation, reporting
from .order import AttemptOrder, ReportOrder, read_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Callable, List, NoReturn

    from .order import CodeOrder

    Life = Callable[[Any, List[str], AbstractSet[str]], NoReturn]


UNREADABLE = 4
"""The exit status for an order that cannot be read."""


def run(location: str, path: str, search: List[str], known: AbstractSet[str]) -> None:
    """In a process of its own, started for this; `path` is that of the order."""
    prepare_streams()
    order = order_at(location, path)
    die_with(order.parent)
    print_stacks_at(order.stacks_signal)
    life_of(order)(order, search_path(order, search), known)


def life_of(order: CodeOrder) -> Life:
    """What the process with this order does, once it is bound and can print."""
    if isinstance(order, AttemptOrder):
        return attempt.live
    if isinstance(order, ReportOrder):
        return reporting.live
    return evaluation.live


def order_at(location: str, path: str) -> CodeOrder:
    """Ends the process where it cannot be read."""
    try:
        return read_order(location, path)
    except (OSError, KeyError, TypeError, ValueError) as error:
        say(f"the order {path} cannot be read: {type_name(error)}: {error}")
        os._exit(UNREADABLE)
