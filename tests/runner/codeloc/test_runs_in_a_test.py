"""`Definitions.run` in a unit test, without a daemon."""

from __future__ import annotations

import datetime
import logging
import typing
from typing import Any

import pytest

import codeloc
from codeloc import (
    AssetDefinition,
    Definitions,
    RunError,
    asset,
    asset_check,
    asset_job,
    job,
    repository,
    resource,
)

# What is taken as a parameter has no type here: it is what the asset of that name returned.


@asset(group="raw", tags={"tier": "1"}, kinds={"csv"}, owners=["team:data"])
def raw_orders(context, day: str = "today"):
    context.add_metadata({"day": day}, rows=2)
    return [{"paid": True}, {"paid": False}]


@asset(key_prefix="mart")
def orders(raw_orders):
    return [order for order in raw_orders if order["paid"]]


@asset
def report(orders):
    return f"{len(orders)} paid"


@asset(deps=["ext/customers"])
def unrelated():
    return 1


ASSETS: list[AssetDefinition[..., Any]] = [report, orders, raw_orders, unrelated]


def shop(**others: Any) -> Definitions:
    return Definitions(assets=ASSETS, jobs=[asset_job("nightly", ASSETS[:3])], **others)


def broken(raw_orders):
    raise ValueError("no such column\nmore")


def test_a_job_runs_in_the_order_of_dependencies_and_returns_values() -> None:
    result = shop().run("nightly")

    assert result.succeeded
    assert [each.name for each in result.outcomes] == ["raw_orders", "mart/orders", "report"]
    assert result.values["report"] == "1 paid"
    assert result["raw_orders"].metadata == {"day": "today", "rows": 2}


def test_what_depends_on_a_failure_is_skipped_and_the_rest_goes_on() -> None:
    one = asset(key="mart/orders")(broken)
    result = Definitions(assets=[raw_orders, one, report, unrelated]).run()

    states = {each.name: (each.state, each.why) for each in result.outcomes}
    assert states == {
        "raw_orders": ("succeeded", None),
        "mart/orders": ("failed", "exception"),
        "report": ("skipped", "mart/orders failed"),
        "unrelated": ("succeeded", None),
    }
    assert (result.state, result.why) == ("failed", "exception")
    assert result["mart/orders"].summary == "ValueError: no such column"
    with pytest.raises(ValueError, match="no such column"):
        result.raise_failure()


@pytest.mark.parametrize(
    ("items", "names"),
    [
        ("group:raw", ["raw_orders"]),
        ("+mart/orders", ["raw_orders", "mart/orders"]),
        ("raw_orders+", ["raw_orders", "mart/orders", "report"]),
        ("raw_orders+1", ["raw_orders", "mart/orders"]),
        ("1+report", ["mart/orders", "report"]),
        ("1+mart/orders+1", ["raw_orders", "mart/orders", "report"]),
        ("key:mart/*", ["mart/orders"]),
        ("*", ["raw_orders", "mart/orders", "report", "unrelated"]),
        ("tag:tier=1", ["raw_orders"]),
        ("kind:csv", ["raw_orders"]),
        ("owner:team:data", ["raw_orders"]),
        (["unrelated", raw_orders], ["raw_orders", "unrelated"]),
    ],
)
def test_assets_are_chosen_in_the_words_of_dagster(items: Any, names: list[str]) -> None:
    given: dict[str, Any] = {"raw_orders": [], "mart/orders": []}
    result = shop().run(assets=items, values=given)

    assert [each.name for each in result.outcomes] == names


@pytest.mark.parametrize(
    ("items", "complaint"),
    [
        ("reprot", "no asset is meant by 'reprot'; did you mean \"report\"?"),
        ("group:rwa", "no asset is meant by 'group:rwa'"),
        ("colour:red", "'colour' is none of key, group, kind, owner, tag"),
        ("a and b", "'a and b' is no selection: write a key"),
        ("+", "'+' is no selection"),
        ([], "assets: it is empty; left out, it means all assets"),
    ],
)
def test_a_selection_that_means_nothing_is_refused(items: Any, complaint: str) -> None:
    with pytest.raises(RunError) as caught:
        shop().run(assets=items)
    assert complaint in str(caught.value)


def test_a_value_that_is_not_there_is_missed_before_anything_runs() -> None:
    ran: list[int] = []

    @asset
    def first():
        ran.append(1)

    @asset
    def second(first, orders): ...

    defs = Definitions(assets=[raw_orders, orders, first, second])
    with pytest.raises(RunError, match=r"second.*takes mart/orders.*--upstream"):
        defs.run(assets=["first", "second"])
    assert ran == []
    assert defs.run(assets="second", upstream=True).succeeded
    assert defs.run(assets="second", values={"first": 1, "mart/orders": []}).succeeded
    with pytest.raises(RunError, match="values: no asset 'frist'; did you mean \"first\""):
        defs.run(assets="second", values={"frist": 1, "mart/orders": []})


