"""Sets aside damaged files of codelocd's own, and reports them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SUFFIX = ".damaged"

WRONG = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What reading another shape than was expected raises."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that was set aside: where it stood, and where it is kept. `then`: what holds now."""

    path: Path
    kept: Path
    then: str = ""

    @property
    def text(self) -> str:
        """One line."""
        then = f"; {self.then}" if self.then else ""
        return f"{self.path} was damaged and is kept as {self.kept.name}{then}"


found: list[Damage] = []
"""What this process has set aside, in order."""


def read_record(path: Path, made: Callable[[Any], T], then: str = "") -> T | None:
    """What `made` makes of the JSON in a file of ours, None where there is no such file.

    One that is anything else is set aside, and counts as missing. `made` raises one of WRONG for
    another shape. Raises OSError.
    """
    try:
        return made(json.loads(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (IsADirectoryError, *WRONG):
        set_aside(path, then)
        return None


def set_aside(path: Path, then: str = "") -> None:
    """Rename the file, so that another can take its place; it is kept for a person to look at."""
    kept = path.with_name(f"{path.name}.{time.time_ns() // 1_000_000}{SUFFIX}")
    with contextlib.suppress(OSError):
        path.replace(kept)
    found.append(Damage(path, kept, then))


def kept_in(*folders: Path) -> list[Damage]:
    """The files in these folders that any process has set aside, with what is known of them."""
    known = {each.kept: each for each in found}
    there = [kept for folder in folders for kept in sorted(folder.glob(f"*{SUFFIX}"))]
    return [known.get(kept) or Damage(_original(kept), kept) for kept in there]


def _original(kept: Path) -> Path:
    return kept.with_name(kept.name.removesuffix(SUFFIX).rpartition(".")[0])


def mapping(data: Any) -> dict[str, Any]:
    """Raises TypeError where JSON is anything but an object."""
    if not isinstance(data, dict):
        raise TypeError
    return data


def texts(data: Any) -> tuple[str, ...]:
    """Raises TypeError where it is anything but a list of strings."""
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise TypeError
    return tuple(data)


def of_type(data: Any, kind: type | tuple[type, ...]) -> None:
    """Raises TypeError for any other type."""
    if not isinstance(data, kind):
        raise TypeError
