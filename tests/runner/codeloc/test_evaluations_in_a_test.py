"""`Definitions.evaluate` in a unit test, without a daemon."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from codeloc import (
    Definitions,
    DefinitionsError,
    LastRun,
    Run,
    RunError,
    ScheduleContext,
    SensorContext,
    Skip,
    asset,
    job,
    repository,
    resource,
    schedule,
    sensor,
)


@job
def refresh(day: datetime.date = datetime.date(2026, 1, 1)) -> None: ...


@schedule(cron="0 6 * * *", job=refresh, timezone="Europe/Oslo")
def morning(context: ScheduleContext) -> Run | Skip | None:
    if context.scheduled_for.isoweekday() > 5:
        return Skip("weekend")
    if context.last_run and context.last_run.state == "running":
        return None
    return Run(params={"day": str(context.scheduled_for.date())})


@sensor(job=refresh)
def files(context: SensorContext, folder: list[str]) -> Iterator[Run]:
    seen, context.cursor = context.cursor or 0, len(folder)
    for name in folder[seen:]:
        yield Run(key=name)


def shop(*others: Any, folder: Any = ("a", "b")) -> Definitions:
    return Definitions(
        jobs=[refresh],
        schedules=[morning],
        sensors=[files, *others],
        resources={"folder": folder},
    )


def test_a_schedule_is_asked_for_a_time_in_its_zone() -> None:
    friday = datetime.datetime(2026, 1, 2, 23, 30, tzinfo=datetime.UTC)
    assert shop().evaluate("morning", scheduled_for=friday).skipped == "weekend"
    found = shop().evaluate(morning, scheduled_for=friday - datetime.timedelta(hours=1))
    assert [run.params for run in found.runs] == [{"day": "2026-01-02"}]
    assert found.skipped is None


def test_none_is_one_run_of_a_schedule() -> None:
    running = LastRun(id=16, state="running")
    monday = datetime.datetime(2026, 1, 5, 5, tzinfo=datetime.UTC)
    (run,) = shop().evaluate(morning, scheduled_for=monday, last_run=running).runs
    assert (run.params, run.tags, run.key) == ({}, {}, None)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(DefinitionsError, match="scheduled_for: it has no time zone"):
        shop().evaluate(morning, scheduled_for=datetime.datetime(2026, 1, 5))  # noqa: DTZ001
    wrong: Any = "2026-01-05"
    with pytest.raises(DefinitionsError, match="scheduled_for: got str, expected a datetime"):
        shop().evaluate(morning, scheduled_for=wrong)


@pytest.mark.parametrize("key", ["", "x" * 501])
def test_a_key_has_1_to_500_characters(key: str) -> None:
    with pytest.raises(DefinitionsError, match=f"key: {len(key)} characters, not 1 to 500"):
        Run(key=key)


def test_a_sensor_yields_runs_and_moves_its_cursor() -> None:
    found = shop().evaluate(files)
    assert [run.key for run in found.runs] == ["a", "b"]
    assert found.cursor == 2
    found = shop().evaluate("files", cursor=1)
    assert [run.key for run in found.runs] == ["b"]


@pytest.mark.parametrize(
    ("returned", "runs"), [(None, 0), (False, 0), (True, 1), ([], 0), ((Run(), Run()), 2)]
)
def test_what_a_sensor_may_return(returned: Any, runs: int) -> None:
    one = sensor(job=refresh, name="one")(lambda: returned)
    assert len(shop(one).evaluate("one").runs) == runs


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (3, "returned: got int, expected None, True, False, Run"),
        ({"a": Run()}, "returned: got dict"),
        ("a", "returned: got str"),
        ([Run(), None], r"returned\[1\]: got None, expected Run"),
        ([Skip("a"), Skip("b")], "returned: Skip beside others"),
        (Run(params={"dya": 1}), 'Run: no parameter "dya" of job "refresh"; did you mean "day"'),
        (Run(params={"day": "x"}), "Run: parameter \"day\": 'x' is no date"),
    ],
)
def test_what_it_may_not(returned: Any, complaint: str) -> None:
    one = sensor(job=refresh, name="one")(lambda: returned)
    with pytest.raises(RunError, match=complaint):
        shop(one).evaluate("one")


def test_a_cursor_is_what_json_can_hold() -> None:
    def one(context: SensorContext) -> None:
        context.cursor = {"at": datetime.date(2026, 1, 1)}

    with pytest.raises(RunError, match=r"cursor\['at'\]: got date, expected what JSON"):
        shop(sensor(job=refresh)(one)).evaluate("one")


def test_exceptions_are_raised_and_resources_closed() -> None:
    closed = []

    @resource
    def folder() -> Iterator[list[str]]:
        yield ["a"]
        closed.append("folder")

    def one(folder: list[str]) -> None:
        raise LookupError(folder[0])

    with pytest.raises(LookupError):
        shop(sensor(job=refresh)(one), folder=folder).evaluate("one")
    assert closed == ["folder"]


def test_a_repository_has_it_too_and_a_wrong_name_is_told() -> None:
    @repository
    def old() -> list[Any]:
        return [refresh, morning]

    with pytest.raises(RunError, match='no schedule and no sensor "mornin"; did you mean'):
        old.evaluate("mornin")


def test_the_value_of_an_asset_is_for_the_job() -> None:

    @asset
    def orders() -> int:
        return 1

    @sensor(job=refresh)
    def one(orders: int) -> bool:
        return orders > 0

    defs = Definitions(assets=[orders], jobs=[refresh], sensors=[one])
    with pytest.raises(RunError, match="takes the value of orders, which only its job can"):
        defs.evaluate("one")
