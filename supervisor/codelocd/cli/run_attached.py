"""Has the daemon run something, and shows it as it goes on."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from codelocd.cli import output, run_upstream
from codelocd.cli.actions import Waiting, announce
from codelocd.cli.connection import (
    PROMPT_TIMEOUT,
    Connection,
    connect_patiently,
    connect_promptly,
)
from codelocd.cli.exit_codes import ExitCode, Failure, NothingServes
from codelocd.cli.run_following import FINAL, FollowedRun, RunNews, subscribed
from codelocd.cli.run_output import Form, RunOutput
from codelocd.cli.run_request import AskedRun, exit_code, unfit_names
from codelocd.cli.which import Asked, DaemonAddress
from codelocd.render import runs as render
from codelocd.render.status import LOADING
from codelocd.render.text import one_line
from codelocd.runs.names import location_of

if TYPE_CHECKING:
    from codelocd.documents.definitions import DefinitionsDocument
    from codelocd.documents.locations import StatusDocument

BY = {"kind": "cli"}
"""What asks for a run; the daemon itself knows which user that is."""
QUIET = 1.0
"""Seconds in the queue, before that is said."""


def run(request: AskedRun, asked: Asked, form: Form, *, key: str | None, detached: bool) -> int:
    """The exit code: once it has ended, or of a `detached` one as soon as it is recorded."""
    with connect_patiently(asked) as connection:
        announce(connection)
        location = _location(connection, request.names)
        if request.lately is not None:
            _has_loaded(asked, location)
            run_upstream.require(connection, location, request, request.lately)
        given = {
            "location": location,
            "names": list(request.names),
            "select": list(request.select),
            "repository": request.repository,
            "upstream": request.upstream or None,
            "checks": request.checks,
            "params": dict(request.params),
            "tags": dict(request.tags),
            "timeout": request.timeout,
            "config": request.config,
            "key": key,
            "by": BY,
        }
        wish = {name: each for name, each in given.items() if each not in (None, [], {})}
        return order(connection, "run", wish, asked, form, detached=detached, location=location)


def _location(connection: Connection, names: tuple[str, ...]) -> str:
    answer: StatusDocument = connection.call("status")
    known = [each["name"] for each in answer["locations"] if each["state"] != "external"]
    if not known:
        what = f"{connection.daemon.name} has no location whose code could be run"
        raise Failure(what, ExitCode.USAGE)

    def having(name: str) -> list[str]:
        listed: DefinitionsDocument = connection.call("definitions", {"locations": known})
        return [
            each["location"]
            for each in listed["definitions"]
            if each["name"] == name
            and each["kind"] in ("job", "asset")
            and not each.get("external")
        ]

    with unfit_names():
        return location_of(names, known, having)


def order(
    connection: Connection,
    method: str,
    parameters: Mapping[str, Any],
    asked: Asked,
    form: Form,
    *,
    detached: bool,
    location: str,
) -> int:
    """Call `run` or `run_retry`, and show the run that comes of it, unless `detached`. A location
    that loads is waited for."""

    def ordered() -> Any:
        return connection.call(method, parameters)

    def has_loaded() -> bool:
        return _has_loaded(asked, location)

    if detached:
        _say_id(_once_loaded(ordered, has_loaded), form)
        return ExitCode.DONE
    with Interrupts(connection.daemon) as interrupts:
        events = subscribed(connection, location)
        answer = _once_loaded(ordered, interrupts.ending(has_loaded))
        document = answer["run"]
        interrupts.follow(document["id"])
        followed = FollowedRun(document["id"], lambda: connect_promptly(asked))
        is_known = not answer.get("new", True)
        if is_known:
            output.note(f"run {document['id']} has this key already")
        shown = AttachedOutput(document, form, connection.daemon)
        ended = shown.all(followed.news(connection, events, known=is_known))
        return exit_code(ended, interrupted=interrupts.count > 0)


def _once_loaded(ordered: Callable[[], Any], has_loaded: Callable[[], bool]) -> Any:
    """What is ordered, again where nothing serves the location because its code only loads."""
    while True:
        try:
            return ordered()
        except NothingServes:
            if not has_loaded():
                return ordered()  # in case that it has loaded between the two answers


def _has_loaded(asked: Asked, location: str) -> bool:
    """Waits while the location builds or starts, and says so; whether it did."""
    wanted, waited = {"locations": [location]}, False
    with connect_promptly(asked) as connection, Waiting(connection.daemon.socket, wanted):
        events = connection.subscribe(["status"], locations=[location])
        while connection.call("status", wanted)["locations"][0]["state"] in LOADING:
            waited = True
            next(events)
    return waited


def _say_id(answer: Mapping[str, Any], form: Form) -> None:
    document = answer["run"]
    if form == "json":
        output.document(document)
    elif form == "events":
        output.line({"event": "run", "at": time.time(), "run": document})
    else:
        output.say(str(document["id"]))


class AttachedOutput:
    """Shows what is told of a run of a daemon."""

    def __init__(self, document: Mapping[str, Any], form: Form, daemon: DaemonAddress) -> None:
        self._number = document["id"]
        self._location = document["location"]
        self._daemon = daemon
        self._form = form
        self._shown = RunOutput(form, self._unread)
        self._has_title = False
        self._waiting = threading.Timer(QUIET, self._say_queued)
        self._waiting.daemon = True
        if document["state"] == "queued":
            self._waiting.start()

    def all(self, news: Iterator[RunNews]) -> Mapping[str, Any]:
        """The document of the run, once it has ended."""
        try:
            for kind, told in news:
                if kind == "ended":
                    self._shown.ended(told)
                    return told
                self._show(kind, told)
        finally:
            self._waiting.cancel()
        raise Failure(f"nothing more is told of run {self._number}")

    def _show(self, kind: str, told: Mapping[str, Any]) -> None:
        match kind:
            case "run":
                self._title(told)
                if self._form == "events":
                    self._shown.told({"event": "run", "at": time.time(), "run": told})
            case "told":
                self._shown.told(told)
            case "line":
                self._line(told)
            case "caught_up":
                self._shown.caught_up(told)

    def _title(self, run: Mapping[str, Any]) -> None:
        """Once it is known which code it runs, or that it runs none."""
        if run["state"] == "queued" or self._has_title:
            return
        self._waiting.cancel()
        self._has_title = True
        self._shown.begins(render.what(run), render.of_generation(run), self._number)

    def _line(self, line: Mapping[str, Any]) -> None:
        if "gap" in line:
            output.note(f"({line['gap']} lines of output are lost)")
        else:
            text = f"{line['text']}\n".encode(errors="backslashreplace")
            self._shown.printed(line["stream"], text)

    def _say_queued(self) -> None:
        try:
            with Connection(self._daemon, PROMPT_TIMEOUT) as connection:
                answer = connection.call("status", {"locations": [self._location]}, PROMPT_TIMEOUT)
                waits = connection.call("run_show", {"id": self._number}, PROMPT_TIMEOUT)["run"]
        except Failure:
            return  # what follows the run says so, if that lasts
        if answer["daemon"]["ending"] is None:
            remedy = "`codelocd runs` lists what goes on, [runs] in the config has the limits"
            limits = "; ".join(one_line(each) for each in waits.get("waits_for") or ())
            why = f"for {limits or 'others to end'}; {remedy}"
        else:
            remedy = f"`codelocd runs cancel {self._number}` takes it back"
            why = f"for the next daemon: this one ends, and starts nothing more; {remedy}"
        if not self._waiting.finished.is_set():
            output.note(f"run {self._number} waits in the queue {why}")

    def _unread(self, error: OSError) -> None:
        output.note(f"run {self._number} goes on; codelocd runs show {self._number}")
        raise error


class Interrupts:
    """While it lasts, SIGINT cancels the run that is followed; a second one kills it, and at a
    third nothing is waited for any more."""

    def __init__(self, daemon: DaemonAddress) -> None:
        self.count = 0
        self._daemon = daemon
        self._run: int | None = None
        self._ends = False

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def ending(self, wait: Callable[[], bool]) -> Callable[[], bool]:
        """The same wait, at whose first SIGINT the command ends: nothing is asked for yet."""

        def ended() -> bool:
            self._ends = True
            if self.count:
                raise KeyboardInterrupt
            try:
                return wait()
            finally:
                self._ends = False

        return ended

    def follow(self, run: int) -> None:
        """The number of the run, as soon as it is known."""
        self._run = run
        if self.count:
            self._act()

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._ends or self.count > (1 if self._run is None else 2):
            raise KeyboardInterrupt
        if self._run is not None:
            self._act()

    def _act(self) -> None:
        """On a thread: the main one may be writing, or waiting for the daemon. Python waits for
        it at its end."""
        threading.Thread(target=self._cancel, args=(self.count > 1,)).start()

    def _cancel(self, kill: bool) -> None:
        done = "killing" if kill else "cancelling"
        again = "" if kill else "; Ctrl-C again kills it"
        try:
            with Connection(self._daemon) as connection:
                connection.call("run_cancel", {"id": self._run, "kill": kill})
            output.note(f"{done} run {self._run}{again}")
        except Failure as failure:
            output.note(f"codelocd: run {self._run} is not cancelled: {failure}")


def wait(connection: Connection, asked: Asked, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a run once it has ended."""
    if run["state"] in FINAL:
        return run
    events = subscribed(connection, run["location"], output=False)
    followed = FollowedRun(run["id"], lambda: connect_promptly(asked), output=False)
    news = followed.news(connection, events, known=True)
    return next(told for kind, told in news if kind == "ended")
