"""Recorded runs: a table of them, one in full, and when an asset was last made."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from codelocd.render.journal import moment
from codelocd.render.runs import (
    STATE_STYLES,
    SUMMARY,
    WORDS,
    Document,
    check_line,
    of_generation,
    seconds_of,
    step_line,
    title,
    what,
    width_of,
)
from codelocd.render.text import (
    NOTHING,
    Cell,
    Column,
    Screen,
    duration,
    indented,
    one_line,
    shortened,
    size,
    table,
)

TITLES = (
    Column("ID", right=True),
    Column("WHAT", least=16),
    Column("STATE", least=9),
    Column("WHEN", 2),
    Column("TOOK", 3, right=True),
    Column("BY", 4, least=8),
    Column("CODE", 5, right=True),
)
MARGIN = 12
"""Columns of the longest label."""
NO_PLACE = ("exception", "check", "usage", "upstream")
"""Reasons that the steps, or a summary, tell better."""


# --- many --------------------------------------------------------------------------------------


def runs(document: Document, now: float, screen: Screen, *, more: str = "") -> str:
    """The `runs --json` document as a table. `now` is Unix time; `more` says how to see earlier
    ones, where there are any."""
    found = document["runs"]
    if not found:
        return "no runs"
    lines = [table(TITLES, [_row(run, now) for run in found], screen)]
    if document["more"] and more:
        lines.append(screen.paint(more, "dim"))
    return "\n".join(lines)


def _row(run: Document, now: float) -> list[Cell]:
    generation = run["code"]["generation"]
    return [
        (str(run["id"]), "bold"),
        what(run),
        (state(run), STATE_STYLES.get(run["state"])),
        f"{duration(now - (run['started'] or run['queued']))} ago",
        duration(seconds_of(run, now)),
        by(run),
        NOTHING if generation is None else str(generation),
    ]


def state(run: Document) -> str:
    """`failed: check`."""
    why = run["why"]
    return f"{run['state']}: {one_line(why)}" if why else str(run["state"])


def by(run: Document) -> str:
    """What asked for it, in few words: a user, a schedule with the time that it was for."""
    given = run["by"]
    name = given.get("name") or given.get("user") or given.get("kind") or NOTHING
    due = run.get("scheduled_for")
    at = "" if due is None else f" {in_zone(due, given.get('timezone'), '%H:%M')}"
    return one_line(f"{name}{at}")


def in_zone(at: float, timezone: str | None, pattern: str) -> str:
    """A time by the clocks of a schedule's zone, `06:00+01`; by this machine's, where it has no
    such zone."""
    from zoneinfo import ZoneInfo  # most runs are started by users

    try:
        told = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(timezone) if timezone else None)
    except (LookupError, OSError, ValueError):
        told = datetime.fromtimestamp(at, UTC).astimezone()
    return f"{told.strftime(pattern)}{told.strftime('%z').removesuffix('00')}"


# --- one ---------------------------------------------------------------------------------------


def page(run: Document, now: float, screen: Screen) -> str:
    """One run in full. `now` is Unix time."""
    head = title(what(run), "", screen, run["id"])
    painted = screen.paint(state(run), STATE_STYLES.get(run["state"]))
    lines = [f"{head}  {painted}"]
    lines += [f"{label:>{MARGIN}}: {value}" for label, value in _facts(run, now) if value]
    parts = ["\n".join(lines), "\n".join(_steps(run, screen)), *_problems(run, screen)]
    return "\n\n".join(filter(None, [*parts, screen.paint(_further(run), "dim")]))


def _facts(run: Document, now: float) -> Iterator[tuple[str, str]]:
    if run["why"] not in NO_PLACE or not run["steps"]:
        yield "Because", shortened(one_line(run["summary"] or ""), SUMMARY)
    yield "By", _by_in_full(run)
    yield "Queued", moment(run["queued"], date=True, milliseconds=False)
    yield "Waits for", "; ".join(one_line(each) for each in run.get("waits_for") or ())
    yield "Began", _began(run, now)
    yield "Code", ", ".join(filter(None, _code(run)))
    yield "Parameters", _pairs(run["params"])
    yield "Tags", _pairs(run["tags"])
    yield "Key", one_line(run["key"] or "")
    origin = run["retry_of"]
    yield "Retry of", "" if origin is None else f"run {origin}"
    yield "Dagster", one_line(run.get("dagster_run") or "")
    for attempt in run["attempts"]:
        label = "Attempt" if len(run["attempts"]) == 1 else f"Attempt {attempt['number']}"
        is_told = attempt["summary"] == run["summary"]
        yield label, ", ".join(filter(None, _attempt(attempt, is_told=is_told)))
    yield "Next attempt", _next(run.get("retry_at"), now)  # an older daemon does not say


def _by_in_full(run: Document) -> str:
    given, due = run["by"], run.get("scheduled_for")
    names = dict.fromkeys(filter(None, (given.get(key) for key in ("kind", "name", "user"))))
    told = " ".join(one_line(str(name)) for name in names)
    if due is None:
        return told
    return f"{told} for {in_zone(due, given.get('timezone'), '%Y-%m-%d %H:%M')}"


def _began(run: Document, now: float) -> str:
    if run["started"] is None:
        return ""
    took = seconds_of(run, now)
    for_so_long = f"took {duration(took)}" if run["ended"] else f"for {duration(took)}"
    ago = f"{duration(now - run['started'])} ago"
    return f"{moment(run['started'], date=True, milliseconds=False)}, {ago}, {for_so_long}"


def _next(due: float | None, now: float) -> str:
    if due is None:
        return ""
    left = f"in {duration(due - now)}" if due > now else "waits in the queue"
    return f"{moment(due, date=True, milliseconds=False)}, {left}"


def _code(run: Document) -> Iterator[str]:
    yield of_generation(run)
    environment = run["environment"]
    if environment:
        own = environment.startswith("existing-")
        yield "an environment of yours" if own else f"environment {one_line(environment)[:12]}"
    late = run["code"]["late"]
    if late:
        yield one_line(f"imported during the run, from the disk: {', '.join(late)}")


def _pairs(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{one_line(name)}={one_line(str(value))}" for name, value in given.items())


def _attempt(attempt: Document, *, is_told: bool) -> Iterator[str]:
    """`is_told`: its summary is that of the run."""
    why = attempt["why"]
    yield attempt["state"] + (f" ({one_line(why)})" if why else "")
    if attempt["pid"] is not None:
        yield f"pid {attempt['pid']} by {attempt['start_method']}{_not_forked(attempt)}"
    if attempt["started"] and attempt["ended"]:
        yield f"took {duration(seconds_of(attempt, attempt['ended']))}"
    if attempt["signal"] is not None:
        yield f"ended by {_signal(attempt['signal'])}"
    elif attempt["exit"]:
        yield f"status {attempt['exit']}"
    if attempt["memory_peak"] is not None:
        yield f"at most {size(attempt['memory_peak'])}"
    if why and why not in NO_PLACE and attempt["summary"] and not is_told:
        yield one_line(attempt["summary"])


def _not_forked(attempt: Document) -> str:
    """Why it took longer to start than a fork does."""
    why = attempt.get("start_why")
    return f" because {one_line(why)}" if why and attempt["start_method"] != "fork" else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _steps(run: Document, screen: Screen) -> Iterator[str]:
    width = width_of(run)
    for step in run["steps"]:
        broken_off = step["state"] == "started" and run["ended"] is not None
        end = {"summary": "it did not end"} if broken_off else {}
        yield step_line({**step, **end}, width, screen)
        for check in step.get("checks") or ():
            yield check_line(check, width, screen)


def _problems(run: Document, screen: Screen) -> Iterator[str]:
    """Tracebacks: of steps, and of the newest attempt where it is no step's."""
    found = [(each["name"], each.get("problem")) for each in run["steps"]]
    if run["attempts"] and not any(problem for _, problem in found):
        found.append((f"run {run['id']}", run["attempts"][-1]["problem"]))
    for name, problem in found:
        if problem and problem.get("detail"):
            head = screen.paint(f"Problem of {one_line(name)}", "red")
            yield f"{head}: {one_line(problem['summary'])}\n{indented(problem['detail'], '  ')}"


