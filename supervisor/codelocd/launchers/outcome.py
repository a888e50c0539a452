"""What comes of a load, decoded once, and why a warm start may be to blame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codelocd.model import Cold, Snapshot

HANG_FACTOR, HANG_SECONDS = 10.0, 10.0
"""A load after a fork hangs when it takes so many times as long as the whole load before, and at
least so many seconds. Half the location's own limit at most, so that there is time to try again."""


@dataclass(frozen=True, slots=True)
class Good:
    """The code has loaded; `importing` of the seconds were the user's imports.

    `read`: patterns of what it read that is no Python.
    """

    snapshot: Snapshot
    importing: float
    read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bad:
    """It has not: `problem` has `summary`, `detail`, and `missing` where a package is.

    `sources` maps what was read to its digest, as in a snapshot; `read` as for a good load.
    """

    problem: Mapping[str, Any]
    sources: Mapping[str, str]
    read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MustStartCold:
    """A fresh interpreter may load it otherwise: nothing of this load counts."""

    cold: Cold


LoadOutcome = Good | Bad | MustStartCold


@dataclass(frozen=True, slots=True)
class Answer:
    """What a runner says of its load. `seen` is for those who keep interpreters warm."""

    outcome: Good | Bad
    seen: Mapping[str, Any]

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Answer:
        body, seen = json.loads(said["body"]), json.loads(said["imports"])
        read = tuple(body.get("watch", ()))
        if said["ok"]:
            return cls(Good(Snapshot.from_json(body), seen["import_seconds"], read), seen)
        return cls(Bad(body["problem"], body["sources"], read), seen)


def hangs_after(former: float, start_timeout: float) -> float:
    """Seconds, by those of the load before and those that the location allows."""
    return min(max(HANG_SECONDS, HANG_FACTOR * former), start_timeout / 2)
