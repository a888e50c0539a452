"""The process of one attempt of a run of Dagster's, on an instance of its own."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.runner.process.attempts import Attempts
from tests.runner.process.conftest import clean_environment
from tests.runner.process.warm_starts import WarmInterpreter

SHOP = """
import time
from pathlib import Path
import dagster as dg

@dg.asset
def raw_orders(context):
    context.log.info("to the log")
    print("to stdout")
    return dg.Output([1, 2], metadata={"rows": 1204})

@dg.asset(key_prefix=["mart"], group_name="mart")
def orders(raw_orders):
    return sum(raw_orders)

@dg.asset_check(asset=orders)
def not_empty(orders):
    return dg.AssetCheckResult(passed=orders > 0, metadata={"sum": orders})

@dg.asset_check(asset=orders)
def fresh():
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)

@dg.asset
def broken():
    raise ValueError("never")

@dg.asset
def report(broken): ...

@dg.op(config_schema={"day": str})
def take(context):
    print("day", context.op_config["day"])

@dg.job
def refresh():
    take()

@dg.op
def where():
    import __main__, os
    print("step in", os.getpid(), getattr(__main__, "__file__", None), flush=True)

@dg.job(executor_def=dg.multiprocess_executor)
def in_processes():
    where()

@dg.op
def stay():
    try:
        print("stays", flush=True)
        time.sleep(1000)
    finally:
        print("finally", flush=True)

@dg.job
def wait():
    stay()

@dg.op
def linger():
    print("lingers", flush=True)
    while not Path(__file__).with_name("go").exists():
        time.sleep(0.01)

@dg.job
def goes_when_told():
    linger()

daily = dg.DailyPartitionsDefinition("2026-01-01")

@dg.asset(partitions_def=daily)
def by_day(context):
    print("makes", context.partition_key)

letters = dg.StaticPartitionsDefinition(["a", "b"])

@dg.asset(partitions_def=letters)
def by_letter(): ...

@dg.asset(partitions_def=dg.MultiPartitionsDefinition({"day": daily, "letter": letters}))
def by_both(): ...

@dg.op(out=dg.DynamicOut())
def many():
    for number in range(2):
        yield dg.DynamicOutput(number, mapping_key=f"m{number}")

@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def twice(context, number):
    if number and not context.retry_number:
        raise ValueError("once more")
    return 2 * number

@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def never(numbers):
    raise ValueError(f"never {sum(numbers)}")

@dg.op(out={"one": dg.Out(is_required=False), "other": dg.Out(is_required=False)})
def either():
    yield dg.Output(1, "one")

@dg.job
def branches():
    one, other = either()
    twice.alias("taken")(one)
    twice.alias("left")(other)

@dg.job
def fan():
    many().map(twice).collect()

@dg.job
def fan_fails():
    never(many().map(twice).collect())

nightly = dg.define_asset_job("nightly", selection=["raw_orders", "mart/orders"])
defs = dg.Definitions(
    assets=[raw_orders, orders, broken, report, by_day, by_letter, by_both],
    asset_checks=[not_empty, fresh],
    jobs=[nightly, refresh, wait, in_processes, fan, branches, fan_fails, goes_when_told],
    executor=dg.in_process_executor,
)
"""

ASK = """
import json, sys
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    run = instance.get_run_by_id(sys.argv[1])
    if run is None:
        print("null")
        sys.exit()
    origin = getattr(run, "remote_job_origin", None) or getattr(run, "external_job_origin", None)
    parts = getattr(origin, "repository_origin", None) or origin.external_repository_origin
    events = [log.dagster_event.event_type_value for log in instance.all_logs(run.run_id)
              if log.dagster_event]
    print(json.dumps({
        "status": run.status.value, "job": run.job_name, "tags": dict(run.tags), "events": events,
        "location": parts.code_location_origin.location_name, "repository": parts.repository_name,
        "assets": sorted("/".join(key.path) for key in run.asset_selection or ()),
        "repeats": [run.parent_run_id, run.root_run_id],
        "group": sorted(each.run_id for each in (instance.get_run_group(run.run_id) or (0, ()))[1]),
    }))
