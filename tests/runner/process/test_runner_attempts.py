"""The process of one attempt of a run: what it runs, what it tells, what it leaves."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pythons import EXTREMES, VERSIONS, interpreter
from tests.runner.process.attempts import Attempts
from tests.runner.process.conftest import clean_environment

SHOP = """
from codeloc import Definitions, asset, asset_check, asset_job, job, resource
from prices import PRICE

@resource
def db():
    yield "db"
    print("db closed")

@asset
def raw_orders(context, db, day: str = "today"):
    context.add_metadata(day=day)
    return [1, 2, 3]

@asset(timeout="1h")
def orders(raw_orders):
    return sum(raw_orders) * PRICE

@asset_check(asset=orders)
def enough(orders):
    return orders > 1, f"{orders} in all"

@asset
def report(context, orders):
    print("report", orders, context.run, context.attempt, context.location, context.tags)

@job
def refresh(report): ...

defs = Definitions(
    assets=[raw_orders, orders, report], asset_checks=[enough],
    jobs=[refresh, asset_job("nightly", [raw_orders, orders, report])], resources={"db": db},
)
"""


@pytest.fixture
def attempts(bundle, tmp_path):
    variables = {**clean_environment(), "TMPDIR": str(tmp_path)}
    attempts = Attempts(bundle, tmp_path, variables)
    yield attempts
    attempts.end()


@pytest.fixture
def current() -> str:
    """For what does not depend on the version."""
    return str(interpreter(VERSIONS[-2]))


@pytest.fixture
def shop(code: Path) -> Path:
    (code / "prices.py").write_text("PRICE = 10\n")
    return written(code, SHOP)


def written(code: Path, source: str) -> Path:
    (code / "defs.py").write_text(source)
    return code / "defs.py"


def states(result: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in result["steps"]}


def test_a_job_is_run_and_told_step_by_step(attempts, shop, python) -> None:
    facts = {"job": "nightly", "params": {"day": "monday"}, "tags": {"a": "b"}}
    attempt = attempts(python, attempts.order(shop, **facts))
    result = attempt.result()

    assert (result["state"], result["why"], result["problem"]) == ("succeeded", None, None)
    assert states(result) == dict.fromkeys(["raw_orders", "orders", "report"], "succeeded")
    assert result["steps"][0]["metadata"] == {"day": "monday"}
    (check,) = result["steps"][1]["checks"]
    assert (check["state"], check["summary"]) == ("passed", "60 in all")
    printed = attempt.printed["stdout"].decode().splitlines()
    assert printed == ["report 60 1 1 sales {'a': 'b'}", "db closed"]
    assert sorted(result["late"]) == [str(shop), str(shop.parent / "prices.py")]
    told = [(each["event"], each.get("state")) for each in attempt.lines]
    assert told == [
        ("begun", None),
        ("loaded", None),
        ("plan", None),
        *[("step", "started"), ("step", "succeeded")] * 2,
        ("check", "passed"),
        *[("step", "started"), ("step", "succeeded")],
        ("result", "succeeded"),
    ]
    planned = {"kind": "asset", "name": "orders", "timeout": 3600.0, "checks": ["enough"]}
    assert attempt.lines[2]["steps"][1] == planned
    assert json.loads(attempt.file("begun").read_text())["pid"] == attempt.process.pid


@pytest.mark.skipif(sys.platform != "linux", reason="forks are adopted on Linux alone")
def test_a_fork_of_the_warm_interpreter_runs_the_same(attempts, shop, extreme, warm) -> None:
    interpreter = warm(extreme)
    for run in (1, 2):
        attempt = attempts(extreme, attempts.order(shop, run, job="nightly"), warm=interpreter)
        assert attempt.result()["state"] == "succeeded"
        assert b"db closed" in attempt.printed["stdout"]
        assert [each["event"] for each in attempt.lines][-1] == "result"


def test_a_function_that_exits_has_failed_and_was_not_being_imported(
    attempts, code, current
) -> None:
    source = "import sys\nfrom codeloc import *\n@job\ndef leave():\n    sys.exit(3)\n"
    order = attempts.order(
        written(code, source + "defs = Definitions(jobs=[leave])\n"), job="leave"
    )
    (step,) = attempts(current, order).result()["steps"]
    assert step["summary"] == "SystemExit: sys.exit(3) was called (defs.py:5)"


def test_a_failure_skips_what_depends_on_it_and_is_told_with_its_lines(
    attempts, code, extreme
) -> None:
    source = SHOP.replace("return sum(raw_orders) * PRICE", "return 1 // 0  # wrong")
    (code / "prices.py").write_text("PRICE = 10\n")
    attempt = attempts(extreme, attempts.order(written(code, source), job="nightly"))
    result = attempt.result()

    assert (result["state"], result["why"]) == ("failed", "exception")
    assert states(result) == {"raw_orders": "succeeded", "orders": "failed", "report": "skipped"}
    problem = result["steps"][1]["problem"]
    assert problem["summary"].startswith("ZeroDivisionError")
    assert "defs.py:" in problem["summary"]
    assert "return 1 // 0  # wrong" in problem["detail"]
    assert "codeloc" not in problem["detail"].replace(str(code), "")
    assert "return 1 // 0  # wrong" in attempt.errors()


@pytest.mark.parametrize(
    ("facts", "why", "summary"),
    [
        ({"job": "nightyl"}, "usage", 'job "nightyl" does not exist; did you mean "nightly"?'),
        ({"select": ["orders"]}, "upstream", "takes raw_orders, which is not in this run"),
        ({"job": "nightly", "params": {"dya": 1}}, "usage", 'no parameter "dya"'),
        ({"job": "nightly", "repository": "other"}, "usage", "no repository 'other'"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_runs(
    facts, why, summary, attempts, shop, current
) -> None:
    result = attempts(current, attempts.order(shop, **facts)).result()

    assert (result["state"], result["why"], result["steps"]) == ("failed", why, [])
    assert summary in result["summary"]


def test_code_that_does_not_load_fails_the_run(attempts, code, extreme) -> None:
    target = written(code, "import no_such_module\n")
    result = attempts(extreme, attempts.order(target, job="nightly")).result()

    assert (result["state"], result["why"]) == ("failed", "load")
    assert "No module named 'no_such_module'" in result["summary"]
    assert result["problem"]["kind"] == "load"


def test_an_installed_codeloc_that_cannot_run_is_told(attempts, code, current) -> None:
    (code / "codeloc").mkdir()
    (code / "codeloc" / "__init__.py").write_text(
        "__version__ = '0.0.1'\nclass Definitions: ...\nclass RepositoryDefinition: ...\n"
    )
    target = written(code, "import codeloc\ndefs = codeloc.Definitions()\n")
    result = attempts(current, attempts.order(target, job="nightly")).result()

    assert (result["state"], result["why"]) == ("failed", "load")
    assert "the codeloc 0.0.1 that is installed in this environment cannot run" in result["summary"]


def test_an_interrupt_ends_the_run_after_its_resources(attempts, code, current) -> None:
    attempt = attempts(current, attempts.order(written(code, SLOW), select=["slow"]))
    attempt.until_printed("at work")
    attempt.kill(signal.SIGINT)
    result = attempt.result()

    assert (result["state"], result["why"]) == ("failed", "exception")
    assert states(result) == {"slow": "failed"}
    assert attempt.printed["stdout"].decode().splitlines() == ["at work", "finally", "db closed"]


# --- which code ------------------------------------------------------------------------------


@pytest.fixture
def served(start, attempts, tmp_path):
    """`served(python, target)`: what an order says of the code that a runner has loaded."""

    def served(python: str, target: Path | str) -> dict[str, Any]:
        folder = tmp_path / "kept"
        folder.mkdir(exist_ok=True)
        kind = "module" if isinstance(target, str) else "python_file"
        runner = start(python, target, kind=kind, directory=tmp_path / "code", code=folder)
        runner.load()
        return {"code": str(folder), "manifest": runner.call("manifest")}

    return served


def test_a_run_executes_what_is_served_and_not_what_is_on_the_disk(
    attempts, shop, served, extreme
) -> None:
    told = served(extreme, shop)
    shop.write_text("raise SystemExit('broken')\n")
    (shop.parent / "prices.py").unlink()
    result = attempts(extreme, attempts.order(shop, job="nightly", **told)).result()

    assert result["state"] == "succeeded"
    assert result["steps"][1]["checks"][0]["summary"] == "60 in all"
    assert result["late"] == {}


def test_a_text_that_a_power_cut_has_left_empty_is_written_anew(
    attempts, shop, served, current, tmp_path
) -> None:
    served(current, shop)
    for kept in (tmp_path / "kept").iterdir():
        kept.write_bytes(b"")
    told = served(current, shop)
    shop.write_text("raise SystemExit('broken')\n")
    result = attempts(current, attempts.order(shop, job="nightly", **told)).result()
    assert result["state"] == "succeeded", result


def test_a_traceback_shows_the_lines_that_ran(attempts, shop, served, extreme) -> None:
    source = shop.read_text().replace(
        "PRICE\n\n@asset_check", "PRICE / 0  # as served\n\n@asset_check"
    )
    shop.write_text(source)
    told = served(extreme, shop)
    shop.write_text(source.replace("as served", "as on the disk") + "\nmore = 1\n")
    attempt = attempts(extreme, attempts.order(shop, job="nightly", **told))
    (problem,) = [step["problem"] for step in attempt.result()["steps"] if step["problem"]]

    assert "as served" in problem["detail"]
    assert "as served" in json.dumps(problem["frames"])
    assert "as on the disk" not in json.dumps(problem) + attempt.errors()


def test_packages_and_folders_are_found_as_they_were(attempts, code, served, extreme) -> None:
    for name, text in {
        "shop/__init__.py": "from . import inner\n",
        "shop/inner.py": "VALUE = 'as served'\n",
        "plain/part/deep.py": "DEEP = 'deep as served'\n",
        "start.py": """
