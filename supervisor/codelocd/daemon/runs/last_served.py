"""What each location served last, on disk: a daemon that starts with broken code runs that."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs import Environment
from codeloc_envs.files import make_folder, read_record, replace_text
from codelocd.core import shapes
from codelocd.core.state import UNDER_WAY
from codelocd.daemon.adoption import fingerprint
from codelocd.daemon.location import Location
from codelocd.model import LocationSpec
from codelocd.runners.api import RunnerSpec
from codelocd.runs.texts import is_digest
from codelocd.storage.paths import file_name

FOLDER = "served"
"""In the folder of runs."""

Remade = Callable[[Location, Environment], RunnerSpec]
"""The order for a process of a location in that environment. Blocks. Raises OSError."""


@dataclass(frozen=True, slots=True)
class ServedRecord:
    """`spec`: the fingerprint of the description that it was loaded by."""

    manifest: str
    generation: int
    loader: str
    python: str
    spec: str
    environment: Environment


class LastServed:
    """Of all locations of a daemon. Reads and writes: not on the loop's thread."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def keep(self, spec: LocationSpec, record: ServedRecord) -> None:
        """What cannot be written is not there for the next daemon."""
        document = {
            "manifest": record.manifest,
            "generation": record.generation,
            "loader": record.loader,
            "python": record.python,
            "spec": record.spec,
            "environment": record.environment.to_json(),
        }
        with contextlib.suppress(OSError):
            make_folder(self._folder)
            replace_text(self._path(spec.name), json.dumps(document))

    def of(self, name: str) -> ServedRecord | None:
        """None where there is none to read; a damaged one is set aside."""
        with contextlib.suppress(OSError):
            return read_record(self._path(name), _read)
        return None

    def _path(self, name: str) -> Path:
        return self._folder / f"{file_name(name)}.json"


def has_failed(location: Location) -> bool:
    """Whether nothing serves it, and nothing is about to: what it served last is what there is."""
    state = location.state
    return state.serving is None and state.phase not in UNDER_WAY and state.problem is not None


def fits(record: ServedRecord, location: Location, sources: Mapping[str, str]) -> bool:
    """Whether it is what the location lists, and is described as it was. `sources`: digests by
    path, of its manifest."""
    listed = location.sources
    is_same = record.spec == fingerprint(location.spec)
    return is_same and bool(listed) and all(sources.get(p) == d for p, d in listed.items())


def _read(given: Any) -> ServedRecord:
    manifest = shapes.text(given, "manifest")
    if not is_digest(manifest):
        raise ValueError("manifest is no digest")
    return ServedRecord(
        manifest,
        int(given["generation"]),
        shapes.text(given, "loader"),
        shapes.text(given, "python"),
        shapes.text(given, "spec"),
        Environment.from_json(given["environment"]),
    )
