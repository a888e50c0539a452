"""Recorded runs as text."""

from __future__ import annotations

import time
from typing import Any

import pytest

from codelocd.render import run_pages
from codelocd.render.runs import ended, title, what
from codelocd.render.text import PLAIN, Screen
from tests.supervisor.runs.run_documents import AT, ATTEMPT, going_on, run

EARLY = time.strftime("%H:%M", time.localtime(AT))
UNSEEN = "it ended while no daemon was there to see how"
LISTED = [
    going_on(id=19, by={"kind": "schedule", "name": "every_morning"}, scheduled_for=AT),
    run(id=18, job=None, select=["orders", "+report"], state="lost", why=None),
    run(),
    run(id=16, state="queued", why=None, started=None, ended=None, code={"generation": None}),
]


def test_a_table_has_a_line_for_each_run() -> None:
    page = run_pages.runs({"runs": LISTED, "more": True}, AT + 75, PLAIN, more="more: …")
    head, *rows, more = page.splitlines()
    assert head.split() == ["ID", "WHAT", "STATE", "WHEN", "TOOK", "BY", "CODE"]
    assert [row.split("  ")[0].strip() for row in rows] == ["19", "18", "17", "16"]
    assert f"every_morning {EARLY}" in rows[0]
    assert "sales: orders, +report" in rows[1]
    assert rows[2].split()[1:] == [
        "sales/nightly",
        "failed:",
        "check",
        *["1m", "15s", "ago", "1.0s", "ada", "9"],
    ]
    assert rows[3].split()[1:3] + rows[3].split()[-2:] == ["sales/nightly", "queued", "ada", "-"]
    assert more == "more: …"


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_of_a_table_is_longer_than_the_screen_is_wide(width: int) -> None:
    page = run_pages.runs({"runs": LISTED, "more": False}, AT + 75, Screen(width=width))
    assert max(map(len, page.splitlines())) <= width


@pytest.mark.parametrize(
    ("timezone", "clock"),
    [("Asia/Kolkata", "03:43+0530"), ("Europe/Oslo", "23:13+01"), ("UTC", "22:13+00")],
)
def test_what_a_schedule_asked_for_is_told_by_the_clocks_of_its_zone(
    timezone: str, clock: str
) -> None:
    by = {"kind": "schedule", "name": "every_morning", "timezone": timezone}
    asked = run(by=by, scheduled_for=1_700_000_000.0)
    listed = run_pages.runs({"runs": [asked], "more": False}, AT, PLAIN)
    assert f"every_morning {clock} " in listed
    told = run_pages.page(asked, AT, PLAIN)
    assert f"By: schedule every_morning for 2023-11-1{5 if '05' in clock else 4} {clock}" in told


def test_where_there_is_none_the_list_says_so() -> None:
    assert run_pages.runs({"runs": [], "more": False}, AT, PLAIN) == "no runs"


def test_a_page_shows_steps_and_checks_as_they_were_told() -> None:
    page = run_pages.page(run(params={"day": "x"}, retry_of=3), AT + 60, PLAIN)
    head, facts, *_ = page.split("\n\n")
    assert head.splitlines()[0] == "run 17  sales/nightly  failed: check"
    assert "  Parameters: day=x" in head
    assert "    Retry of: run 3" in head
    assert "        Code: generation 9, environment 0123456789ab" in head
    assert (
        "     Attempt: failed (check), pid 4711 by fork, took 1.0s, status 1, at most 30 MiB"
        in head
    )
    assert [line.split()[:2] for line in facts.splitlines()] == [
        ["raw_orders", "ok"],
        ["orders", "ok"],
        ["not_empty", "passed"],
        ["fresh", "FAILED"],
        ["report", "skipped"],
    ]
    assert page.splitlines()[-1] == "codelocd runs logs 17 · codelocd runs retry 17"


def test_a_run_in_the_queue_says_what_it_waits_for() -> None:
    waiting = run(state="queued", waits_for=["tag db, 1 at a time", "limit gpu, 2 at a time"])
    shown = run_pages.page(waiting, AT, PLAIN)
    assert "Waits for: tag db, 1 at a time; limit gpu, 2 at a time\n" in shown


@pytest.mark.parametrize(("left", "told"), [(8.0, "in 8.0s"), (-1.0, "waits in the queue")])
def test_a_page_says_when_the_next_attempt_begins(left: float, told: str) -> None:
    page = run_pages.page(run(state="queued", ended=None, retry_at=AT + left), AT, PLAIN)
    (line,) = [line for line in page.splitlines() if line.startswith("Next attempt: ")]
    assert line.endswith(f", {told}")


