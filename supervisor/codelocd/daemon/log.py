"""The daemon's own log: lines for people, JSON documents, or entries of systemd's journal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

import structlog

from codelocd.core.problems import ENDED
from codelocd.daemon.journald import PROBLEMS, Journald, is_where_we_write
from codelocd.process.writer import UnhinderedStream

if TYPE_CHECKING:
    from codelocd.documents.events import TopicEvent

Format = Literal["auto", "console", "json"]

Observe = Callable[["TopicEvent"], None]


def begin(chosen: Format, *, coloured: bool, is_service: bool) -> tuple[Observe, tuple[str, ...]]:
    """Set the log up. Returns what logs the events of these topics.

    "auto" is the journal for a service whose stdout goes there, so that lines have no second time
    stamp; else lines on stdout, as the other two are.
    """
    if is_service and chosen == "auto" and is_where_we_write(os.environ, sys.stdout.fileno()):
        journal = Journald()
        _configure(_into(journal))
        return journal.observe, ("status", "logs")
    renderer: Any = structlog.processors.JSONRenderer()
    if chosen != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=coloured)
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    processors = _configure(stamp, _with_error, renderer)
    if isinstance(sys.stdout, UnhinderedStream):
        sys.stdout.writer.note = lambda lines: _dropped(lines, processors)
    return observe, ("status",)


_with_error = structlog.processors.format_exc_info


def _configure(*processors: Any) -> list[Any]:
    """Returns all processors of a line."""
    found = [structlog.processors.add_log_level, *processors]
    structlog.configure(
        processors=found,
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    return found


def _dropped(lines: int, processors: Iterable[Any]) -> str:
    """What is logged in place of so many lines."""
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=processors)
    return f"{log.warning('lines not logged: the reader of this log was too slow', lines=lines)}\n"


def _into(journal: Journald) -> Any:
    def write(logger: Any, method: str, event: Any) -> Any:
        event = dict(_with_error(logger, method, event))
        level, text = event.pop("level"), str(event.pop("event"))
        if "exception" in event:
            text += f"\n{event.pop('exception')}"
        journal.remark(level, text, **event)
        raise structlog.DropEvent

    return write


def observe(event: TopicEvent) -> None:
    """Log a status event; a problem is a warning, told in full once."""
    if event["topic"] != "status" or "full" in event["data"]:
        return
    entry, location = event["data"]["event"], event["data"]["location"]
    if location is None and entry["detail"] is not None:
        return  # the daemon itself has logged it already
    facts = {"location": entry["location"], "state": entry["after"], "detail": entry["detail"]}
    told = {name: value for name, value in facts.items() if value is not None}
    log = structlog.get_logger()
    problem = location["problem"] if location is not None else None
    is_new = entry["event"] in PROBLEMS and entry["detail"] != ENDED
    if is_new and problem is not None:
        log.warning(entry["event"], **told, problem=problem["detail"])
    else:
        log.info(entry["event"], **told)
