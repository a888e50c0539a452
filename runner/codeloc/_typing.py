"""The names that annotations use, without an import of `typing`, which every start of a runner
would pay for.

Type checkers take a name `TYPE_CHECKING` for true, wherever it comes from.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Generic, TypeVar, cast, overload

    from typing_extensions import ParamSpec

    P = ParamSpec("P")
    R_co = TypeVar("R_co", covariant=True)
else:
    P = R_co = None

    class Generic:
        """Stands where `typing.Generic` would, subscription included."""

        def __class_getitem__(cls, parameters):
            return cls

    def overload(function):
        return function

    def cast(kind, value):
        return value


__all__ = ["TYPE_CHECKING", "Generic", "P", "R_co", "cast", "overload"]
