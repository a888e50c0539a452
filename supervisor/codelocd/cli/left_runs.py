"""The runs that the last daemon left, where none answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from codelocd.cli import left
from codelocd.cli.exit_codes import ExitCode, Failure, NoDaemon, SilentDaemon
from codelocd.cli.which import Asked
from codelocd.process import identity
from codelocd.runs.book_reading import LeftBook
from codelocd.runs.encoding import run_document
from codelocd.runs.events import Moment
from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunRecord, RunState
from codelocd.runs.recovery import recovered
from codelocd.runs.step import step
from codelocd.storage.logs import LogQuery, Logs
from codelocd.storage.remains import BOOK, LOGS, RUNS


class LeftRunsOfDaemon:
    """Answers as the daemon does, by its methods. Raises `failure` where it has left nothing."""

    def __init__(self, asked: Asked, failure: NoDaemon | SilentDaemon) -> None:
        self._folder = left.by(asked, failure, ()).folder / RUNS
        if not (self._folder / BOOK).exists():
            raise failure
        self._book = LeftBook(self._folder / BOOK)
        self._folders = RunFolders(self._folder)

    def call(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of `runs`, `run_show` or `run_logs`."""
        if method == "runs":
            return self._listed(params)
        document = self._one(params["id"])
        if method == "run_show":
            return {"run": document}
        return self._lines(params, document)

    def _listed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        states = [RunState(each) for each in params.get("states", ())]
        limit, before = params["limit"], params.get("before")
        locations = params.get("locations")
        found = {run.id: run for run in self._book.listed(locations, states, before, limit + 1)}
        if states:  # what the book has as running may be one of these
            going_on = self._book.listed(locations, [RunState.RUNNING], before, limit + 1)
            found |= {run.id: run for run in going_on}
        runs = [self._now(found[number]) for number in sorted(found, reverse=True)]
        runs = [run for run in runs if not states or run.state in states]
        return {"runs": [_document(run) for run in runs[:limit]], "more": len(runs) > limit}

    def _now(self, run: RunRecord) -> RunRecord:
        """As the next daemon would find it. One that is about to start is left alone: a look at
        its lock might stop it."""
        if run.state is not RunState.RUNNING:
            return run
        files, now = self._folders.look(run.id, len(run.attempts)), _present()
        if files.lives:
            return run
        found = recovered(run, lives=False, begun=files.begun, result=files.result, now=now)
        return run if found.event is None else step(found.run, found.event, now)[0]

    def _one(self, number: int) -> dict[str, Any]:
        run = self._book.run(number)
        if run is None:
            what = f"there was no run {number}; `codelocd runs` lists those that are kept"
            raise Failure(what, ExitCode.UNKNOWN)
        return _document(self._now(run))

    def _lines(self, params: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
        name = str(run["id"])
        given = {key: value for key, value in params.items() if key != "id"}
        for place in ("after", "before"):
            if place in given:
                given[place] = {name: given[place]}
        logs = Logs(self._folder / LOGS)
        lines, more = logs.reading([name], LogQuery(**given))[1]()
        about = {"location": run["location"], "run": run["id"]}
        told = [{**line.document(), **about, "attempt": line.generation} for line in lines]
        return {"lines": told, "last": logs.last_numbers([name])[name], "more": more}


def _document(run: RunRecord) -> dict[str, Any]:
    return run_document(run, _present())


def _present() -> Moment:
    return Moment(time.time(), time.monotonic(), boot=identity.boot())
