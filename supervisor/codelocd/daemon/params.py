"""The parameters of a request, each of the type that its method takes.

A parameter that is nil counts as left out. Everything raises RpcError "usage".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from codelocd.core.nearest import advice
from codelocd.rpc.errors import RpcError

Params: TypeAlias = Mapping[str, Any]


def text(params: Params, name: str) -> str:
    value = optional_text(params, name)
    if value is None:
        raise RpcError("usage", f"{name} is missing")
    return value


def optional_text(params: Params, name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise RpcError("usage", f"{name} must be a string")
    return value


def choice(params: Params, name: str, known: Iterable[str]) -> str | None:
    """A parameter that is one of the `known` words."""
    value = params.get(name)
    if value is not None and value not in known:
        raise RpcError("usage", f"there is no {name} {value!r}; {advice(str(value), known)}")
    return value


def texts(params: Params, name: str) -> list[str] | None:
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise RpcError("usage", f"{name} must be an array of strings")
    return list(value)


def mapping(params: Params, name: str) -> Params:
    value = params.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise RpcError("usage", f"{name} must be a map")
    return value or {}


def flag(params: Params, name: str, *, default: bool) -> bool:
    value = params.get(name)
    if value is not None and not isinstance(value, bool):
        raise RpcError("usage", f"{name} must be true or false")
    return default if value is None else value


def number(params: Params, name: str, default: int | None = None) -> int:
    """A count; one without a default must be given."""
    value = params.get(name)
    if value is None:
        value = default
    if type(value) is not int or value < 0:
        raise RpcError("usage", f"{name} must be an integer, 0 or more")
    return value


def seconds(params: Params, name: str) -> float | None:
    """A duration; None for no bound."""
    value = params.get(name)
    if value is not None and (type(value) not in (int, float) or not value >= 0):
        raise RpcError("usage", f"{name} must be a number of seconds, 0 or more")
    return value
