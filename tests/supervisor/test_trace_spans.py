"""Which spans become of the entries of the journal."""

from __future__ import annotations

from typing import Any

from codelocd.core.traces import Attempt, Span, took

TIMING = {"event": 0.1, "decision": 0.2, "start": 0.3, "import": 0.4, "snapshot": 0.5}


def entry(event: str, at: float, **facts: Any) -> Any:
    empty = dict.fromkeys(("detail", "by", "timing", "generation", "added", "changed", "removed"))
    known = {"location": "sales", "attempt": 1, "before": "serving", "after": "serving"}
    return {**empty, **known, "event": event, "at": at, **facts}


def traces(*entries: Any) -> list[Span]:
    attempt: Attempt | None = None
    found = []
    for each in entries:
        attempt, span = took(attempt, each)
        found += [span] if span is not None else []
    return found


def test_the_parts_of_a_reload_follow_each_other_from_the_save_to_the_takeover() -> None:
    timing = {**TIMING, "publish": 0.5}
    (span,) = traces(
        entry("sources-changed", 100.1, by="file"),
        entry("loaded", 102.0, timing=timing, generation=2, added=1),
        entry("exited", 102.1, detail="ended by the daemon"),
    )
    assert (span.name, span.begin, span.end) == ("reload", 100.0, 102.0)
    names = [child.name for child in span.children]
    assert names == ["notice", "decide", "start", "import", "snapshot", "takeover"]
    ends = [round(child.end, 6) for child in span.children]
    assert ends == [100.1, 100.3, 100.6, 101.0, 101.5, 102.0]
    assert span.attributes["codelocd.by"] == "file"


def test_an_environment_that_cannot_be_built_ends_the_trace_with_its_reason() -> None:
    (span,) = traces(
        entry("started", 1.0, before="stopped", by="cli"),
        entry("environment-failed", 3.0, before="building", detail="no such package: x"),
    )
    assert (span.name, span.error, span.begin, span.end) == ("load", "no such package: x", 1.0, 3.0)
    (environment,) = span.children
    assert (environment.name, environment.error) == ("environment", "no such package: x")


def test_a_save_that_replaces_an_attempt_leaves_one_trace() -> None:
    timing = {**TIMING, "event": None, "publish": None}
    (span,) = traces(
        entry("sources-changed", 1.0),
        entry("sources-changed", 2.0, attempt=2),
        entry("load-failed", 4.0, attempt=2, timing=timing, detail="SyntaxError"),
    )
    assert span.attributes["codelocd.attempt"] == 2
    assert (span.error, next(child.name for child in span.children)) == ("SyntaxError", "decide")


def test_a_crash_of_what_serves_is_no_trace_and_the_start_after_it_is_one() -> None:
    (span,) = traces(
        entry("exited", 1.0, attempt=2, after="starting"),
        entry("launched", 1.1, attempt=2),
        entry("loaded", 1.5, attempt=2, timing={**TIMING, "event": None, "publish": 0.0}),
    )
    assert (span.name, span.error) == ("load", "")


def test_a_runner_that_ends_while_it_loads_is_a_failed_trace() -> None:
    (span,) = traces(
        entry("sources-changed", 1.0), entry("exited", 2.0, detail="killed by SIGKILL")
    )
    assert span.error == "killed by SIGKILL"
