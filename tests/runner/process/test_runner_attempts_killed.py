"""Attempts and their daemon killed at any moment: nothing runs twice, no success is lost.

The daemon is the part of it that decides, with its book and its folders, on the real processes.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from codelocd.runs.book import RunBook
from codelocd.runs.events import AttemptEnded, AttemptStarted, Moment, RunAdmitted, UserCodeBegun
from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunRecord, RunState, RunWish
from codelocd.runs.recovery import recovered
from codelocd.runs.step import step
from tests.pythons import EXTREMES, interpreter
from tests.runner.process.attempts import Attempts
from tests.runner.process.conftest import clean_environment

RUNS = 120
SOURCE = """
import os, time
from codeloc import Definitions, job
@job
def effect(context):
    descriptor = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, b"%d.%d\\n" % (context.run, context.attempt))
    os.close(descriptor)
    time.sleep(context.run % 7 / 200)
defs = Definitions(jobs=[effect])
"""


class Rounds:
    """A daemon that is killed after some of its steps, and another in its place."""

    def __init__(self, bundle: Path, tmp_path: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.attempts = Attempts(bundle, tmp_path, clean_environment())
        self.folders = RunFolders(tmp_path / "runs")
        self.path = tmp_path / "book" / "runs.db"
        self.target = tmp_path / "code" / "defs.py"
        self.python = str(interpreter(EXTREMES[1]))

    def moment(self) -> Moment:
        return Moment(time.time(), time.monotonic())

    def daemon(self, book: RunBook) -> None:
        """What it finds, recovered; then some starts, some of which it does not see the end of."""
        for run in book.unfinished().result():
            book.save([self.resumed(run)]).result()
        waiting = [one for one in book.unfinished().result() if one.state is RunState.QUEUED]
        for run in waiting[: self.random.randint(1, 8)]:
            self.start(book, run)

    def resumed(self, run: RunRecord) -> RunRecord:
        number = len(run.attempts)
        files = self.folders.look(run.id, number)
        while files.lives:
            time.sleep(0.001)
            files = self.folders.look(run.id, number)
        found = recovered(
            run, lives=False, begun=files.begun, result=files.result, now=self.moment()
        )
        return found.run if found.event is None else step(found.run, found.event, self.moment())[0]

    def start(self, book: RunBook, run: RunRecord) -> None:
        run, _ = step(run, RunAdmitted(), self.moment())
        book.save([run]).result()
        facts: dict[str, Any] = {"attempt": len(run.attempts), "job": "effect"}
        order = self.attempts.order(self.target, run.id, **facts)
        attempt = self.attempts(self.python, order)
        fate = self.random.random()
        if fate < 0.3:  # the attempt is killed, at any moment
            time.sleep(self.random.random() * 0.4)
            os.kill(attempt.process.pid, signal.SIGKILL)
        if fate < 0.2 or fate > 0.7:
            return  # the daemon is: nothing more is known of this one
        run, _ = step(run, AttemptStarted(attempt.process.pid, "spawn"), self.moment())
        status = attempt.wait()
        files = self.folders.look(run.id, len(run.attempts))
        if files.begun:
            run, _ = step(run, UserCodeBegun(), self.moment())
        ended = AttemptEnded(
            exit=status if status >= 0 else None,
            signal=-status if status < 0 else None,
            begun=files.begun,
            result=files.result,
        )
        book.save([step(run, ended, self.moment())[0]]).result()


@pytest.mark.slow
def test_nothing_runs_twice_and_no_success_is_lost(bundle: Path, tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "defs.py").write_text(f"EFFECTS = {str(effects)!r}\n{SOURCE}")
    rounds = Rounds(bundle, tmp_path, seed=17)
    book = RunBook(rounds.path)
    for number in range(RUNS):
        book.add(RunWish("sales", job="effect", key=str(number)), time.time()).result()
    while book.unfinished().result():
        rounds.daemon(book)
        book.close()
        book = RunBook(rounds.path)
    runs = book.listed(limit=RUNS + 1).result()
    book.close()
    rounds.attempts.end()

    had = effects.read_text().split()
    assert len(runs) == RUNS
    assert len(had) == len(set(had)), "an attempt had its effect twice"
    states = {run.state for run in runs}
    assert states <= {RunState.SUCCEEDED, RunState.LOST, RunState.FAILED}
    assert {RunState.SUCCEEDED, RunState.LOST} <= states
    for run in runs:
        files = rounds.folders.look(run.id, len(run.attempts))
        assert not files.lives
        assert (files.result is not None) == (run.state is RunState.SUCCEEDED), run
        if run.state is RunState.SUCCEEDED:
            assert f"{run.id}.{len(run.attempts)}" in had
