"""What a service writes to its own log: each change of a location, one line each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal

import structlog

Format = Literal["auto", "console", "json"]


def configure(chosen: Format, *, coloured: bool) -> None:
    """Lines for people, or JSON documents; always on stdout."""
    renderer: Any = structlog.processors.JSONRenderer()
    if chosen != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=coloured)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )


def observe(event: Mapping[str, Any]) -> None:
    """Log a status event; a problem is a warning, told in full once."""
    if event["topic"] != "status" or event["data"].get("full"):
        return
    entry, location = event["data"]["event"], event["data"]["location"]
    if location is None and entry["detail"] is not None:
        return  # of the daemon itself: it has said so in its own words
    facts = {"location": entry["location"], "state": entry["after"], "detail": entry["detail"]}
    told = {name: value for name, value in facts.items() if value is not None}
    log = structlog.get_logger()
    if entry["event"] in _PROBLEMS and location["problem"] is not None:
        log.warning(entry["event"], **told, problem=location["problem"]["detail"])
    else:
        log.info(entry["event"], **told)


_PROBLEMS = frozenset({"environment-failed", "load-failed", "condemned", "exited"})
