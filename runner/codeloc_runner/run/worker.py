"""A process that runs functions of an attempt: one of `multiprocessing`, a step of Dagster's."""

from __future__ import annotations

from .code import ServedCode
from .order import read_order


def begin(path: str) -> None:
    """Import from now on what the attempt does. `path`: of its order. Raises OSError, KeyError,
    TypeError or ValueError."""
    ServedCode(read_order("", path)).install()