def test_what_the_function_of_a_job_takes_is_made_before_it_if_asked_for() -> None:
    use = job(name="use")(lambda report: report)
    defs = Definitions(assets=ASSETS, jobs=[use])
    with pytest.raises(RunError, match="takes report"):
        defs.run("use")
    result = defs.run("use", upstream=True)
    assert [each.name for each in result.outcomes][-2:] == ["report", "use"]
    assert result.values["use"] == "1 paid"
    failing = Definitions(assets=[raw_orders, asset(key="report")(broken)], jobs=[use])
    assert failing.run("use", upstream=True)["use"].why == "report failed"


class Events(list[str]):
    """What happened, in order."""


def test_resources_that_yield_are_closed_the_last_first() -> None:
    events = Events()

    @resource
    def outer(context):
        events.append(f"open {context.name}")
        yield "o"
        events.append("close outer")

    @resource
    def inner():
        yield "i"
        events.append("close inner")

    @job
    def use(outer, inner, limit):
        events.append(f"{outer}{inner}{limit}")

    defs = Definitions(jobs=[use], resources={"outer": outer, "inner": inner, "limit": 10})
    assert defs.run("use").succeeded
    assert events == ["open outer", "oi10", "close inner", "close outer"]


def test_a_resource_is_made_once_and_its_failure_fails_each_that_needs_it() -> None:
    made: list[int] = []

    @resource
    def db():
        made.append(1)
        raise ConnectionError("refused")

    one, two = (asset(name=name)(lambda db: db) for name in ("one", "two"))
    result = Definitions(assets=[one, two, unrelated], resources={"db": db}).run()

    assert [each.state for each in result.outcomes] == ["failed", "failed", "succeeded"]
    assert made == [1]


def test_a_resource_that_fails_to_close_fails_the_run() -> None:
    @resource
    def db():
        yield 1
        raise OSError("commit failed")

    result = Definitions(jobs=[job(name="use")(lambda db: db)], resources={"db": db}).run("use")

    assert result.state == "failed"
    assert (result["db"].kind, result["db"].summary) == ("resource", "OSError: commit failed")


@pytest.mark.parametrize(
    ("returned", "state", "summary"),
    [
        (True, "passed", None),
        (False, "failed", None),
        ((False, "newest row is 3 days old"), "failed", "newest row is 3 days old"),
        (None, "error", "it returned None, expected True or False, or a pair of it and a text"),
        (1, "error", "it returned int, expected True or False, or a pair of it and a text"),
        (AssertionError("empty"), "failed", "empty"),
        (ValueError("what"), "error", "ValueError: what"),
    ],
)
def test_a_check_says_what_it_found(returned: Any, state: str, summary: str | None) -> None:
    @asset_check(asset=orders)
    def not_empty(orders):
        if isinstance(returned, Exception):
            raise returned
        return returned

    result = shop(asset_checks=[not_empty]).run("nightly")

    (check,) = result["mart/orders"].checks
    assert (check.state, check.summary) == (state, summary)
    assert result.why == (None if state == "passed" else "check")
    assert result["report"].state == "succeeded"


def test_a_check_that_blocks_skips_what_is_downstream_and_one_that_warns_only_tells() -> None:
    def bad():
        return False

    blocking = asset_check(asset=orders, blocking=True, name="fresh")(bad)
    warning = asset_check(asset=orders, severity="warn", name="pretty")(bad)

    blocked = shop(asset_checks=[blocking]).run("nightly")
    warned = shop(asset_checks=[warning]).run("nightly")

    assert blocked["report"].why == "check fresh of mart/orders blocks"
    assert blocked.state == "failed"
    assert (warned.state, warned["report"].state) == ("succeeded", "succeeded")
    with pytest.raises(RunError, match='check "fresh" of mart/orders failed'):
        blocked.raise_failure()


def test_checks_can_be_left_out_or_run_alone() -> None:
    @asset_check(asset=orders)
    def not_empty(orders):
        return bool(orders), f"{len(orders)} rows"

    defs = shop(asset_checks=[not_empty])
    assert defs.run("nightly", checks="without")["mart/orders"].checks == []
    alone = defs.run("nightly", checks="only", values={"mart/orders": []})
    (outcome,) = alone.outcomes
    assert (outcome.state, outcome.checks[0].summary) == ("checked", "0 rows")
    with pytest.raises(RunError, match="takes mart/orders"):
        defs.run("nightly", checks="only")


def test_parameters_are_checked_by_name_and_annotation() -> None:
    seen: list[Any] = []

    @job
    def refresh(
        context,
        day: datetime.date = datetime.date(2026, 1, 1),
        count: int = 1,
        rate: float = 0.5,
        full=False,
        name: str | None = None,
    ):
        seen.append((day, count, rate, full, name, context.params))

    defs = Definitions(jobs=[refresh])
    given = {"day": "2026-11-01", "count": "3", "rate": 2, "full": "yes", "name": "x"}
    defs.run("refresh", params=given).raise_failure()

    expected = (datetime.date(2026, 11, 1), 3, 2, True, "x")
    assert seen[0][:5] == expected
    assert seen[0][5] == dict(zip(given, expected, strict=True))
    told = defs.describe()[0]["parameters"]
    assert {each["name"]: (each["type"], each["default"]) for each in told} == {
        "day": ("date", None),
        "count": ("int", 1),
        "rate": ("float", 0.5),
        "full": ("bool", False),
        "name": ("str", None),
    }


