"""Follows a run that goes on in a daemon, also while one daemon takes over from another."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from codelocd.cli import output
from codelocd.cli.connection import Connection
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.pages import Pages, lines_of, next_daemon

if TYPE_CHECKING:
    from codelocd.documents.events import TopicEvent

RunNews: TypeAlias = tuple[Literal["run", "told", "line", "caught_up", "ended"], dict[str, Any]]
"""`run`: what it is now, without its steps. `told`: an event of an attempt, with its `attempt`.
`line`: of its output. `caught_up` and `ended`: the whole document, after something may have been
missed, and last of all."""

TOPICS = ("runs", "run_logs")
FINAL = ("succeeded", "failed", "cancelled", "lost")
"""States in which a run stays."""
NEXT, NEXT_OF_SERVICE = 2.0, 10.0
"""Seconds for the next daemon to listen where the connection has ended: one of `codelocd dev`, and
one that a service manager starts."""


def subscribed(
    connection: Connection, location: str | None = None, *, output: bool = True
) -> Iterator[TopicEvent]:
    """What a followed run is told by. Nothing of what comes after this call is missed."""
    locations = None if location is None else [location]
    topics = TOPICS if output else TOPICS[:1]
    return connection.subscribe(topics, blocks=True, locations=locations)


class FollowedRun:
    """The run with this number. `pages` has its output, and which of it was given."""

    def __init__(
        self, number: int, connect: Callable[[], Connection], *, output: bool = True
    ) -> None:
        """`connect`: to the daemon that is there then. `output`: that is wanted, too."""
        self.number = number
        self.pages = Pages("run_logs", {"id": number})
        self._connect = connect
        self._output = output

    def news(
        self, connection: Connection, events: Iterator[TopicEvent], *, known: bool = False
    ) -> Iterator[RunNews]:
        """All of it until it has ended. `events`: of `subscribed`. `known`: the run was there
        before these began. Raises Failure where no daemon answers any more."""
        with contextlib.ExitStack() as own:
            while True:
                try:
                    yield from self._until_its_end(connection, events, known=known)
                    return
                except Failure as failure:
                    if failure.code != ExitCode.NO_DAEMON:
                        raise
                    lost = failure
                connection, known = own.enter_context(self._next(connection, lost)), True
                events = subscribed(connection, output=self._output)

    def _next(self, former: Connection, lost: Failure) -> Connection:
        patience = NEXT if former.daemon.project is not None else NEXT_OF_SERVICE
        if patience > NEXT:
            output.note(f"the connection has ended; waiting up to {patience:g} s for the next one")
        try:
            return next_daemon(self._connect, time.monotonic() + patience)
        except Failure:
            told = f"{lost}; what became of run {self.number}: codelocd runs show {self.number}"
            raise Failure(told, lost.code) from None

    def _until_its_end(
        self, connection: Connection, events: Iterator[TopicEvent], *, known: bool
    ) -> Iterator[RunNews]:
        if known and (yield from self._catch_up(connection)):
            return
        for event in events:
            data: Any = event["data"]
            if data.get("full"):
                if data["missed"] and (yield from self._catch_up(connection)):
                    return
            elif event["topic"] == "run_logs":
                yield from self._printed(connection, data)
            elif data["event"] == "told" and data["id"] == self.number:
                yield "told", {**data["told"], "attempt": data["attempt"]}
            elif data["event"] == "run" and data["run"]["id"] == self.number:
                if data["run"]["state"] in FINAL:
                    yield from self._end(connection, data["run"])
                    return
                yield "run", data["run"]

    def _catch_up(self, connection: Connection) -> Generator[RunNews, None, bool]:
        """Whether it has ended."""
        document = connection.call("run_show", {"id": self.number})["run"]
        if document["state"] in FINAL:
            yield "run", document
            yield from self._end(connection, document)
            return True
        yield "run", document
        yield from self._missed(connection)
        yield "caught_up", document
        return False

    def _end(self, connection: Connection, told: dict[str, Any]) -> Iterator[RunNews]:
        """`told`: what is known where the daemon says no more, because it ends, too."""
        document = {"steps": [], "attempts": [], **told}
        with contextlib.suppress(Failure):
            yield from self._missed(connection)
            document = connection.call("run_show", {"id": self.number})["run"]
            yield "caught_up", document
        yield "ended", document

    def _printed(self, connection: Connection, block: dict[str, Any]) -> Iterator[RunNews]:
        if block["run"] != self.number:
            return
        for line in lines_of(block):
            if not self.pages.follows("", line["seq"]):
                yield from self._missed(connection)
            for each in self.pages.next(line):
                yield "line", each

    def _missed(self, connection: Connection) -> Iterator[RunNews]:
        if not self._output:
            return

        def ask(params: Mapping[str, Any]) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = connection.call("run_logs", params)
            return answer

        for line in self.pages.missed(ask):
            yield "line", line