from codeloc import Definitions, job
from shop.inner import VALUE
from plain.part.deep import DEEP
@job
def show():
    import later
    print(VALUE, DEEP, later.LATER)
defs = Definitions(jobs=[show])
""",
    }.items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(text)
    told = served(extreme, "start")
    for name in ("shop/inner.py", "plain/part/deep.py", "start.py"):
        (code / name).unlink()
    (code / "plain" / "part").rmdir()
    (code / "plain").rmdir()
    (code / "shop.py").write_text("raise RuntimeError('a mixture')\n")
    (code / "shop" / "inner").mkdir()
    (code / "shop" / "inner" / "__init__.py").write_text("raise RuntimeError('a mixture')\n")
    (code / "later.py").write_text("LATER = 'from the disk'\n")
    attempt = attempts(extreme, attempts.order("start", job="show", **told))
    result = attempt.result()

    assert attempt.printed["stdout"].decode() == "as served deep as served from the disk\n"
    assert list(result["late"]) == [str(code / "later.py")]


def test_a_text_that_was_not_kept_is_taken_from_the_disk_or_missed(
    attempts, shop, served, current
) -> None:
    told = {**served(current, shop), "code": None}
    assert attempts(current, attempts.order(shop, job="nightly", **told)).result()["late"] == {}
    (shop.parent / "prices.py").write_text("PRICE = 11\n")
    result = attempts(current, attempts.order(shop, 2, job="nightly", **told)).result()

    assert (result["state"], result["why"]) == ("failed", "load")
    assert "prices.py is not what it was when it was loaded" in result["summary"]


def test_nothing_is_kept_where_no_folder_is_named(start, shop, current, tmp_path) -> None:
    before = sorted(tmp_path.rglob("*"))
    start(current, shop).load()
    assert sorted(each for each in tmp_path.rglob("*") if "__pycache__" not in str(each)) == before


# --- values ----------------------------------------------------------------------------------


def test_values_are_loaded_by_later_runs_and_two_are_kept(
    attempts, shop, extreme, tmp_path
) -> None:
    for run in (1, 2, 3):
        order = attempts.order(shop, run, select=["raw_orders"])
        assert attempts(extreme, order).result()["state"] == "succeeded"
    result = attempts(extreme, attempts.order(shop, 4, select=["orders"])).result()

    assert states(result) == {"orders": "succeeded"}
    stored = sorted(
        str(each.relative_to(tmp_path / "values"))
        for each in (tmp_path / "values").rglob("*")
        if each.is_file()
    )
    assert stored == ["orders/4", "raw_orders/2", "raw_orders/3"]


def test_the_value_that_is_stored_last_counts_although_the_clock_was_set_back(
    attempts, shop, current, tmp_path
) -> None:
    stored = tmp_path / "values" / "raw_orders"
    for run in (1, 2, 3):
        attempts(current, attempts.order(shop, run, select=["raw_orders"])).result()
        if run == 1:
            hour_ahead = os.stat(stored / "1").st_mtime + 3600.0
            os.utime(stored / "1", (hour_ahead, hour_ahead))
    assert sorted(each.name for each in stored.iterdir()) == ["2", "3"]
    newest = os.stat(stored / "3").st_mtime_ns
    (stored / "3").write_bytes(b"")
    os.utime(stored / "3", ns=(newest, newest))
    attempt = attempts(current, attempts.order(shop, 4, select=["orders"]))
    (step,) = attempt.result()["steps"]
    assert "the value of raw_orders that run 3 has left is damaged" in step["summary"], step


def test_an_attempt_repeats_only_what_has_not_succeeded(attempts, shop, current) -> None:
    order = attempts.order(shop, job="nightly")
    assert attempts(current, order).result()["state"] == "succeeded"
    again = attempts(current, {**order, "attempt": 2, "done": ["raw_orders", "orders"]}).result()
    assert states(again) == {"report": "succeeded"}


def test_a_value_that_cannot_be_stored_is_told_and_one_that_cannot_be_read_says_who_wrote_it(
    attempts, code, current, tmp_path
) -> None:
    target = written(
        code,
        """
