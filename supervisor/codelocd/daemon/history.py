"""What runners printed and what happened, as the methods `logs` and `events` tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from codelocd.core.weight import let_go
from codelocd.daemon import params as take
from codelocd.daemon.params import Params
from codelocd.model import Stream
from codelocd.process.garbage import much_is_made
from codelocd.rpc.errors import RpcError
from codelocd.storage.journal import Journal, JournalQuery
from codelocd.storage.log_lines import Line
from codelocd.storage.logs import LogQuery, Logs

if TYPE_CHECKING:
    from codelocd.documents.answers import EventsDocument, LogsDocument
    from codelocd.documents.locations import LogLine

LOG_PARAMS = frozenset(
    {"locations", "lines", "since", "until", "stream", "contains", "after", "before"}
)
EVENT_PARAMS = frozenset({"locations", "lines", "after", "before"})

LINES = 100
"""How many are given unless another number is asked for."""

MOST_LINES = 100_000
"""How many may be asked for at once."""


async def logs(logs: Logs, names: Sequence[str], params: Params) -> LogsDocument:
    """The answer of `logs`: lines of these locations, and the number of the last one of each."""
    last = logs.last_numbers(names)
    found, more = await _lines(logs, names, _query(params))
    return {"lines": found, "last": last, "more": more}


async def last_lines(logs: Logs, name: str, count: int) -> list[LogLine]:
    """Documents of the last lines of one location."""
    found, _ = await _lines(logs, [name], LogQuery(count))
    return found


async def _lines(logs: Logs, names: Sequence[str], query: LogQuery) -> tuple[list[LogLine], bool]:
    """Files are read on another thread."""
    slow, read = logs.reading(names, query)
    return await asyncio.to_thread(_documents, read) if slow else _documents(read)


def _documents(read: Callable[[], tuple[list[Line], bool]]) -> tuple[list[LogLine], bool]:
    with much_is_made(stays=False):
        found, more = read()
        documents = [line.document() for line in found]
        let_go(found)
    return documents, more


async def events(journal: Journal, names: Sequence[str] | None, params: Params) -> EventsDocument:
    """The answer of `events`: entries of the journal, of these locations or of all."""
    count = _count(params)
    query = JournalQuery(count, names, _place(params, "after"), _place(params, "before"))
    slow, read = journal.reading(query)
    entries = await asyncio.to_thread(read) if slow else read()
    return {"events": entries, "last": journal.last_number}


def _query(params: Params) -> LogQuery:
    stream = take.choice(params, "stream", get_args(Stream))
    return LogQuery(
        lines=_count(params),
        since=_moment(params, "since"),
        until=_moment(params, "until"),
        stream=stream,  # type: ignore[arg-type]
        contains=take.optional_text(params, "contains"),
        after=_places(params, "after"),
        before=_places(params, "before") or {},
    )


def _count(params: Params) -> int:
    count = take.number(params, "lines", LINES)
    if count > MOST_LINES:
        what = f"lines must be at most {MOST_LINES}; `before` and `after` give the next page"
        raise RpcError("usage", what)
    return count


def _moment(params: Params, name: str) -> float | None:
    value = params.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < _LATEST:
        raise RpcError("usage", f"{name} must be Unix seconds")
    return float(value)


_LATEST = 253402300800.0
"""The end of the year 9999, the last that has a name."""


def _place(params: Params, name: str) -> int | None:
    return None if params.get(name) is None else take.number(params, name)


def _places(params: Params, name: str) -> Mapping[str, int] | None:
    """For each location the number of a line."""
    if params.get(name) is None:
        return None
    places = take.mapping(params, name)
    if not all(isinstance(key, str) and type(seq) is int for key, seq in places.items()):
        raise RpcError("usage", f"{name} must be a map from locations to numbers of lines")
    return places