def test_a_page_shows_the_traceback_of_what_failed() -> None:
    problem = {"kind": "run", "summary": "ValueError: no", "detail": "Traceback\nValueError: no"}
    steps = [{**run()["steps"][0], "state": "failed", "problem": problem}]
    page = run_pages.page(run(steps=steps, why="exception"), AT, PLAIN)
    assert "Problem of raw_orders: ValueError: no\n  Traceback\n  ValueError: no" in page


def test_a_page_says_why_an_attempt_ended_that_told_nothing() -> None:
    attempt = {**ATTEMPT, "why": "signal", "signal": 9, "exit": None, "summary": "was ended"}
    page = run_pages.page(
        run(why="signal", steps=[], attempts=[attempt], summary="was ended"), AT, PLAIN
    )
    assert "     Because: was ended" in page
    assert "ended by SIGKILL" in page


@pytest.mark.parametrize(("method", "end"), [("fork", ""), ("spawn", " because it is so set")])
def test_a_page_says_why_an_attempt_was_not_forked(method: str, end: str) -> None:
    attempt = {**ATTEMPT, "start_method": method, "start_why": "it is so set"}
    page = run_pages.page(run(attempts=[attempt]), AT, PLAIN)
    assert f"pid 4711 by {method}{end}, took" in page


def test_a_page_shows_where_a_process_crashed() -> None:
    problem = {"kind": "signal", "summary": "was ended", "detail": "defs.py, line 7\nlast words"}
    attempt = {**ATTEMPT, "why": "signal", "signal": 11, "problem": problem}
    page = run_pages.page(run(why="signal", steps=[], attempts=[attempt]), AT, PLAIN)
    assert "Problem of run 17: was ended\n  defs.py, line 7\n  last words" in page


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "run 17 failed after 1.0s: 1 check; codelocd runs show 17"),
        ({"id": None}, "run failed after 1.0s: 1 check"),
        ({"state": "succeeded", "why": None}, "run 17 succeeded after 1.0s"),
        (
            {"why": "usage", "summary": "a long story"},
            "run 17 failed after 1.0s: it cannot be run as it was asked for; codelocd runs show 17",
        ),
        (
            {"state": "cancelled", "why": "shutdown"},
            "run 17 cancelled after 1.0s: the daemon ended",
        ),
        (
            {"state": "cancelled", "why": None, "started": None},
            "run 17 cancelled after 1.0s in the queue",
        ),
        (
            {"state": "lost", "why": None},
            f"run 17 lost after 1.0s: {UNSEEN}; codelocd runs show 17",
        ),
    ],
)
def test_the_last_line_says_how_it_ended(changed: dict[str, Any], line: str) -> None:
    assert ended(run(**changed), PLAIN) == line


def test_a_title_names_the_run_and_its_code() -> None:
    assert (
        title("sales/nightly", "generation 9", PLAIN, 17) == "run 17  sales/nightly  generation 9"
    )
    assert title("sales/nightly", "", PLAIN, 17) == "run 17  sales/nightly"
    assert what(run(job=None, select=[])) == "sales: all assets"


def test_no_name_moves_the_cursor() -> None:
    document = run(job="a\x1b[2J", by={"kind": "cli", "user": "\x1b]0;x"}, tags={"\r": "\x07"})
    listed = run_pages.runs({"runs": [document], "more": False}, AT, PLAIN)
    shown = listed + run_pages.page(document, AT, PLAIN) + ended(document, PLAIN)
    assert not {"\x1b", "\r", "\x07"} & set(shown)


@pytest.mark.parametrize(
    ("current", "end"),
    [(True, ", with the present code"), (False, ", with other code than the present"), (None, "")],
)
def test_when_an_asset_was_last_made(current: bool | None, end: str) -> None:
    told = run_pages.last_made({"run": 17, "at": AT, "code_current": current})
    assert told.endswith(f" by run 17{end}")
    assert EARLY in told


def test_what_dagster_has_launched_is_not_to_be_run_again_here() -> None:
    assert "codelocd runs retry 17" in run_pages.page(run(), AT, PLAIN)
    assert "retry" not in run_pages.page(run(by={"kind": "dagster"}), AT, PLAIN)


def test_what_checks_found_of_an_asset_is_told_with_when_it_was_made() -> None:
    found = [("enough", "passed", "error"), ("fresh", "failed", "warn"), ("odd", "failed", "error")]
    checks = [
        {"name": name, "state": state, "severity": severity, "summary": None}
        for name, state, severity in found
    ]
    told = run_pages.last_made({"run": 17, "at": AT, "code_current": None, "checks": checks})
    assert told.endswith(" by run 17; checks: enough passed, fresh warning, odd FAILED")