from codeloc import Definitions, asset
@asset
def odd():
    return lambda: 1
@asset
def taker(odd):
    return odd()
defs = Definitions(assets=[odd, taker])
""",
    )
    result = attempts(current, attempts.order(target, select=["*"])).result()
    assert result["state"] == "succeeded"
    assert "the value of odd is not stored for later runs: " in result["notes"][0]
    folder = tmp_path / "values" / "odd"
    folder.mkdir(exist_ok=True)
    header = {"python": "3.8.1", "environment": "old", "run": 7, "at": 0}
    (folder / "7").write_bytes(json.dumps(header).encode() + b"\nnonsense")
    taken = attempts(current, attempts.order(target, 2, select=["taker"]))
    (step,) = taken.result()["steps"]
    older = "the value of odd is that of run 7: what run 1 made could not be stored\n"
    assert older in taken.errors()
    assert "run 7 has left was written by Python 3.8.1 in environment old" in step["summary"]
    assert step["summary"].endswith("; have it made again: --upstream")


def test_a_value_whose_class_is_gone_says_that_the_code_is_another(attempts, code, current) -> None:
    source = """
from codeloc import Definitions, asset
class Order: ...
@asset
def made(): return Order()
@asset
def taker(made): ...
defs = Definitions(assets=[made, taker])
"""
    target = written(code, source)
    order = attempts.order(target, select=["made"])
    assert attempts(current, order).result()["state"] == "succeeded"
    target = written(code, source.replace("Order", "Sale"))
    order = attempts.order(target, 2, select=["taker"])
    (step,) = attempts(current, order).result()["steps"]
    assert "value of made that run 1 has left cannot be read by the code of now" in step["summary"]
    assert step["summary"].endswith("; have it made again: --upstream"), "and no line of codelocd's"
    assert "codeloc/running.py" not in step["problem"]["detail"]


def test_a_value_that_another_python_cannot_read_names_both(attempts, code) -> None:
    old, new = map(interpreter, EXTREMES)
    source = """
