"""Computes the keys of environments: equal for equal needs, different for any difference.

Two levels. The inputs key stands for what a location says (cheap to compute, finds the lock that
was resolved for it); the environment key for what that lock installs (so locations that say it
differently share an environment).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NewType

InputsKey = NewType("InputsKey", str)
EnvironmentKey = NewType("EnvironmentKey", str)

SCHEMA = 1
"""Raised when an environment would be built differently from the same inputs."""
_LENGTH = 24
"""Hexadecimal digits: 96 bits, and short enough for a `#!` line."""


def inputs_key(inputs: Mapping[str, Any], interpreter: list[Any]) -> InputsKey:
    """`inputs` as `codeloc_envs.inputs.gather` gives them."""
    return InputsKey(_digest(["inputs", SCHEMA, inputs, interpreter])[:_LENGTH])


def environment_key(
    packages: Iterable[Mapping[str, Any]],
    sources: Mapping[str, str],
    interpreter: list[Any],
    selected: Mapping[str, Any],
) -> EnvironmentKey:
    """`packages` of a lock; `sources`: digests by path; `selected`: its extras, groups and the
    variables that a compiler sees."""
    ordered = sorted(packages, key=canonical)
    parts = ["environment", SCHEMA, ordered, sources, interpreter, selected]
    return EnvironmentKey(_digest(parts)[:_LENGTH])


def existing_key(path: str, interpreter: list[Any]) -> EnvironmentKey:
    """Of an environment that is not ours."""
    return EnvironmentKey(f"existing-{_digest([path, interpreter])[:16]}")


def canonical(value: Any) -> str:
    """JSON with sorted keys, never joined strings: `["ab", "c"]` differs from `["a", "bc"]`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def digest_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(value: Any) -> str:
    return digest_bytes(canonical(value).encode())