def test_a_parameter_of_a_list_of_numbers_is_no_number() -> None:
    def refresh(many=(), more=(), former=None, later=None): ...

    evaluated = {"many": typing.List[int], "more": list[int], "former": typing.Optional[int]}  # noqa: UP006, UP045
    refresh.__annotations__ = {**evaluated, "later": int | None}
    defs = Definitions(jobs=[job(refresh)])
    told = {each["name"]: each["type"] for each in defs.describe()[0]["parameters"]}
    assert told == {"many": None, "more": None, "former": "int", "later": "int"}
    defs.run("refresh", params={"many": "1,2", "more": [1]}).raise_failure()


def test_defaults_that_have_no_form_in_json_are_not_told() -> None:
    @job
    def refresh(most: int = 2**63 - 1, more: int = 2**64, less=-(2**80), rate=float("nan")): ...

    told = {
        each["name"]: each["default"]
        for each in Definitions(jobs=[refresh]).describe()[0]["parameters"]
    }
    assert told == {"most": 2**63 - 1, "more": None, "less": None, "rate": None}


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"dya": "x"}, 'no parameter "dya" of job "nightly"'),
        ({"day": 3}, 'parameter "day": got int, expected str'),
    ],
)
def test_a_parameter_that_does_not_fit_fails(params: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RunError) as caught:
        shop().run("nightly", params=params)
    assert complaint in str(caught.value)


def test_the_context_tells_of_the_run(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[codeloc.RunContext] = []

    @job
    def refresh(context):
        seen.append(context)
        context.log.info("at work")

    with caplog.at_level(logging.INFO):
        Definitions(jobs=[refresh]).run(refresh, tags={"team": "shop"}).raise_failure()

    (context,) = seen
    assert (context.run, context.attempt, context.tags) == (0, 1, {"team": "shop"})
    assert (context.scheduled_for, context.generation, context.location) == (None, None, None)
    assert [(each.name, each.message) for each in caplog.records] == [
        ("codeloc.refresh", "at work")
    ]


def test_a_cancelled_run_closes_its_resources_and_stays_cancelled() -> None:
    events = Events()

    @resource
    def db():
        yield 1
        events.append("closed")

    @asset
    def first(db):
        try:
            raise codeloc.Cancelled
        finally:
            events.append("finally")

    @asset
    def second(): ...

    result = Definitions(assets=[first, second], resources={"db": db}).run()

    assert result.state == "cancelled"
    assert [each.state for each in result.outcomes] == ["cancelled", "skipped"]
    assert events == ["finally", "closed"]


def test_an_interrupt_goes_on_after_the_resources_are_closed() -> None:
    events = Events()

    @resource
    def db():
        yield 1
        events.append("closed")

    @job
    def use(db):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Definitions(jobs=[use], resources={"db": db}).run("use")
    assert events == ["closed"]


def test_a_resource_named_io_stores_and_loads() -> None:
    stored: dict[str, Any] = {"raw_orders": [{"paid": True}]}

    class Io:
        def store(self, context, value):
            stored["/".join(context.key)] = value

        def load(self, context):
            return stored["/".join(context.key)]

    defs = Definitions(assets=ASSETS[:3], resources={"io": Io()})
    assert defs.run(assets=["mart/orders", "report"]).succeeded
    assert stored["mart/orders"] == [{"paid": True}]
    assert stored["report"] == "1 paid"


def test_functions_that_a_run_cannot_call_say_what_to_do() -> None:
    @asset
    async def later(): ...

    @asset
    def lazy():
        yield 1

    result = Definitions(assets=[later, lazy]).run()

    assert "is async: call asyncio.run()" in str(result["later"].error)
    assert "yields: return the value" in str(result["lazy"].error)


def test_a_repository_runs_too_and_a_job_that_is_not_there_is_told() -> None:
    @repository
    def older():
        return [*ASSETS, asset_job("nightly", ["report"])]

    assert older.run("nightly", upstream=True).values["report"] == "1 paid"
    with pytest.raises(RunError, match='job "nihgtly" does not exist; did you mean "nightly"'):
        older.run("nihgtly")


def test_positional_only_and_partial_functions_are_given_their_values() -> None:
    @asset
    def first(raw_orders, /, extra: int = 2, *, unrelated):
        return len(raw_orders) + extra + unrelated

    defs = Definitions(assets=[raw_orders, unrelated, first])
    assert defs.run(params={"extra": "5"}).values["first"] == 8


def test_what_a_schedule_returns_is_checked() -> None:
    run = codeloc.Run(params={"day": "x"}, tags={"a": "b"}, key="k")

    assert (run.params, run.tags, run.key) == ({"day": "x"}, {"a": "b"}, "k")
    assert codeloc.Skip("no file").why == "no file"
    with pytest.raises(codeloc.ArgumentError, match="params: got list"):
        codeloc.Run(params=[])  # type: ignore[arg-type]