from codeloc import Definitions, asset
@asset
def made():
    import graphlib
    return graphlib.CycleError("what Python 3.8 does not know")
@asset
def taker(made): ...
defs = Definitions(assets=[made, taker])
"""
    target = written(code, source)
    order = attempts.order(target, select=["made"], environment="new")
    assert attempts(str(new), order).result()["state"] == "succeeded"
    order = attempts.order(target, 2, select=["taker"], environment="old")
    (step,) = attempts(str(old), order).result()["steps"]
    names = [f"Python {EXTREMES[at]}." for at in (1, 0)]
    assert f"run 1 has left was written by {names[0]}" in step["summary"]
    assert f" in environment new, and {names[1]}" in step["summary"]
    assert " in environment old cannot read it" in step["summary"]
    assert "have it made again: --upstream" in step["summary"]


# --- once ------------------------------------------------------------------------------------


def test_an_attempt_runs_once(attempts, shop, current) -> None:
    order = attempts.order(shop, job="nightly")
    first = attempts(current, order)
    first.result()
    written_then = first.file("result").read_bytes()
    second = attempts(current, order)

    assert second.wait() == 3
    assert "result.1 is there" in second.errors()
    assert first.file("result").read_bytes() == written_then
    first.file("result").unlink()
    assert attempts(current, order).wait() == 3


@pytest.mark.parametrize("forked", [False, True])
def test_an_attempt_begins_after_the_word_and_leaves_where_none_comes(
    attempts, shop, current, warm, forked: bool
) -> None:
    interpreter = warm(current) if forked else None
    for word, status, left in ((b"", 3, False), (b"\n", 0, True)):
        hearing, telling = os.pipe()
        order = attempts.order(shop, job="nightly")
        attempt = attempts(current, order, warm=interpreter, go=hearing)
        os.close(hearing)
        os.write(telling, word)
        os.close(telling)
        assert attempt.wait() == status, attempt.errors()
        assert attempt.file("begun").exists() == attempt.file("lock").exists() == left


def test_an_attempt_that_has_no_room_to_begin_can_be_started_again(
    attempts, shop, current, tmp_path
) -> None:
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -f 0\nexec {current} "$@"\n')
    limited.chmod(0o755)
    order = attempts.order(shop, job="nightly")
    attempt = attempts(str(limited), order)
    assert attempt.wait() == 3
    assert "File too large" in attempt.errors()
    assert not attempt.file("begun").exists()
    assert attempts(current, order).result()["state"] == "succeeded"


SLOW = """
import os, sys, time, threading
from codeloc import Definitions, asset, job, resource
@resource
def db():
    yield 1
    print("db closed")
