"""The process of one evaluation: what it asks, what it accepts, what it leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pythons import VERSIONS, interpreter
from tests.runner.process.attempts import Attempt, Attempts
from tests.runner.process.conftest import clean_environment

SHOP = """
from codeloc import Definitions, Run, Skip, job, resource, schedule, sensor
from prices import PRICE

@resource
def folder(context):
    yield ["a", "b"]
    print("closed", context.location)

@job
def refresh(day: str = "today"): ...

@schedule(cron="0 6 * * *", job=refresh, timezone="Europe/Oslo")
def morning(context):
    print(context.scheduled_for.isoformat(), context.generation, context.last_run)

@sensor(job="refresh")
def files(context, folder):
    seen = context.cursor or []
    context.cursor = folder
    for name in folder:
        if name not in seen:
            yield Run(key=name, params={"day": name}, tags={"file": name})

@sensor(job="refresh")
def idle(context):
    context.log.info("price %s", PRICE)
    context.cursor = {"looked": True}
    return Skip("nothing new")

@sensor(job="refresh")
def after(context): return context.last_run.state == "failed"

@sensor(job="refresh")
def broken(context):
    context.cursor = 3
    yield Run(key="a")
    raise ValueError("no such folder")

@sensor(job="refresh")
def quiet(context): ...

@sensor(job="refresh")
def wrong(context): return ["a"]

@sensor(job="refresh")
def mixed(context): return [Run(), Skip("why")]

@sensor(job="refresh")
def misspelt(context): return Run(params={"dya": "x"})

@sensor(job="refresh")
def endless(context):
    while True:
        yield Run()

@sensor(job="refresh")
async def later(context): ...

@sensor(job="refresh")
def pointer(context): context.cursor = object()

defs = Definitions(
    jobs=[refresh], schedules=[morning], resources={"folder": folder},
    sensors=[files, idle, after, broken, quiet, wrong, mixed, misspelt, endless, later, pointer],
)
"""


class Evaluations(Attempts):
    """Starts evaluations of one location."""

    def ask(self, python: str, target: Path, name: str, *, warm: Any = None, **facts: Any) -> Any:
        order = self.order(target, evaluate=name, **facts)
        order["result"] = str(Path(order["folder"]) / "result.1")
        return self(python, order, warm=warm)


def told(evaluation: Attempt) -> dict[str, Any]:
    """What it leaves, once it has ended."""
    status = evaluation.wait()
    said: dict[str, Any] = json.loads(evaluation.file("result").read_text())
    assert status == (0 if said["state"] == "succeeded" else 1), evaluation.errors()
    return said


@pytest.fixture
def evaluations(bundle, tmp_path):
    evaluations = Evaluations(bundle, tmp_path, {**clean_environment(), "TMPDIR": str(tmp_path)})
    yield evaluations
    evaluations.end()


@pytest.fixture
def current() -> str:
    """For what does not depend on the version."""
    return str(interpreter(VERSIONS[-2]))


@pytest.fixture
def shop(code: Path) -> Path:
    (code / "prices.py").write_text("PRICE = 10\n")
    (code / "defs.py").write_text(SHOP)
    return code / "defs.py"


def run(key: str | None = None, **others: Any) -> dict[str, Any]:
    return {"params": {}, "tags": {}, "key": key, **others}


def test_a_schedule_knows_its_time_in_its_zone_and_starts_one_run(
    evaluations, shop, python
) -> None:
    """Python 3.8 has no zones: there the offset is the daemon's."""
    facts = {"scheduled_for": 1767243600.0, "utc_offset": 3600.0, "generation": 9}
    evaluation = evaluations.ask(python, shop, "morning", **facts)
    said = told(evaluation)

    assert (said["runs"], said["skipped"], said["cursor"]) == ([run()], None, None)
    assert evaluation.printed["stdout"].decode() == "2026-01-01T06:00:00+01:00 9 None\n"


def test_a_sensor_yields_runs_keeps_a_cursor_and_closes_resources(
    evaluations, shop, python
) -> None:
    evaluation = evaluations.ask(python, shop, "files", cursor=["a"])
    said = told(evaluation)

    assert said["runs"] == [run("b", params={"day": "b"}, tags={"file": "b"})]
    assert (said["cursor"], said["state"], said["problem"]) == (["a", "b"], "succeeded", None)
    assert evaluation.printed["stdout"] == b"closed sales\n"


