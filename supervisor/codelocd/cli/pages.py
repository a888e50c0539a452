"""Lines of output and entries of the journal: page by page, and as they come, none left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from codelocd.cli.connection import Connection
from codelocd.cli.exit_codes import ExitCode, Failure

Line = dict[str, Any]
"""A LogLine or a JournalEntry, or what stands for some that are lost."""
Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Asks for one page: the parameters of the method, and its answer."""

PAGE = 10_000
"""Lines asked for at once."""

PAUSE = 0.2
"""Seconds between two looks for the next daemon."""


@dataclass
class Pages:
    """Lines that are numbered: those of each location, or all together.

    `method` has them, one of `logs`, `run_logs` and `events`. `params` are what its answers are
    narrowed down by; `pattern` tells of a line's text whether it is wanted, None: all are. `seen`
    is the number of the last line that was given, by location; by "" where there is one row of
    numbers for all.
    """

    method: str
    params: Mapping[str, Any]
    pattern: Callable[[str], object] | None = None
    seen: dict[str, int] = field(default_factory=dict)

    def newest(self, ask: Ask, count: int) -> list[Line]:
        """The last `count` lines that are wanted, oldest first."""
        found: list[Line] = []
        before: dict[str, int] = {}
        more = True
        while more:
            asked = PAGE if self.pattern else min(count - len(found), PAGE)
            answer = ask({**self.params, "lines": asked, **self._place("before", before)})
            lines = answer[self._key]
            if not before:
                self.seen.update(_rows(answer.get("last", {})))
            for line in reversed(lines):
                before[self._row(line)] = line["seq"]
            found[:0] = filter(self._matches, lines)
            more = len(found) < count and (len(lines) == asked or answer.get("more", False))
        return found[-count:] if count else []

    def all(self, ask: Ask) -> Iterator[Line]:
        """All lines that are wanted, oldest first."""
        after: dict[str, int] = {}
        while True:
            answer = ask({**self.params, "lines": PAGE, **self._place("after", after)})
            for line in answer[self._key]:
                after[self._row(line)] = line["seq"]
                if self._matches(line):
                    yield line
            if not answer[self._key]:
                self.seen.update(_rows(answer.get("last", {})))
                return

    def missed(self, ask: Ask) -> Iterator[Line]:
        """What came since the last line that was given; what is lost of it is said."""
        whose = "locations" if self._by_location else "id"
        only = {whose: self.params[whose]} if self.params.get(whose) else {}
        while True:
            answer = ask({**only, "lines": PAGE, **self._place("after", self.seen)})
            for line in answer[self._key]:
                yield from self.next(line)
            if not answer[self._key]:
                yield from self._lost_at_the_end(_rows(answer.get("last", {})))
                return

    def next(self, line: Line) -> Iterator[Line]:
        """A line that has come, unless it was given before, and what is lost in front of it."""
        row, seq = self._row(line), line["seq"]
        seen = self.seen.setdefault(row, seq - 1)
        if seq <= seen:
            return
        self.seen[row] = seq
        if seq > seen + 1:
            yield self._gap(row, seen + 1, seq - 1)
        if self._asked_for(line) and self._matches(line):
            yield line

    def follows(self, location: str, seq: int) -> bool:
        """Whether nothing is missing between the last line that was given and this one."""
        row = location if self._by_location else ""
        return row not in self.seen or seq <= self.seen[row] + 1

    def _lost_at_the_end(self, last: Mapping[str, int]) -> Iterator[Line]:
        """What has numbers and is nowhere. A row that begins anew is followed from its end on."""
        for row, newest in last.items():
            seen = self.seen.get(row, newest)
            self.seen[row] = newest
            if newest > seen:
                yield self._gap(row, seen + 1, newest)

    def _gap(self, row: str, first: int, last: int) -> Line:
        """Stands for lines that are lost, the first of which had the number `seq`."""
        lost = dict.fromkeys(_SHAPES[self.method])
        return {**lost, "seq": first, "location": row or None, "gap": last - first + 1}

    def _matches(self, line: Line) -> bool:
        return self.pattern is None or bool(self.pattern(line["text"]))

    def _asked_for(self, line: Line) -> bool:
        """What the daemon would say of `params`."""
        asked = self.params
        return (
            (not asked.get("locations") or line["location"] in asked["locations"])
            and asked.get("stream") in (None, line.get("stream"))
            and asked.get("contains", "") in line.get("text", "")
            and line["at"] >= asked.get("since", 0)
        )

    @property
    def _key(self) -> str:
        return "events" if self.method == "events" else "lines"

    @property
    def _by_location(self) -> bool:
        return self.method == "logs"

    def _row(self, line: Line) -> str:
        return line["location"] if self._by_location else ""

    def _place(self, name: str, places: Mapping[str, int]) -> dict[str, Any]:
        if not places and name == "before":
            return {}
        return {name: dict(places) if self._by_location else places.get("", 0)}


_LOG_LINE = ("seq", "at", "location", "stream", "text", "generation")
_SHAPES = {
    "logs": _LOG_LINE,
    "run_logs": _LOG_LINE,
    "events": ("seq", "at", "location", "event", "before", "after", "generation", "detail"),
}


def _rows(last: Mapping[str, int] | int) -> Mapping[str, int]:
    return {"": last} if isinstance(last, int) else last


def follow(
    pages: Pages, connection: Connection, connect: Callable[[], Connection], patience: float
) -> Iterator[Line]:
    """Lines as they come, for ever. When the daemon ends, the next one is waited for, `patience`
    seconds: the numbers go on under it."""
    while True:
        with connection:
            try:
                while True:
                    yield from _news(pages, connection)
            except Failure as failure:
                if failure.code != ExitCode.NO_DAEMON or patience <= 0:
                    raise
        connection = next_daemon(connect, time.monotonic() + patience)


def next_daemon(connect: Callable[[], Connection], deadline: float) -> Connection:
    """A connection to a daemon that may start only now; `deadline`: monotonic."""
    while True:
        try:
            return connect()
        except Failure:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


def _news(pages: Pages, connection: Connection) -> Iterator[Line]:
    """Returns when the daemon had to leave something out, which then has to be fetched."""

    def ask(params: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = connection.call(pages.method, params)
        return answer

    yield from pages.missed(ask)  # before events come, which would pile up here meanwhile
    topic = "logs" if pages.method == "logs" else "status"
    began = False
    for event in connection.subscribe([topic], blocks=True):
        if "full" in event["data"]:
            if began:
                connection.call("unsubscribe", {"subscription": event["subscription"]})
                return
            began = True
            yield from pages.missed(ask)
            continue
        for line in lines_of(cast("dict[str, Any]", event["data"])):
            if not pages.follows(line["location"], line["seq"]):
                yield from pages.missed(ask)
            yield from pages.next(line)


def lines_of(data: dict[str, Any]) -> Iterator[Line]:
    """The entry, or the lines, of the data of an event."""
    if "texts" not in data:
        yield data["event"]
        return
    shared = {name: value for name, value in data.items() if name not in ("seq", "texts")}
    for seq, text in enumerate(data["texts"], data["seq"]):
        yield {"seq": seq, **shared, "text": text}