def _further(run: Document) -> str:
    """What can be asked next."""
    number, ended = run["id"], run["ended"] is not None
    told = [f"codelocd runs logs {'' if ended else '-f '}{number}"]
    if not ended:
        told.append(f"codelocd runs cancel {number}")
    elif run["by"].get("kind") != "dagster":  # what Dagster has launched, it repeats itself
        told.append(f"codelocd runs retry {number}")
    return " · ".join(told)


# --- its code ----------------------------------------------------------------------------------


def code(texts: Mapping[str, str], screen: Screen) -> str:
    """The files that a run executes, below their names. What they hold is printed as it is."""
    parts = [
        f"{screen.paint(f'==> {one_line(path)} <==', 'bold')}\n{text.rstrip()}"
        for path, text in texts.items()
    ]
    return "\n\n".join(parts) or "no files are kept of it"


# --- an asset ----------------------------------------------------------------------------------


def last_made(made: Document) -> str:
    """`2026-11-28 06:00:01 by run 17, with the present code; checks: not_empty passed`."""
    code = {True: ", with the present code", False: ", with other code than the present"}
    at = moment(made["at"], date=True, milliseconds=False)
    told = [_made_check(check) for check in made.get("checks") or ()]
    checks = f"; checks: {', '.join(told)}" if told else ""
    return f"{at} by run {made['run']}{code.get(made['code_current'], '')}{checks}"


def _made_check(check: Document) -> str:
    warns = check["state"] != "passed" and check.get("severity") == "warn"
    word = "warning" if warns else WORDS.get(check["state"], (check["state"], None))[0]
    return one_line(f"{check['name']} {word}")