"""


class Shop:
    """A location of Dagster's, in one release, and the instance that its runs are on."""

    def __init__(
        self, attempts: Attempts, python: Path, home: Path, file: Path, warm: WarmInterpreter | None
    ) -> None:
        self.attempts = attempts
        self.warm = warm
        self.python = str(python)
        self.home = home
        self.file = file
        self.count = 0

    def order(self, **facts: Any) -> dict[str, Any]:
        self.count += 1
        made = self.attempts.order(self.file, self.count, **facts)
        return {"dagster_run": str(uuid.uuid4()), **made}

    def start(self, order: dict[str, Any]) -> Any:
        """From an interpreter that has Dagster imported."""
        return self.attempts(self.python, order, warm=self.warm)

    def run(self, **facts: Any) -> dict[str, Any]:
        """The result."""
        result: dict[str, Any] = self.start(self.order(**facts)).result()
        return result

    def stored(self, run: str) -> dict[str, Any]:
        """What Dagster's instance has of a run."""
        done = subprocess.run(
            [self.python, "-c", ASK, run],
            env={**self.attempts.variables, "DAGSTER_HOME": str(self.home)},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(
    scope="module",
    params=[
        "newest",
        pytest.param("1.9", marks=pytest.mark.slow),
        pytest.param("1.5", marks=pytest.mark.slow),
    ],
)
def shop(request, bundle, dagster_environment, tmp_path_factory, warm):
    python = dagster_environment(request.param) / "bin" / "python"
    folder = tmp_path_factory.mktemp("shop")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "code").mkdir()
    file = folder / "code" / "defs.py"
    file.write_text(SHOP)
    variables = {**clean_environment(), "TMPDIR": str(folder), "DAGSTER_HOME": str(home)}
    attempts = Attempts(bundle, folder, variables)
    yield Shop(attempts, python, home, file, None if warm is None else warm(str(python)))
    attempts.end()


def states(result: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in result["steps"]}


def test_a_job_is_a_run_of_dagsters_with_its_steps_checks_and_metadata(shop):
    attempt = shop.start(shop.order(job="nightly", tags={"team": "a"}))
    result = attempt.result()
    assert (result["state"], result["why"], result["problem"]) == ("succeeded", None, None)
    assert states(result) == {"raw_orders": "succeeded", "mart/orders": "succeeded"}
    raw, orders = result["steps"]
    assert raw["metadata"]["rows"] == 1204
    assert {check["name"]: check["state"] for check in orders["checks"]} == {
        "not_empty": "passed",
        "fresh": "failed",
    }
    assert {check["severity"] for check in orders["checks"]} == {"error", "warn"}
    assert result["late"].keys() <= {str(shop.file)}
    assert b"to stdout" in attempt.printed["stdout"]
    assert "to the log" in attempt.errors()
    assert "STEP_SUCCESS" not in attempt.errors()
    run = attempt.until("dagster_run")["id"]
    assert run == result["dagster_run"]
    stored = shop.stored(run)
    assert (stored["status"], stored["job"]) == ("SUCCESS", "nightly")
    assert (stored["location"], stored["repository"]) == ("sales", "__repository__")
    assert stored["tags"]["dagster/code_location"] == "sales"
    assert stored["tags"]["team"] == "a"
    assert {"ASSET_MATERIALIZATION_PLANNED", "PIPELINE_SUCCESS"} <= set(stored["events"])


@pytest.mark.slow
def test_assets_are_chosen_by_their_names_and_by_selections(shop):
    alone = shop.run(select=["group:mart", "raw_orders"], checks="without")
    assert alone["state"] == "succeeded"
    assert states(alone) == {"raw_orders": "succeeded", "mart/orders": "succeeded"}
    assert not any(step["checks"] for step in alone["steps"])
    stored = shop.stored(alone["dagster_run"])
    assert stored["assets"] == ["mart/orders", "raw_orders"]
    checked = shop.run(select=["mart/orders"], checks="only")
    assert states(checked) == {"mart/orders": "checked"}
    assert len(checked["steps"][0]["checks"]) == 2


