"""Gives an order to the daemon, says what it waits for, and sees it through to its outcome."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from codelocd.cli import output
from codelocd.cli.connection import (
    ANSWER_TIMEOUT,
    GRACE,
    Connection,
    connect_patiently,
    connect_promptly,
    whole_status,
)
from codelocd.cli.exit_codes import ExitCode, Failure, NoDaemon, SilentDaemon
from codelocd.cli.output import LiveLine
from codelocd.cli.pages import next_daemon
from codelocd.cli.which import Asked
from codelocd.client import Client, DaemonUnreachable, RpcError
from codelocd.render.status import under_way
from codelocd.render.text import duration

if TYPE_CHECKING:
    from codelocd.documents.answers import ActionOutcome

NEXT = 2.0
"""Seconds for the next daemon to listen where the connection has ended. One that is upgraded
listens all the time."""


@dataclass(frozen=True, slots=True)
class Order:
    """One of `start stop restart reload` for the locations that `parameters` name; `timeout`: the
    seconds after which its outcome is no longer waited for."""

    verb: str
    parameters: Mapping[str, Any]
    wait: bool
    timeout: float | None

    def outcomes(self, asked: Asked) -> list[ActionOutcome]:
        """What became of it in each location. Where the daemon is upgraded meanwhile, the next one
        is asked, which goes on with what it took over."""
        began, given = time.monotonic(), time.time()
        connection, verb, left = connect_patiently(asked), self.verb, self.timeout
        announce(connection)
        while True:
            with connection:
                former = connection.instance
                try:
                    return self._carried_out(connection, verb, left)
                except Failure as failure:
                    if not self.wait or not _ended(failure):
                        raise
                    lost = failure
            connection = self._next(asked, former, lost)
            if self.timeout is not None:
                left = max(0.1, self.timeout - (time.monotonic() - began))
            verb = self.verb
            if verb == "restart" and _was_given(connection, given):
                verb = "start"  # it was stopped, or will not serve for long: once is enough

    def _carried_out(
        self, connection: Connection, verb: str, left: float | None
    ) -> list[ActionOutcome]:
        parameters = {**self.parameters, "wait": self.wait, "timeout": left}
        if connection.is_of_this_version():
            parameters["by"] = "cli"
        patience = None if left is None else left + GRACE
        with Waiting(connection.daemon.socket, parameters) if self.wait else nullcontext():
            found: list[ActionOutcome] = connection.call(verb, parameters, patience)["locations"]
        return found

    def _next(self, asked: Asked, former: str, lost: Failure) -> Connection:
        """A connection to another daemon than the `former` one; raises `lost` where there is
        none."""
        try:
            connection = next_daemon(lambda: connect_promptly(asked), time.monotonic() + NEXT)
        except Failure:
            raise lost from None
        if not connection.instance:
            connection.greet(ANSWER_TIMEOUT)  # it takes up its new version
        if connection.instance == former:
            connection.close()
            raise lost
        name = connection.daemon.name
        output.note(f"{name} was started anew meanwhile; waiting for the outcome of {self.verb}")
        return connection


def announce(connection: Connection) -> None:
    """Say who is about to change something, unless it is the project's own daemon."""
    if connection.daemon.project is None:
        output.note(f"asking {connection.daemon.name} at {connection.daemon.socket}")


def _ended(failure: Failure) -> bool:
    """Whether a connection that was there has ended."""
    absent = isinstance(failure, NoDaemon | SilentDaemon)
    return failure.code == ExitCode.NO_DAEMON and not absent


def _was_given(connection: Connection, since: float) -> bool:
    """Whether an earlier daemon has noted a restart in the journal since then, in Unix seconds."""
    events = connection.call("events", {"lines": 1000})["events"]
    earliest = round(since, 3) - 0.001  # as entries have it
    return any(each["event"] == "restart-asked" and each["at"] >= earliest for each in events)


QUIET = 1.0
"""Seconds before the first word, and between two looks: most orders have their outcome by then."""

HEED = 0.8
"""Seconds for the daemon to say what it does: so what an order waits for is said within two."""


class Waiting:
    """While an order is carried out: looks from time to time, on a connection of its own.

    `parameters` are those of the order, which name its locations.
    """

    def __init__(self, socket: str, parameters: Mapping[str, Any]) -> None:
        self._socket = socket
        names = parameters.get("locations")
        self._parameters = {"locations": names} if names else {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="waiting", daemon=True)

    def __enter__(self) -> Waiting:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(QUIET)

    def _look(self) -> None:
        said: set[str] = set()
        heard = time.monotonic()
        with LiveLine(sys.stderr) as line:
            while not self._ended.wait(QUIET):
                try:
                    with Client(self._socket, timeout=HEED, foreign=True) as client:
                        found = whole_status(client.call("status", self._parameters, timeout=HEED))
                    heard, waits = time.monotonic(), under_way(found["locations"])
                except DaemonUnreachable as failure:
                    if failure.reason != "silent":
                        continue  # the order itself says what is wrong
                    waits = [("the daemon, which does not answer", _since(heard))]
                except (RpcError, OSError):
                    continue
                if not self._ended.is_set():
                    _say(line, said, waits)


def _since(moment: float) -> str:
    return duration(time.monotonic() - moment)


def _say(line: LiveLine, said: set[str], waits: Sequence[tuple[str, str]]) -> None:
    """All of it on a terminal, where it is written over; elsewhere each wait once."""
    if line.is_live:
        texts = [f"{what} ({since})" for what, since in waits]
        line.show(f"waiting for {', '.join(texts)}") if texts else line.clear()
        return
    for what, since in waits:
        if what not in said:
            said.add(what)
            line.show(f"waiting for {what} ({since})")
