"""`codelocd status`: what it prints, how it ends, which way it was read."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from codelocd.rpc.errors import RpcError
from tests.commands import DEADLINE
from tests.supervisor.cli.fake_control import LOCATION, PROBLEM, FakeDaemon, Shell, status_document

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus

STALE: LocationStatus = {**LOCATION, "stale": True, "problem": PROBLEM}
FAILED: LocationStatus = {**LOCATION, "state": "failed", "pid": None, "problem": PROBLEM}
STOPPED: LocationStatus = {**LOCATION, "state": "stopped", "wanted": False}
EXTERNAL: LocationStatus = {**LOCATION, "state": "external", "wanted": None, "environment": None}


def test_a_table_shows_every_location(project: Shell, daemon: FakeDaemon) -> None:
    done = project.run("status")
    title, row = done.stdout.splitlines()
    assert title.split() == [
        *("NAME", "STATE", "UPTIME", "RESTARTS", "DEFINITIONS", "ENVIRONMENT", "PYTHON"),
        *("PID", "MEMORY", "CPU", "PROBLEM"),
    ]
    assert row.split() == [
        *("sales", "serving", "1m", "15s", "1", "7", "0123456789ab", "3.12.1", "123"),
        *("30", "MiB", "30%", "-"),
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_the_daemons_own_document(project: Shell, daemon: FakeDaemon) -> None:
    done = project.run("status", "--json")
    assert json.loads(done.stdout) == status_document(LOCATION)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("location", "code"),
    [(LOCATION, 0), (STALE, 1), (FAILED, 1), (STOPPED, 0), (EXTERNAL, 0)],
    ids=["serving", "stale", "failed", "stopped", "external"],
)
def test_a_wanted_location_that_does_not_serve_the_newest_source_is_exit_1(
    project: Shell, daemon: FakeDaemon, location: LocationStatus, code: int
) -> None:
    daemon.answers["status"] = lambda _: status_document(LOCATION, location)
    assert project.run("status").returncode == code
    assert project.run("status", "--json").returncode == code


def test_only_the_locations_that_are_named_are_asked_for(
    project: Shell, daemon: FakeDaemon
) -> None:
    project.run("status", "sales", "weather")
    assert daemon.asked == [("status", {"locations": ["sales", "weather"]})]


def test_a_location_that_does_not_exist_is_exit_4(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["status"] = lambda _: RpcError("unknown", "there is no location 'x'")
    done = project.run("status", "x")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "codelocd: there is no location 'x'\n"


@pytest.mark.parametrize("words", [[], ["--json"], ["sales"], ["sales", "--json"]])
def test_both_ways_to_read_the_command_line_print_the_same_bytes(
    project: Shell, daemon: FakeDaemon, words: list[str]
) -> None:
    daemon.answers["status"] = lambda _: status_document(STALE, FAILED)
    quick = project.run("status", *words)
    # `--` is more than the quick way reads.
    slow = project.run("status", *words[1:], *words[:1], "--")
    assert (quick.stdout, quick.stderr, quick.returncode) == (
        slow.stdout,
        slow.stderr,
        slow.returncode,
    )
    assert quick.returncode == 1


def test_promise_14_the_command_line_library_is_not_imported(
    project: Shell, daemon: FakeDaemon
) -> None:
    done = project.run("status", "--json", environ={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "codelocd.cli.status" in imported
    assert not imported & {"click", "asyncio", "dataclasses", "pathlib", "pydantic", "structlog"}


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_it_wants_none(
    project: Shell, daemon: FakeDaemon, no_color: str, coloured: bool
) -> None:
    ours, theirs = pty.openpty()
    given = {"NO_COLOR": no_color, "TERM": "xterm"}
    done = project.run("status", stdout=theirs, environ=given)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert ("\x1b[32mserving\x1b[0m" in shown) is coloured
    assert ("\x1b" in shown) is coloured


def test_watch_prints_again_until_its_reader_leaves(project: Shell, daemon: FakeDaemon) -> None:
    process = project.start("status", "--watch", "--json")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.stdout.close()
    assert [json.loads(line) for line in lines] == [status_document(LOCATION)] * 2
    assert process.wait(DEADLINE) == 0
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == ""


def test_a_closed_pipe_ends_quietly(project: Shell, daemon: FakeDaemon) -> None:
    many: list[LocationStatus] = [{**LOCATION, "name": f"location-{n}"} for n in range(2000)]
    daemon.answers["status"] = lambda _: status_document(*many)
    process = project.start("status", "--json")
    head = subprocess.run(["head", "-c1"], stdin=process.stdout, capture_output=True, check=True)
    assert process.stdout is not None
    process.stdout.close()
    assert head.stdout == b"{"
    assert process.wait(DEADLINE) == 0
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == ""


def test_those_that_failed_can_be_asked_for_alone(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["status"] = lambda _: status_document(LOCATION, {**FAILED, "name": "web"})
    done = project.run("status", "--failed")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "web"]
    assert done.returncode == 1
    found = json.loads(project.run("status", "--failed", "--json").stdout)["locations"]
    assert [each["name"] for each in found] == ["web"]
    daemon.answers["status"] = lambda _: status_document(LOCATION)
    done = project.run("status", "--failed")
    assert (done.stdout, done.returncode) == ("none failed: 1 location: 1 serving\n", 0)


def test_dagsters_ui_is_named_below_the_table(project: Shell, daemon: FakeDaemon) -> None:
    document = status_document(LOCATION)
    document["daemon"]["dagster"] = {
        "url": "http://127.0.0.1:3000",
        "home": "/h",
        "workspace": "/h/workspace.yaml",
        "pids": {},
        "servers": {},
        "starts": {},
    }
    daemon.answers["status"] = lambda _: document
    assert project.run("status").stdout.endswith("\nDagster's UI: http://127.0.0.1:3000\n")


def test_colours_can_be_had_in_a_pipe(project: Shell, daemon: FakeDaemon) -> None:
    assert "\x1b[32mserving" in project.run("status", environ={"FORCE_COLOR": "1"}).stdout
    both = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    assert "\x1b" not in project.run("status", environ=both).stdout