def test_a_sensor_that_skips_says_why_and_keeps_its_cursor(evaluations, shop, extreme) -> None:
    evaluation = evaluations.ask(extreme, shop, "idle")
    said = told(evaluation)

    assert (said["runs"], said["skipped"]) == ([], "nothing new")
    assert said["cursor"] == {"looked": True}
    assert "INFO price 10" in evaluation.errors()


def test_true_starts_one_run_and_nothing_starts_none(evaluations, shop, current) -> None:
    last = {"id": 16, "state": "failed", "key": None, "queued": 1.0, "ended": 2.0}
    for name, runs in (("after", [run()]), ("quiet", [])):
        assert told(evaluations.ask(current, shop, name, last_run=last))["runs"] == runs
    last["state"] = "succeeded"
    assert told(evaluations.ask(current, shop, "after", last_run=last))["runs"] == []


def test_an_exception_is_told_with_the_lines_of_the_function(evaluations, shop, extreme) -> None:
    said = told(evaluations.ask(extreme, shop, "broken"))

    assert (said["state"], said["why"]) == ("failed", "exception")
    assert said["summary"].startswith("ValueError: no such folder (defs.py:")
    assert 'raise ValueError("no such folder")' in said["problem"]["detail"]
    assert "codeloc_runner" not in said["problem"]["detail"]
    assert "runs" not in said
    assert "cursor" not in said


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("wrong", "returned[0]: got str, expected Run(…)"),
        ("mixed", "returned: Skip beside others: one Skip, or runs"),
        ("misspelt", 'Run: no parameter "dya" of job "refresh"; did you mean "day"?'),
        ("endless", "returned: more than 1000 runs at a time"),
        ("later", "is async: call asyncio.run() in a plain function"),
        ("pointer", "cursor: got object, expected what JSON can hold"),
        ("absent", 'no schedule and no sensor "absent"'),
    ],
)
def test_what_it_must_not_return_is_one_line(evaluations, shop, current, name, summary) -> None:
    said = told(evaluations.ask(current, shop, name))

    assert (said["state"], said["why"], said["problem"]) == ("failed", "usage", None)
    assert summary in said["summary"]
    assert "\n" not in said["summary"]


def test_code_that_does_not_load_is_told_as_such(evaluations, shop, current) -> None:
    shop.write_text("import nothing_like_that\n")
    said = told(evaluations.ask(current, shop, "files"))

    assert (said["state"], said["why"]) == ("failed", "load")
    assert "nothing_like_that" in said["summary"]


def test_it_asks_the_texts_that_are_served(evaluations, shop, current, start) -> None:
    kept = evaluations.folder / "texts"
    kept.mkdir()
    runner = start(current, shop, code=kept)
    runner.load()
    manifest = runner.call("manifest")
    shop.write_text("raise SystemExit\n")
    facts = {"cursor": ["a", "b"], "code": str(kept), "manifest": manifest}
    said = told(evaluations.ask(current, shop, "files", **facts))

    assert (said["state"], said["runs"], said["late"]) == ("succeeded", [], {})


@pytest.mark.skipif(sys.platform != "linux", reason="forks are adopted on Linux alone")
def test_a_fork_of_the_warm_interpreter_asks_the_same(evaluations, shop, extreme, warm) -> None:
    said = told(evaluations.ask(extreme, shop, "files", warm=warm(extreme)))
    assert [each["key"] for each in said["runs"]] == ["a", "b"]


def test_a_run_knows_the_time_that_it_is_for_in_the_zone_of_its_schedule(
    evaluations, code, extreme
) -> None:
    (code / "defs.py").write_text(
        "from codeloc import Definitions, job\n"
        "@job\n"
        "def refresh(context): print(context.scheduled_for.isoformat())\n"
        "defs = Definitions(jobs=[refresh])\n"
    )
    facts = {"scheduled_for": 1767243600.0, "timezone": "Europe/Oslo", "utc_offset": 3600.0}
    order = evaluations.order(code / "defs.py", job="refresh", **facts)
    attempt = evaluations(extreme, order)
    assert attempt.result()["state"] == "succeeded"
    assert attempt.printed["stdout"] == b"2026-01-01T06:00:00+01:00\n"