@asset
def slow(db):
    try:
        print("at work")
        time.sleep(600)
    finally:
        print("finally")
@asset
def after(slow): ...
@asset
def other(): ...
def stubborn():
    while True:
        try:
            print("at work")
            time.sleep(600)
        except BaseException as error:
            print("no", type(error).__name__)
            return
@job
def survive():
    stubborn()
defs = Definitions(assets=[slow, after, other], jobs=[survive], resources={"db": db})
"""


def test_the_lock_is_held_while_the_attempt_lives(attempts, code, current) -> None:
    attempt = attempts(current, attempts.order(written(code, SLOW), select=["slow"]))
    attempt.until("step", state="started")
    again = attempts(current, attempts.order(code / "defs.py", select=["slow"]))
    assert again.wait() == 3
    assert "another process holds" in again.errors()
    with open(attempt.file("lock"), "rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        attempt.kill(signal.SIGKILL)
        attempt.wait()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert attempt.file("begun").exists()
    assert not attempt.file("result").exists()


def test_a_signal_cancels_with_finally_and_resources_in_order(attempts, code, extreme) -> None:
    attempt = attempts(extreme, attempts.order(written(code, SLOW), select=["*"]))
    attempt.until_printed("at work")
    attempt.kill()
    result = attempt.result()

    assert (result["state"], result["why"]) == ("cancelled", None)
    assert states(result) == {"slow": "cancelled", "after": "skipped", "other": "skipped"}
    assert attempt.printed["stdout"].decode().splitlines() == ["at work", "finally", "db closed"]


def test_cancelled_stays_cancelled_whatever_the_code_makes_of_it(attempts, code, current) -> None:
    attempt = attempts(current, attempts.order(written(code, SLOW), job="survive"))
    attempt.until_printed("at work")
    attempt.kill()
    result = attempt.result()

    assert attempt.printed["stdout"].decode().splitlines() == ["at work", "no Cancelled"]
    assert result["state"] == "cancelled"


def test_a_load_is_cancelled_too(attempts, code, current) -> None:
    target = written(code, "import sys, time\nprint('loading', flush=True)\ntime.sleep(600)\n")
    attempt = attempts(current, attempts.order(target, select=["*"]))
    attempt.until_printed("loading")
    attempt.kill()
    assert attempt.result()["state"] == "cancelled"


# --- what user code may do -------------------------------------------------------------------


def hostile(code: Path, body: str) -> Path:
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    source = f"""
import os, sys, threading, time
from codeloc import Definitions, asset, job
@asset
def after(): ...
@asset
def odd():
{indented}
defs = Definitions(assets=[odd, after])
"""
    return written(code, source)


def test_an_exit_in_a_function_fails_that_step_alone(attempts, code, current) -> None:
    target = hostile(code, "sys.exit(3)")
    result = attempts(current, attempts.order(target, select=["*"])).result()
    assert states(result) == {"odd": "failed", "after": "succeeded"}


def test_an_end_without_a_word_leaves_no_result_and_says_where(attempts, code, current) -> None:
    attempt = attempts(current, attempts.order(hostile(code, "os._exit(7)"), select=["*"]))
    assert attempt.wait() == 7
    assert not attempt.file("result").exists()
    assert "os._exit(7) was called" in attempt.errors()


def test_a_fork_that_comes_back_runs_nothing_more(attempts, code, current) -> None:
    body = "if os.fork():\n    os.wait()\n    return 1\nprint('child', flush=True)\nreturn 2"
    attempt = attempts(current, attempts.order(hostile(code, body), select=["*"]))
    result = attempt.result()

    assert result["state"] == "succeeded"
    assert attempt.printed["stdout"].decode() == "child\n"
    assert [each["event"] for each in attempt.lines].count("result") == 1


def test_a_fork_of_user_code_ends_by_the_signal_as_without_us(attempts, code, current) -> None:
    body = """