@pytest.mark.slow
def test_a_step_that_fails_is_told_with_its_traceback_and_what_needs_it_is_skipped(shop):
    attempt = shop.start(shop.order(select=["broken+"]))
    result = attempt.result()
    assert (result["state"], result["why"]) == ("failed", "exception")
    assert states(result) == {"broken": "failed", "report": "skipped"}
    failed = next(step for step in result["steps"] if step["name"] == "broken")
    assert failed["summary"] == "ValueError: never"
    assert 'raise ValueError("never")' in attempt.errors()
    assert shop.stored(result["dagster_run"])["status"] == "FAILURE"


@pytest.mark.slow
def test_a_run_takes_a_config_and_one_that_does_not_fit_is_refused_before_any_run(shop):
    config = {"ops": {"take": {"config": {"day": "monday"}}}}
    attempt = shop.start(shop.order(job="refresh", config=config))
    assert attempt.result()["state"] == "succeeded"
    assert b"day monday" in attempt.printed["stdout"]
    order = shop.order(job="refresh")
    refused = shop.start(order).result()
    assert (refused["state"], refused["why"]) == ("failed", "usage")
    assert "take" in refused["summary"]
    assert refused["dagster_run"] is None
    assert shop.stored(order["dagster_run"]) is None
    param = shop.run(job="refresh", params={"day": "x"})
    assert "--run-config" in param["summary"]


@pytest.mark.slow
def test_dynamic_outputs_are_steps_and_steps_that_are_tried_again_are_told(shop):
    made = shop.run(job="fan")
    assert made["state"] == "succeeded"
    assert states(made) == dict.fromkeys(["many", "twice[m0]", "twice[m1]"], "succeeded")
    assert made["notes"] == ["twice[m1] is tried again: ValueError: once more"]
    failed = shop.run(job="fan_fails")
    assert states(failed) == {**states(made), "never": "failed"}
    assert failed["steps"][-1]["summary"] == "ValueError: never 2"


@pytest.mark.slow
def test_a_step_whose_input_was_not_made_is_skipped(shop):
    made = shop.run(job="branches")
    assert states(made) == {"either": "succeeded", "taken": "succeeded", "left": "skipped"}
    (why,) = [step["why"] for step in made["steps"] if step["name"] == "left"]
    assert why == "an output that it takes was not made"


BLOCKING = """
import dagster as dg

@dg.asset
def orders(): ...

@dg.asset_check(asset=orders, blocking=True)
def enough():
    return dg.AssetCheckResult(passed=False)

@dg.asset
def report(orders): ...

defs = dg.Definitions(
    assets=[orders, report], asset_checks=[enough], executor=dg.in_process_executor
)
"""


@pytest.mark.slow
def test_a_check_that_blocks_fails_the_run_and_what_needs_its_asset_is_skipped(shop):
    if "1.5" in shop.python:
        pytest.skip("checks of dagster 1.5 do not block")
    file = shop.file.with_name("blocking.py")
    file.write_text(BLOCKING)
    result = shop.start({**shop.order(), **shop.attempts.order(file, shop.count)}).result()
    assert (result["state"], result["why"], result["summary"]) == ("failed", "check", None)
    assert states(result) == {"orders": "succeeded", "report": "skipped"}
    assert checks(result) == [("enough", "failed", True)]
    assert shop.stored(result["dagster_run"])["status"] == "FAILURE"
    file.write_text(BLOCKING.replace("return dg.AssetCheckResult(passed=False)", "1 / 0"))
    result = shop.start({**shop.order(), **shop.attempts.order(file, shop.count)}).result()
    assert checks(result) == [("enough", "error", True)]


