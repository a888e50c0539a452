"""`codelocd run`: jobs and assets in processes of their own, without a daemon."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.commands import DEADLINE
from tests.end_to_end.daemons import wait_for
from tests.shop import SALES
from tests.supervisor.cli.fake_control import Shell

CONFIG = f"""
[defaults]
environment = {{ path = "{sys.prefix}" }}
[location.sales]
python_file = "defs.py"
"""


@pytest.fixture
def shop(used_shell: Shell) -> Shell:
    """A project with one location, `sales`."""
    (used_shell.folder / "codelocd.toml").write_text(CONFIG)
    (used_shell.folder / "defs.py").write_text(SALES)
    return used_shell


def lines_of(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


def test_a_job_runs_and_prints_its_steps_and_checks_as_they_end(shop: Shell) -> None:
    done = shop.run("run", "--here", "sales/nightly")
    assert done.returncode == 0, done.stderr
    assert "\nto stdout\n" in done.stdout
    printed = done.stdout.replace("to stdout\n", "")
    title, raw, orders, few, fresh, last = lines_of(printed)
    assert title[:2] == ["run", "sales/nightly"]
    assert raw[:2] + raw[3:] == ["raw_orders", "ok", "rows", "1204,", "version", "1"]
    assert orders[:2] == ["orders", "ok"]
    assert few == ["few", "passed"]
    assert fresh == ["fresh", "warning", "newest", "row", "is", "3", "days", "old"]
    assert last[:2] == ["run", "succeeded"]
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (0, ["to stderr"])


def test_a_later_run_finds_the_values_of_an_earlier_one_and_else_says_what_to_do(
    shop: Shell,
) -> None:
    first = shop.run("run", "--here", "orders")
    assert (first.returncode, len(first.stdout.splitlines())) == (1, 1)
    assert "--upstream" in first.stderr.splitlines()[-1]
    assert "Traceback" not in first.stderr
    assert shop.run("run", "--here", "orders", "--upstream").returncode == 0
    later = shop.run("run", "--here", "orders", "--param", "day=5")
    assert later.returncode == 0
    assert "raw_orders" not in later.stdout.partition("\n")[2]


def test_what_depends_on_a_step_that_failed_is_skipped(shop: Shell) -> None:
    done = shop.run("run", "--here", "broken", "report")
    assert done.returncode == 1
    _, broken, report, last = lines_of(done.stdout)
    assert broken[:2] == ["broken", "FAILED"]
    assert report[:2] == ["report", "skipped"]
    assert last[-3:] == ["1", "step", "(broken)"]
    assert "ValueError: never" in done.stderr


def test_a_check_that_fails_is_exit_1(shop: Shell) -> None:
    wrong = ["run", "--here", "nightly", "--param", "day=100"]
    done = shop.run(*wrong)
    assert done.returncode == 1
    assert ["few", "FAILED", "too", "many"] in lines_of(done.stdout)
    assert done.stdout.rstrip().endswith(": 1 check")
    assert shop.run(*wrong, "--no-checks").returncode == 0


def test_a_run_that_failed_is_tried_again_as_its_definition_says(shop: Shell) -> None:
    done = shop.run("run", "--here", "flaky")
    assert done.returncode == 0
    states = [words[1] for words in lines_of(done.stdout) if words[0] == "flaky"]
    assert states == ["FAILED", "ok"]
    assert "attempt 1 failed; the next one begins in" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nighly"], 4, 'did you mean "nightly"?'),
        ([], 2, "there are: nightly, stay, wait"),
        (["nightly", "--param", "day=x"], 2, "'x' is no int"),
        (["nightly", "--param", "day"], 2, "'day' is not NAME=VALUE"),
        (["nightly", "--timeout", "soon"], 2, "'soon'"),
        (["nightly", "--json", "--events"], 2, "give one of them"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    shop: Shell, words: list[str], code: int, said: str
) -> None:
    done = shop.run("run", "--here", *words)
    assert (done.returncode, len(done.stdout.splitlines()) <= 1) == (code, True)
    *notes, line = done.stderr.splitlines()
    assert said in line
    assert line.startswith("codelocd: ")
    assert all(note.startswith(("config:", "not taken:")) for note in notes)


def test_code_that_does_not_load_is_exit_1_with_its_problem(shop: Shell) -> None:
    (shop.folder / "defs.py").write_text("import nothing_of_that_name\n")
    done = shop.run("run", "--here", "nightly")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing_of_that_name" in done.stderr
    assert done.stderr.splitlines()[-1] == "codelocd: sales does not load"


def test_stdout_has_one_json_document_and_nothing_else(shop: Shell) -> None:
    done = shop.run("run", "--here", "nightly", "--json", "--tag", "team=a")
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0
    assert {"to stdout", "to stderr"} <= set(done.stderr.splitlines())
    assert (document["id"], document["state"], document["tags"]) == (
        None,
        "succeeded",
        {"team": "a"},
    )
    assert [step["name"] for step in document["steps"]] == ["raw_orders", "orders"]


def test_events_are_one_document_a_line_and_end_with_the_run(shop: Shell) -> None:
    done = shop.run("run", "--here", "nightly", "--events")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["event"] for each in events] == [
        *["begun", "loaded", "plan", "step", "step", "step", "step", "check", "check"],
        *["result", "ended"],
    ]
    assert events[-1]["run"]["state"] == "succeeded"
    assert "to stdout" in done.stderr


def test_an_interrupt_cancels_and_what_was_opened_is_closed_in_order(shop: Shell) -> None:
    process = shop.start("run", "--here", "wait")
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.split()[0])
        if line == "waits\n":
            process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130
    assert [word for word in seen if word != "wait"] == ["run", "waits", "finally", "closed", "run"]
    assert "wait" in seen[3:], "what code prints and what is told of steps come on two ways"
    process.communicate()


def test_a_second_interrupt_kills(shop: Shell) -> None:
    process = shop.start("run", "--here", "stay")
    assert process.stdout is not None
    for line in process.stdout:
        if line in ("stays\n", "heard\n"):
            process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130
    _, told = process.communicate()
    assert told.splitlines()[-2:] == [
        "cancelling the run; Ctrl-C again kills it",
        "killing the run",
    ]


def test_a_timeout_fails_the_run(shop: Shell) -> None:
    done = shop.run("run", "--here", "wait", "--timeout", "200ms")
    assert done.returncode == 1
    assert "longer than its timeout" in done.stdout


def test_the_attempt_and_its_folder_end_with_a_command_that_is_killed(shop: Shell) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as left:
        process = shop.start("run", "--here", "wait", "--events", environ={"TMPDIR": left})
        assert process.stdout is not None
        begun = json.loads(process.stdout.readline())
        attempt = psutil.Process(begun["pid"])
        process.kill()
        process.communicate()
        psutil.wait_procs([attempt], timeout=DEADLINE)
        assert not attempt.is_running()
        wait_for(lambda: not os.listdir(left))


def test_names_begin_with_the_location_where_there_are_several(shop: Shell) -> None:
    with (shop.folder / "codelocd.toml").open("a") as config:
        config.write('[location.other]\npython_file = "missing.py"\n')
    assert shop.run("run", "--here", "sales/nightly").returncode == 0
    assert shop.run("run", "--here", "sales", "--select", "raw_orders+").returncode == 0
    unknown = shop.run("run", "--here", "nightly")
    assert (unknown.returncode, "no location 'nightly'" in unknown.stderr) == (4, True)


def test_a_file_runs_without_any_config(used_shell: Shell) -> None:
    (used_shell.folder / "defs.py").write_text(SALES)
    python = used_shell.run("run", "-f", "defs.py", "--python", sys.executable, "nightly")
    assert python.returncode == 0, python.stderr


def test_values_lie_where_no_other_user_can_read_them(shop: Shell) -> None:
    assert shop.run("run", "--here", "nightly").returncode == 0
    (values,) = Path(shop.environ["HOME"]).glob(".local/state/codelocd/daemons/*/values")
    assert values.stat().st_mode & 0o077 == 0
    (kept,) = values.glob("sales/__repository__/raw_orders/*")
    assert os.access(kept, os.R_OK)
