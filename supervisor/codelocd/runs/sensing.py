"""Sensors of native definitions: what they are, when each is asked next, what becomes of an answer.

Pure. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from codelocd.runs.evaluation import Evaluation, RequestedRun
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.ticks import Listed, SchedulePlace, place_of

SHORTEST = 1.0
"""Seconds between two evaluations, whatever the code asks for."""
LONGEST_PAUSE = 300.0
"""Seconds that failures lengthen the pause to, at most."""
DOUBLINGS = 20

SensorState = Literal["run", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Sensor:
    """`interval`: seconds from the end of one evaluation to the next. `enabled`: as its code has
    it."""

    place: SchedulePlace
    job: str
    interval: float
    enabled: bool = True

    @classmethod
    def of(cls, definition: Listed) -> Sensor:
        """Raises KeyError, TypeError or ValueError where it is no sensor of `codeloc`."""
        interval = max(SHORTEST, float(definition["minimum_interval"]))
        enabled = definition.get("enabled", True) is not False
        return cls(place_of(definition), str(definition["job"]), interval, enabled)


@dataclass(frozen=True, slots=True)
class SensorLook:
    """The newest evaluation. `at`: its end. `runs`: how many have started by it."""

    at: float
    state: SensorState
    why: str | None = None
    runs: int = 0
    code: str | None = None


@dataclass(frozen=True, slots=True)
class KeptSensor:
    """What is kept of a sensor, whatever becomes of its code and of the daemon.

    `failures`: evaluations in a row that failed. `run`: the newest run that it has started.
    """

    cursor: Any = None
    look: SensorLook | None = None
    failures: int = 0
    run: RunId | None = None


def encoded_sensor(kept: KeptSensor) -> dict[str, Any]:
    return asdict(kept)


def decoded_sensor(document: Mapping[str, Any]) -> KeptSensor:
    """Raises KeyError or TypeError where it is none of `encoded_sensor`. What another version wrote
    besides is left out."""
    look, known = document["look"], {each.name for each in fields(SensorLook)}
    if look is not None:
        look = SensorLook(**{name: look[name] for name in look if name in known})
    return KeptSensor(document["cursor"], look, document["failures"], document["run"])


def pause_after(sensor: Sensor, kept: KeptSensor) -> float:
    """Seconds from the end of the newest evaluation to the next: the sensor's interval, doubled
    with each failure in a row up to LONGEST_PAUSE."""
    longest = max(sensor.interval, LONGEST_PAUSE)
    return min(sensor.interval * 2.0 ** min(kept.failures, DOUBLINGS), longest)


def waits(sensor: Sensor, kept: KeptSensor, now: float, code: str | None) -> float:
    """Seconds until it is asked. Other code than what failed is asked without more ado.

    A clock that was set lets it wait for one pause at most.
    """
    if kept.look is None:
        return 0.0
    pause = pause_after(sensor, kept)
    if kept.failures and kept.look.code != code:
        pause = sensor.interval
    return min(max(0.0, pause - (now - kept.look.at)), pause)


def wishes(sensor: Sensor, runs: Sequence[RequestedRun]) -> list[RunWish]:
    """The runs that were asked for. A key is the sensor's own: others may have the same."""
    location, repository, name = sensor.place
    by = {"kind": "sensor", "name": name, "repository": repository}
    return [
        RunWish(
            location,
            repository,
            sensor.job,
            params=run.params,
            tags=run.tags,
            by=by,
            key=None if run.key is None else key_of(sensor.place, run.key),
        )
        for run in runs
    ]


def key_of(place: SchedulePlace, key: str) -> str:
    """By which the book knows a run that a sensor has given a key."""
    return f"sensor {place.repository}/{place.name}: {key}"


def looked(
    kept: KeptSensor, evaluation: Evaluation, now: float, started: Sequence[RunRecord] = ()
) -> KeptSensor:
    """What is kept after it; `started`: the runs that are new. A failure leaves the cursor."""
    if evaluation.failed:
        look = SensorLook(now, "failed", evaluation.summary, code=evaluation.code)
        return replace(kept, look=look, failures=kept.failures + 1)
    state: SensorState = "run" if started else "skipped"
    why = evaluation.skipped
    if evaluation.runs and not started:
        why = "all of its runs have been started before"
    look = SensorLook(now, state, why, len(started), evaluation.code)
    run = max((each.id for each in started), default=kept.run)
    return KeptSensor(evaluation.cursor, look, 0, run)


def last_look(kept: KeptSensor) -> dict[str, Any] | None:
    """The newest evaluation as clients are told of it: as they are of a tick."""
    look = kept.look
    if look is None:
        return None
    run = kept.run if look.state == "run" else None
    return {
        "at": look.at,
        "scheduled_for": None,
        "state": look.state,
        "run": run,
        "why": look.why,
    }