def checks(result: dict[str, Any]) -> list[tuple[str, str, bool]]:
    every = [check for step in result["steps"] for check in step["checks"]]
    return [(check["name"], check["state"], check["blocking"]) for check in every]


@pytest.mark.slow
def test_a_partition_is_a_tag_and_one_that_is_not_there_is_refused(shop):
    attempt = shop.start(shop.order(select=["by_day"], tags={"dagster/partition": "2026-01-02"}))
    assert attempt.result()["state"] == "succeeded"
    assert b"makes 2026-01-02" in attempt.printed["stdout"]
    refused = shop.run(select=["by_day"], tags={"dagster/partition": "never"})
    assert (refused["why"], "'never'" in refused["summary"]) == ("usage", True)
    key = {"dagster/partition": "a"}
    assert shop.run(select=["raw_orders"], tags=key)["state"] == "succeeded"
    refused = shop.run(select=["by_both"], tags=key)
    assert (refused["why"], "'a'" in refused["summary"]) == ("usage", True)
    refused = shop.run(select=["by_day"])
    assert (refused["why"], refused["dagster_run"]) == ("usage", None)
    assert "choose a partition of by_day, with --tag dagster/partition=KEY" in refused["summary"]
    refused = shop.run(select=["by_day", "by_letter"], tags=key)
    assert (refused["why"], "different partitions" in refused["summary"]) == ("usage", True)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_cancels_and_what_was_opened_is_closed(shop, number):
    attempt = shop.start(shop.order(job="wait"))
    attempt.until_printed("stays")
    attempt.kill(number)
    result = attempt.result()
    assert result["state"] == "cancelled"
    assert states(result) == {"stay": "cancelled"}
    assert b"finally" in attempt.printed["stdout"]
    assert shop.stored(result["dagster_run"])["status"] == "CANCELED"


@pytest.mark.slow
@pytest.mark.parametrize("is_warm", [True, False])
def test_steps_in_processes_of_their_own_do_not_start_the_run_anew(shop, is_warm):
    order = shop.order(job="in_processes")
    attempt = shop.start(order) if is_warm else shop.attempts(shop.python, order)
    result = attempt.result()
    assert (result["state"], states(result)) == ("succeeded", {"where": "succeeded"})
    (line,) = [each for each in attempt.printed["stdout"].splitlines() if b"step in" in each]
    assert int(line.split()[2]) != attempt.process.pid
    assert "STEP_" not in attempt.errors()
    assert shop.stored(order["dagster_run"])["status"] == "SUCCESS"


@pytest.mark.slow
def test_steps_in_processes_of_their_own_run_what_is_served_and_not_what_is_on_the_disk(shop):
    name = hashlib.blake2b(SHOP.encode(), digest_size=16).hexdigest()
    (shop.home.parent / "texts").mkdir(exist_ok=True)
    (shop.home.parent / "texts" / name).write_text(SHOP)
    manifest = {"sources": {str(shop.file): name}, "modules": {"defs": str(shop.file)}}
    code = str(shop.home.parent / "texts")
    order = shop.order(job="in_processes", code=code, manifest=manifest)
    shop.file.write_text("raise SystemExit('broken')\n")
    try:
        attempt = shop.start(order)
        assert attempt.result()["state"] == "succeeded", attempt.errors()
    finally:
        shop.file.write_text(SHOP)


@pytest.mark.slow
def test_a_run_that_repeats_others_is_shown_with_them(shop):
    first = shop.run(job="nightly")["dagster_run"]
    again = shop.run(job="nightly", dagster_parent=first)["dagster_run"]
    last = shop.run(job="nightly", dagster_parent=again)["dagster_run"]
    stored = shop.stored(last)
    assert stored["repeats"] == [again, first]
    assert stored["group"] == sorted([first, again, last])
    tags = stored["tags"]
    assert [tags["dagster/parent_run_id"], tags["dagster/root_run_id"]] == [again, first]
    gone = shop.stored(shop.run(job="nightly", dagster_parent=str(uuid.uuid4()))["dagster_run"])
    assert (gone["status"], gone["repeats"]) == ("SUCCESS", [None, None])
    assert "dagster/parent_run_id" not in gone["tags"]