import signal
child = os.fork()
if not child:
    signal.pause()
os.kill(child, signal.SIGTERM)
_, status = os.waitpid(child, 0)
print(os.WTERMSIG(status))
"""
    attempt = attempts(current, attempts.order(hostile(code, body.strip()), select=["*"]))
    assert attempt.result()["state"] == "succeeded"
    assert attempt.printed["stdout"] == b"15\n"


def test_descriptors_that_user_code_closes_cost_events_and_not_the_result(
    attempts, code, current, tmp_path
) -> None:
    body = f"os.closerange(3, 100)\nopen({str(tmp_path / 'mine')!r}, 'w').write('mine')"
    result = attempts(current, attempts.order(hostile(code, body), select=["*"])).result()

    assert result["state"] == "succeeded"
    assert (tmp_path / "mine").read_text() == "mine"


def test_threads_that_are_left_are_waited_for_before_the_result(attempts, code, current) -> None:
    body = (
        "def late():\n    time.sleep(0.2)\n    print('late')\nthreading.Thread(target=late).start()"
    )
    attempt = attempts(current, attempts.order(hostile(code, body), select=["*"]))
    attempt.until("result")
    assert attempt.result()["state"] == "succeeded"
    assert attempt.printed["stdout"] == b"late\n"


def test_a_process_that_multiprocessing_spawns_does_not_run_the_attempt_again(
    attempts, code, extreme
) -> None:
    body = """
import multiprocessing, helper
context = multiprocessing.get_context("spawn")
child = context.Process(target=helper.work, args=(3,))
child.start()
child.join(60)
assert child.exitcode == 0, child.exitcode
"""
    (code / "helper.py").write_text("def work(n):\n    print('worked', n, flush=True)\n")
    attempt = attempts(extreme, attempts.order(hostile(code, body.strip()), select=["*"]))
    result = attempt.result()

    assert result["state"] == "succeeded", attempt.errors()
    assert attempt.printed["stdout"] == b"worked 3\n"


def test_a_pipe_that_nobody_reads_stops_nothing(attempts, code, current) -> None:
    lines = "\n".join(
        f"@asset\ndef a{n}(context): context.add_metadata(text='x' * 1000)" for n in range(200)
    )
    names = ", ".join(f"a{n}" for n in range(200))
    target = written(
        code,
        f"from codeloc import Definitions, asset\n{lines}\ndefs = Definitions(assets=[{names}])",
    )
    order = attempts.order(target, select=["*"])
    folder = Path(order["folder"])
    reading, writing = os.pipe()
    file = folder / "order.1"
    file.write_text(json.dumps({**order, "events_fd": writing}))
    process = attempts.cold(current, order, file, [writing], attempts.variables)
    os.close(writing)
    process.communicate(timeout=60)
    result = json.loads((folder / "result.1").read_text())

    assert (process.returncode, result["state"], len(result["steps"])) == (0, "succeeded", 200)
    assert result["dropped"] > 0
    with os.fdopen(reading, "rb") as pipe:
        lines_read = pipe.read().splitlines()
    assert all(json.loads(line) for line in lines_read[:-1])


def test_an_order_that_cannot_be_read_runs_nothing(attempts, shop, current) -> None:
    order = {**attempts.order(shop), "format": 2}
    attempt = attempts(current, order)
    assert attempt.wait() == 4
    assert "the order is of format 2, expected 1" in attempt.errors()
    assert not attempt.file("begun").exists()
