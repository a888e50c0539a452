"""Makes a trace of each attempt to load a location, from the entries of the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from codelocd.core.problems import ENDED

if TYPE_CHECKING:
    from codelocd.documents.events import JournalEntry
    from codelocd.documents.locations import TimingDocument

Attribute = str | int

PARTS = ("event", "decision", "start", "import", "snapshot", "publish")
"""The parts of `timing`, one after the other, from the save to the takeover."""

NAMES = {"event": "notice", "decision": "decide", "publish": "takeover"}
"""What a span is called where the part has another name."""

FAILURES = frozenset({"load-failed", "environment-failed", "exited"})
"""Events that end an attempt without a takeover."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time (Unix seconds), and those within it. `error`: why it failed; "" if not."""

    name: str
    begin: float
    end: float
    attributes: Mapping[str, Attribute]
    error: str = ""
    children: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is under way, or is over: a late end of it, and what it replaced, is told
    with the same number. `beside`: whether a runner served when it began."""

    number: int
    begin: float
    beside: bool
    by: str | None
    environment: Span | None = None
    is_over: bool = False


def took(attempt: Attempt | None, entry: JournalEntry) -> tuple[Attempt | None, Span | None]:
    """The location's newest attempt after an entry of the journal; its trace once it is over."""
    number, at = entry["attempt"], entry["at"]
    if number is None or entry["location"] is None:
        return attempt, None
    if attempt is None or number != attempt.number:
        beside = entry["before"] == "serving" and entry["event"] != "exited"
        attempt = Attempt(number, at, beside, entry["by"])
    if attempt.is_over or entry["detail"] == ENDED:
        return attempt, None
    if entry["event"] in ("environment-ready", "environment-failed"):
        error = (entry["detail"] or "") if entry["event"] == "environment-failed" else ""
        span = Span("environment", attempt.begin, at, {}, error)
        attempt = replace(attempt, environment=span)
    has_failed = entry["event"] in FAILURES and at > attempt.begin
    if not has_failed and entry["timing"] is None:
        return attempt, None
    return replace(attempt, is_over=True), _trace(attempt, entry, has_failed=has_failed)


def _trace(attempt: Attempt, entry: JournalEntry, *, has_failed: bool) -> Span:
    children = list(_parts(entry["timing"], entry["at"]))
    if attempt.environment is not None:
        children.append(attempt.environment)
    error = (entry["detail"] or entry["event"]) if has_failed else ""
    return Span(
        "reload" if attempt.beside else "load",
        min([attempt.begin, *(child.begin for child in children)]),
        entry["at"],
        dict(_attributes(attempt, entry)),
        error,
        tuple(sorted(children, key=lambda child: child.begin)),
    )


def _attributes(attempt: Attempt, entry: JournalEntry) -> Iterator[tuple[str, Attribute]]:
    told = {
        "location": entry["location"],
        "attempt": attempt.number,
        "by": attempt.by,
        "outcome": entry["event"],
        "generation": entry["generation"],
        "added": entry["added"],
        "changed": entry["changed"],
        "removed": entry["removed"],
    }
    for name, value in told.items():
        if value is not None:
            yield f"codelocd.{name}", value


def _parts(timing: TimingDocument | None, end: float) -> Iterator[Span]:
    """Each part ends where the next one begins, and the last with the attempt."""
    if timing is None:
        return
    known = [(NAMES.get(part, part), timing[part]) for part in PARTS]  # type: ignore[literal-required]
    taken = [(name, seconds) for name, seconds in known if seconds is not None]
    moments = [end]
    for _, seconds in reversed(taken):
        moments.append(moments[-1] - seconds)
    for (name, _), (begin, until) in zip(taken, pairwise(reversed(moments)), strict=True):
        yield Span(name, begin, until, {})