@pytest.mark.slow
def test_runs_that_begin_at_once_make_the_databases_of_a_new_instance_once(shop, tmp_path):
    orders = [shop.order(job="nightly") for _ in range(3)]
    home = {"DAGSTER_HOME": str(tmp_path)}
    started = [shop.attempts(shop.python, one, warm=shop.warm, **home) for one in orders]
    assert [one.result()["state"] for one in started] == ["succeeded"] * 3


MARK = """
import sys
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    getattr(instance, "report_run_" + sys.argv[2])(instance.get_run_by_id(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mark", "state", "status"),
    [
        ("canceling", "cancelled", "CANCELED"),
        ("canceled", "cancelled", "CANCELED"),
        ("failed", "failed", "FAILURE"),
    ],
)
def test_a_run_that_dagsters_page_marks_ends_by_itself(shop, mark, state, status):
    attempt = shop.start(shop.order(job="wait"))
    attempt.until_printed("stays")
    run = attempt.until("dagster_run")["id"]
    variables = {**shop.attempts.variables, "DAGSTER_HOME": str(shop.home)}
    subprocess.run([shop.python, "-c", MARK, run, mark], env=variables, check=True)
    assert attempt.result()["state"] == state
    assert shop.stored(run)["status"] == status


DELETE = """
import sys
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    instance.delete_run(sys.argv[1])
"""


@pytest.mark.slow
def test_a_run_whose_record_is_deleted_says_so(shop):
    attempt = shop.start(shop.order(job="goes_when_told"))
    attempt.until_printed("lingers")
    run = attempt.until("dagster_run")["id"]
    variables = {**shop.attempts.variables, "DAGSTER_HOME": str(shop.home)}
    subprocess.run([shop.python, "-c", DELETE, run], env=variables, check=True)
    shop.file.with_name("go").touch()
    result = attempt.result()
    assert result["state"] == "failed"
    assert result["summary"] == "Dagster's record of it was deleted while it went on"


@pytest.mark.slow
@pytest.mark.parametrize(("cancelled", "status"), [(False, "FAILURE"), (True, "CANCELED")])
def test_of_a_run_that_was_killed_another_process_tells_dagster(shop, cancelled, status):
    order = shop.order(job="wait")
    attempt = shop.start(order)
    attempt.until_printed("stays")
    attempt.kill(signal.SIGKILL)
    attempt.wait()
    assert shop.stored(order["dagster_run"])["status"] == "STARTED"
    told = {"text": "its process was ended by signal 9", "cancelled": cancelled}
    report = {**order, "report": {"dagster_run": order["dagster_run"], **told}}
    assert shop.start(report).wait() == 0
    assert shop.stored(order["dagster_run"])["status"] == status


TELLS = """
import dagster._core.storage.runs.sqlite.sqlite_run_storage as runs
import dagster._core.storage.sql as sql
from codeloc_runner.run import reporting
reporting.hold_to_limits = reporting.prepare_for_user_code = reporting.leave = lambda *_: None
reporting.report = lambda order, instance: print(
    type(sql.ScriptDirectory).__name__, type(runs.create_engine).__name__
)
class Order:
    group = nice = open_files = None
reporting.live(Order, [], ())
"""


@pytest.mark.slow
def test_what_tells_dagster_of_an_end_reads_nothing_of_its_databases_twice(shop):
    """In a fork of an interpreter that has imported them."""
    variables = {**shop.attempts.variables, "DAGSTER_HOME": str(shop.home)}
    variables["PYTHONPATH"] = str(shop.attempts.bundle)
    told = subprocess.run(
        [shop.python, "-c", TELLS], env=variables, capture_output=True, text=True, check=True
    )
    assert told.stdout == "ReadOnce EnginesOnce\n", told.stderr
