"""The limits of a location hold for its code server, and for the runs that are its children."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.daemons import wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are read from Linux's /proc"),
]

SOURCE = """
import os, signal, sys, time
from pathlib import Path
import dagster as dg

taken = []

def take(*_):
    taken.append(b"x" * (1200 * 2**20))

signal.signal(signal.SIGUSR1, take)
if Path({at_load!r}).exists() and "grpc" in sys.argv:
    take()
    time.sleep(600)

def until_told():
    while not Path({told!r}).exists():
        time.sleep(0.05)

@dg.op
def waits():
    until_told()

@dg.op
def takes_memory():
    take()
    until_told()

@dg.op
def forks():
    for _ in range(400):
        if not os.fork():
            time.sleep(600)
    until_told()

@dg.job
def long():
    waits()

@dg.job
def hungry():
    takes_memory()

@dg.job
def bomb():
    forks()

@dg.asset
def one(): ...

defs = dg.Definitions(assets=[one], jobs=[long, hungry, bomb])
"""


@pytest.fixture
def limited(project: Path, declare, tmp_path) -> Callable[[str], None]:
    """`limited(lines)`: a location with these limits."""

    def write(lines: str) -> None:
        config = project / "codelocd.toml"
        if not config.exists():
            declare(shop="newest")
            source = SOURCE.format(told=str(tmp_path / "told"), at_load=str(tmp_path / "at-load"))
            (project / "shop.py").write_text(source)
        text = config.read_text()
        config.write_text(re.sub(r'(start_timeout = "60s"\n)[^[]*', rf"\1{lines}\n", text))

    return write


def problem_of(shown, kind: str = "limit"):
    found = shown.dev.entry("shop")["problem"]
    return found if found is not None and found["kind"] == kind else None


@pytest.mark.parametrize("method", ["auto", "spawn"])
def test_niceness_and_open_files_hold_for_a_server_and_change_while_it_runs(limited, page, method):
    limited(f'start_method = "{method}"\nnice = 3\nopen_files = 300')
    shown = page("shop")
    server = shown.about()["servers"]["shop"]

    def held() -> tuple[int, int]:
        soft, _ = resource.prlimit(server, resource.RLIMIT_NOFILE)
        return os.getpriority(os.PRIO_PROCESS, server), soft

    assert held() == (3, 300)
    limited(f'start_method = "{method}"\nnice = 6\nopen_files = 400')
    wait_for(lambda: held() == (6, 400))
    assert shown.about()["servers"]["shop"] == server


def test_a_server_beyond_its_memory_is_replaced_while_its_location_serves_on(limited, page):
    limited('memory_limit = "1GiB"')
    shown = page("shop")
    runner, server = shown.dev.entry("shop")["pid"], shown.about()["servers"]["shop"]
    os.kill(server, signal.SIGUSR1)
    problem = shown.until(lambda: problem_of(shown))
    assert re.fullmatch(
        r"Dagster's code server used 1\.\d+ GiB of memory, more than memory_limit = 1(\.0)? GiB",
        problem["summary"],
    )
    shown.until(lambda: shown.about()["servers"].get("shop", server) != server)
    shown.until(lambda: shown.loaded() == {"shop"} and shown.assets() == {"one"})
    entry = shown.dev.entry("shop")
    assert (entry["state"], entry["stale"], entry["pid"]) == ("serving", False, runner)
    assert entry["definitions"]["asset"] == 1
    assert any("another one takes its place" in line for line in shown.dev.printed)
    events = map(json.loads, shown.dev.cli("events", "--json").stdout.splitlines())
    told = [each["detail"] for each in events if each["event"] == "limit-met-beside"]
    assert told == [problem["summary"]]


def test_a_run_beyond_the_memory_is_named_and_ended_alone(limited, page, tmp_path):
    limited('memory_limit = "1GiB"')
    shown = page("shop")
    server = shown.about()["servers"]["shop"]
    survivor = shown.launch("shop", "long")
    shown.until(lambda: shown.status(survivor) == "STARTED")
    hungry = shown.launch("shop", "hungry")
    problem = shown.until(lambda: problem_of(shown))
    assert re.fullmatch(
        r"Dagster's code server and its runs used [\d.]+ GiB of memory, more than memory_limit = "
        rf"1(\.0)? GiB; run {hungry} used 1\.\d+ GiB of it, and it was ended",
        problem["summary"],
    )
    shown.until(lambda: shown.status(hungry) == "FAILURE")
    assert shown.status(survivor) == "STARTED"
    assert shown.about()["servers"]["shop"] == server
    (tmp_path / "told").touch()
    shown.until(lambda: shown.status(survivor) == "SUCCESS")


def test_a_fork_bomb_in_a_run_is_named_and_ends_with_the_server(limited, page):
    limited("tasks_limit = 200")
    shown = page("shop")
    runner, server = shown.dev.entry("shop")["pid"], shown.about()["servers"]["shop"]
    bomb = shown.launch("shop", "bomb")
    problem = shown.until(lambda: problem_of(shown))
    assert re.fullmatch(
        r"Dagster's code server and its runs had \d+ tasks \(processes and threads\), more than "
        rf"tasks_limit = 200; run {bomb} had \d+ of them, and all were ended",
        problem["summary"],
    )
    shown.until(lambda: shown.about()["servers"].get("shop", server) != server)
    shown.until(lambda: shown.loaded() == {"shop"} and shown.assets() == {"one"})
    assert shown.dev.entry("shop")["pid"] == runner


def test_a_server_beyond_its_memory_over_its_load_fails_that_with_the_figure(
    limited, page, project, tmp_path
):
    limited('memory_limit = "1GiB"')
    shown = page("shop")
    (tmp_path / "at-load").touch()
    (project / "shop.py").write_text((project / "shop.py").read_text() + "\n# saved\n")
    problem = shown.until(lambda: problem_of(shown))
    assert problem["summary"].startswith("Dagster's code server used 1.")
    entry = shown.dev.entry("shop")
    assert (entry["state"], entry["stale"]) == ("serving", True)
