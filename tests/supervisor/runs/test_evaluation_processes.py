"""Evaluations as processes of a daemon: what is served, as its location's user, held to a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from codelocd.daemon.application import Application
from codelocd.daemon.runs.evaluations import Evaluations
from codelocd.model import Config
from codelocd.runs.evaluation import Evaluation, RequestedRun, Starter
from tests.supervisor.runners.launching import until
from tests.supervisor.runs.attempting import loaded, paths_in

CODE = """
import os, subprocess, sys, time
from codeloc import Definitions, Run, Skip, job, schedule, sensor

@job
def refresh(day: str = "x"): ...

@schedule(cron="0 6 * * *", job=refresh, timezone="Europe/Oslo")
def morning(context):
    return Run(params={{"day": f"{{context.scheduled_for:%Y-%m-%d %H}}"}})

@sensor(job=refresh)
def files(context):
    print("generation", context.generation, "of {said}", flush=True)
    context.cursor = "{said}"
    return Run(key=context.cursor)

@sensor(job=refresh, timeout=3)
def hangs(context):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    open("{folder}/hangs", "w").write(f"{{os.getpid()}} {{child.pid}}")
    time.sleep(1000)

@sensor(job=refresh)
def waits(context): hangs.function(context)

@sensor(job=refresh)
def hungry(context):
    taken = b"x" * (400 << 20)
    time.sleep(1000)

@sensor(job=refresh)
def dies(context): os.kill(os.getpid(), 9)

@sensor(job=refresh)
def leaves(context): os._exit(7)

@sensor(job=refresh)
def broken(context): raise ValueError("no {said}")

sensors = [files, hangs, waits, hungry, dies, leaves, broken]
defs = Definitions(jobs=[refresh], schedules=[morning], sensors=sensors)
"""


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    """Under `dev`, which asks nothing by itself."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    application = Application(Config(()), paths_in(state), lambda _: None, development=True)
    yield application
    await application.close()


@pytest.fixture
async def evaluations(application: Application, tmp_path: Path) -> Evaluations:
    base = application.run_base
    base.codes.begin()
    await loaded(application, tmp_path, code(tmp_path))
    return base.evaluations()


def hanging(folder: Path) -> list[int]:
    """The numbers of the process that hangs, and of its child, once they are there."""
    file = folder / "hangs"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def code(folder: Path, said: str = "this") -> str:
    return CODE.format(said=said, folder=folder)


def asked(name: str, **others: Any) -> Starter:
    return Starter("x", "__repository__", name, **others)


async def test_a_sensor_is_asked_in_a_process_of_its_own(
    application: Application, evaluations: Evaluations
) -> None:
    found = await evaluations.evaluate(asked("files"))
    served = application.run_base.codes.of("x")
    assert served is not None
    assert found == Evaluation((RequestedRun(key="this"),), None, "this", code=served.name_of_code)
    lines = application.logs.lines(["x"], 10)
    assert ("generation 1 of this", 1) in [(line.text, line.generation) for line in lines]
    folder = application.run_base.folders.root / "evaluations"
    assert list(folder.iterdir()) == []


async def test_a_schedule_is_asked_for_its_time(evaluations: Evaluations) -> None:
    starter = asked("morning", scheduled_for=1767243600.0, timezone="Europe/Oslo")
    found = await evaluations.evaluate(starter)
    assert found.runs == (RequestedRun({"day": "2026-01-01 06"}),)


async def test_the_last_good_code_is_asked_while_the_files_are_broken(
    application: Application, evaluations: Evaluations, tmp_path: Path
) -> None:
    (tmp_path / "x.py").write_text("raise SystemExit('broken')\n")
    found = await evaluations.evaluate(asked("files"))
    assert (found.cursor, found.summary) == ("this", None)


async def test_one_that_hangs_is_ended_with_all_that_it_has_started(
    evaluations: Evaluations, tmp_path: Path
) -> None:
    """Another one of the same location is answered meanwhile."""
    hangs = asyncio.create_task(evaluations.evaluate(asked("hangs")))
    found = await evaluations.evaluate(asked("files"))
    assert not found.failed
    found = await hangs
    assert found.summary == "it took longer than 3 s, and was ended"
    pids = hanging(tmp_path)
    await until(lambda: not any(map(psutil.pid_exists, pids)))


async def test_one_that_is_called_off_is_ended(evaluations: Evaluations, tmp_path: Path) -> None:
    hangs = asyncio.create_task(evaluations.evaluate(asked("waits")))
    await until(lambda: bool(hanging(tmp_path)))
    hangs.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hangs
    assert not psutil.pid_exists(hanging(tmp_path)[0])


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("dies", "its process was ended by signal 9 before it answered"),
        ("leaves", "its process exited with 7 before it answered"),
        ("broken", "ValueError: no this (x.py:"),
        ("absent", 'no schedule and no sensor "absent"'),
    ],
)
async def test_how_it_fails_is_told(evaluations: Evaluations, name: str, summary: str) -> None:
    found = await evaluations.evaluate(asked(name))
    assert found.failed
    assert summary in str(found.summary)
    assert found.code


async def test_a_location_that_serves_nothing_is_not_asked(
    application: Application, evaluations: Evaluations
) -> None:
    application.daemon.stop(application.locations["x"])
    found = await evaluations.evaluate(asked("files"))
    assert found.summary == "x is stopped: `codelocd start x`"
    found = await evaluations.evaluate(Starter("y", "__repository__", "files"))
    assert found.summary == "there is no location 'y'"


async def test_what_an_earlier_daemon_left_is_removed(
    application: Application, evaluations: Evaluations
) -> None:
    left = application.run_base.folders.root / "evaluations" / "7"
    left.mkdir(parents=True)
    (left / "order.1").touch()
    assert not (await evaluations.evaluate(asked("files"))).failed
    assert not left.exists()


async def test_one_that_takes_more_memory_than_its_location_may_is_ended(
    application: Application, tmp_path: Path
) -> None:
    application.run_base.codes.begin()
    await loaded(application, tmp_path, code(tmp_path), memory_limit=150 * 2**20)
    found = await application.run_base.evaluations().evaluate(asked("hungry"))
    assert str(found.summary).startswith("the evaluation"), found
    assert "memory" in str(found.summary)
