"""What a sensor is, when it is asked, what comes of its answers; what is believed of an answer."""

from __future__ import annotations

import json

import pytest

from codelocd.runs import sensing
from codelocd.runs.evaluation import (
    Evaluation,
    RequestedRun,
)
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.sensing import KeptSensor, Sensor, SensorLook
from codelocd.runs.ticks import SchedulePlace

PLACE = SchedulePlace("sales", "__repository__", "files")
SENSOR = Sensor(PLACE, "refresh", 30.0)
LISTED = {
    "location": "sales",
    "repository": "__repository__",
    "name": "files",
    "kind": "sensor",
    "job": "refresh",
    "minimum_interval": 30.0,
}
FAILURE = Evaluation(summary="ValueError: no", code="c3")


def record(number: int) -> RunRecord:
    return RunRecord(RunId(number), "u", RunWish("sales"), queued=0.0)


def test_a_sensor_is_asked_no_more_often_than_each_second() -> None:
    assert Sensor.of(LISTED) == SENSOR
    assert Sensor.of({**LISTED, "minimum_interval": 0.001}).interval == sensing.SHORTEST
    with pytest.raises((KeyError, TypeError)):
        Sensor.of({**LISTED, "minimum_interval": None})  # of Dagster's


def test_it_is_asked_at_once_and_then_an_interval_after_each_end() -> None:
    assert sensing.waits(SENSOR, KeptSensor(), 100.0, "c3") == 0.0
    kept = sensing.looked(KeptSensor(), Evaluation(code="c3"), 100.0)
    assert sensing.waits(SENSOR, kept, 100.0, "c3") == 30.0
    assert sensing.waits(SENSOR, kept, 120.0, "c4") == 10.0
    assert sensing.waits(SENSOR, kept, 500.0, "c3") == 0.0
    assert sensing.waits(SENSOR, kept, 0.0, "c3") == 30.0  # the clock was set back


def test_failures_double_the_pause_up_to_five_minutes_and_new_code_ends_that() -> None:
    kept, pauses = KeptSensor(cursor=7), []
    for _ in range(6):
        kept = sensing.looked(kept, FAILURE, 100.0)
        pauses.append(sensing.waits(SENSOR, kept, 100.0, "c3"))
    assert pauses == [60.0, 120.0, 240.0, 300.0, 300.0, 300.0]
    assert sensing.waits(SENSOR, kept, 100.0, "c4") == 30.0
    assert (kept.cursor, kept.failures) == (7, 6)
    assert kept.look == SensorLook(100.0, "failed", "ValueError: no", code="c3")
    good = sensing.looked(kept, Evaluation(cursor=8, code="c3"), 200.0)
    assert (good.cursor, good.failures, sensing.waits(SENSOR, good, 200.0, "c3")) == (8, 0, 30.0)


def test_a_long_interval_is_not_shortened_by_failures() -> None:
    hourly = Sensor(PLACE, "refresh", 3600.0)
    kept = KeptSensor(failures=10_000, look=SensorLook(0.0, "failed"))
    assert sensing.waits(hourly, kept, 0.0, None) == 3600.0


def test_runs_are_asked_for_with_keys_of_the_sensors_own() -> None:
    asked = [RequestedRun({"day": "x"}, {"a": "b"}, "k"), RequestedRun()]
    first, second = sensing.wishes(SENSOR, asked)
    assert (first.location, first.job, first.params) == ("sales", "refresh", {"day": "x"})
    assert (first.tags, first.key) == ({"a": "b"}, "sensor __repository__/files: k")
    assert first.by == {"kind": "sensor", "name": "files", "repository": "__repository__"}
    assert second.key is None


def test_what_an_evaluation_comes_to() -> None:
    asked = Evaluation((RequestedRun(), RequestedRun()), cursor="c")
    kept = sensing.looked(KeptSensor(), asked, 5.0, [record(3), record(4)])
    assert (kept.run, kept.cursor, kept.look) == (4, "c", SensorLook(5.0, "run", None, 2))
    known = sensing.looked(kept, asked, 6.0, [])
    assert known.look is not None
    assert (known.look.state, known.run) == ("skipped", 4)
    assert known.look.why == "all of its runs have been started before"
    idle = sensing.looked(kept, Evaluation(skipped="nothing new"), 7.0)
    assert idle.look == SensorLook(7.0, "skipped", "nothing new")


def test_what_clients_are_told_of_an_evaluation() -> None:
    kept = KeptSensor(7, SensorLook(5.0, "run", None, 2, "c9"), 0, RunId(4))
    told = {"at": 5.0, "scheduled_for": None, "state": "run", "run": 4, "why": None}
    assert sensing.last_look(kept) == told
    idle = sensing.looked(kept, Evaluation(skipped="nothing new"), 7.0)
    told = {"at": 7.0, "state": "skipped", "run": None, "why": "nothing new"}
    assert sensing.last_look(idle) == {**told, "scheduled_for": None}
    assert sensing.last_look(KeptSensor()) is None


def test_what_is_kept_is_read_again() -> None:
    kept = KeptSensor({"a": [1]}, SensorLook(1.0, "run", None, 2, "c9"), 0, RunId(3))
    text = json.dumps(sensing.encoded_sensor(kept))
    assert sensing.decoded_sensor(json.loads(text)) == kept
    newer = json.loads(text)
    newer["look"]["since"] = newer["since"] = 7
    assert sensing.decoded_sensor(newer) == kept
    assert sensing.decoded_sensor(sensing.encoded_sensor(KeptSensor())) == KeptSensor()
