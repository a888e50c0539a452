"""The runs of the terminal view: which there are, their rows, and the pane of one. Pure."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from codelocd.render import runs as render
from codelocd.render.text import (
    NOTHING,
    Column,
    Screen,
    duration,
    one_line,
    table,
    wrapped,
)
from codelocd_top.levels import SIGNS, STYLES
from codelocd_top.run_model import RUNS, WAITING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codelocd.render.text import Cell
    from codelocd_top.levels import Level
    from codelocd_top.model import TopModel
    from codelocd_top.run_model import RunDocument, RunsTold, RunSummary

UNFINISHED = frozenset({"queued", "starting", "running"})
LEVELS_OF_RUNS: dict[str, Level] = {
    "queued": "off", "starting": "busy", "running": "busy", "succeeded": "well",
    "failed": "bad", "lost": "bad", "cancelled": "off",
}  # fmt: skip
TITLES = (
    Column("  RUN", right=False),
    Column("STATE", least=10),
    Column("WHAT", least=16),
    Column("WHEN", 2, right=True),
    Column("TOOK", 1, right=True),
    Column("BY", 3, least=8),
    Column("GEN", 4, right=True),
)
MARGIN = "  "
MOST = 6
"""Lines that a summary may take."""
DETAILS = 200
"""Lines of a traceback, the last ones."""


def is_live(run: RunSummary) -> bool:
    return run["state"] in UNFINISHED


def level_of(run: RunSummary) -> Level:
    return LEVELS_OF_RUNS.get(run["state"], "off")


def name_of(run: RunSummary) -> str:
    """What it runs, as a command names it."""
    what = run["job"] or ", ".join(run["select"] or ()) or "all assets"
    return f"{run['location']}/{what}"


def word_of(run: RunSummary) -> str:
    if is_live(run):
        return "ending" if run.get("stopping") else str(run["state"])
    return f"{run['state']}: {run['why']}" if run["why"] else str(run["state"])


def by_of(run: RunSummary) -> str:
    by = run["by"]
    return str(by.get("name") or by.get("user") or by.get("kind") or NOTHING)


def going_on(model: TopModel, location: str | None = None) -> tuple[int, int]:
    """How many runs go on, and how many wait; of a location, or of all."""
    states = [
        each["state"]
        for each in model.runs.values()
        if is_live(each) and location in (None, each["location"])
    ]
    queued = states.count("queued")
    return len(states) - queued, queued


# --- what is told ------------------------------------------------------------------------------


def after(model: TopModel, told: RunsTold) -> TopModel:
    """With what was told of runs; of those that have ended, and that wait, the newest stay."""
    found: dict[int, RunSummary] = {} if told.full else dict(model.runs)
    found |= {each["id"]: each for each in told.runs}
    ended = sorted(number for number, each in found.items() if not is_live(each))
    waiting = sorted(number for number, each in found.items() if each["state"] == "queued")
    for numbers, most in ((ended, RUNS), (waiting, WAITING)):
        for number in numbers[: max(len(numbers) - most, 0)]:
            del found[number]
    model = replace(model, runs=MappingProxyType(found))
    if model.table == "runs" and model.run not in found:
        return model.at_run(next(iter(order(model)), None))
    return model


def order(model: TopModel) -> tuple[int, ...]:
    """Runs as the table has them: the newest first, those that the filter finds."""
    wanted = model.wanted.casefold()
    return tuple(
        number
        for number in sorted(model.runs, reverse=True)
        if wanted in _text(model.runs[number]).casefold()
    )


def _took(run: RunSummary, now: float) -> float | None:
    """What goes on was told of at another moment."""
    if run["ended"] is not None:
        return render.seconds_of(run, run["ended"])
    return None if run["started"] is None else max(now - run["started"], 0)


def _text(run: RunSummary) -> str:
    return f"{run['id']} {name_of(run)} {word_of(run)} {by_of(run)}"


# --- what is shown -----------------------------------------------------------------------------


def head_and_rows(model: TopModel, screen: Screen) -> tuple[str, list[str]]:
    """The titles of the columns, and a line for each run."""

    def cells(run: RunSummary) -> list[Cell]:
        how = level_of(run)
        took = _took(run, model.now)
        generation = run["code"]["generation"]
        return [
            (f"{SIGNS[how]} {run['id']}", STYLES[how]),
            (word_of(run), STYLES[how]),
            name_of(run),
            f"{duration(max(model.now - run['queued'], 0))} ago",
            duration(took),
            by_of(run),
            NOTHING if generation is None else str(generation),
        ]

    edge = Screen(colour=screen.colour, width=max(model.width - 1, 20))
    found = [cells(model.runs[number]) for number in order(model)]
    head, *lines = table(TITLES, found, edge).split("\n")
    return f" {head}", [f" {line}" for line in lines]


def pane_lines(model: TopModel, screen: Screen) -> list[str]:
    """Of the selected run: its steps and checks, and why it failed."""
    run = model.chosen_run
    if run is None:
        return [f"{MARGIN}no run{' fits the filter' if model.wanted else ' yet; n starts one'}"]
    whole = model.shown_run
    return list(_told(run, whole, model, screen)) if whole else [f"{MARGIN}run {run['id']}…"]


def _told(run: RunSummary, whole: RunDocument, model: TopModel, screen: Screen) -> Iterator[str]:
    yield f"{MARGIN}{screen.paint(one_line(_head(run)), 'bold')}"
    given = [f"{name}={value}" for name, value in {**run["params"], **run["tags"]}.items()]
    if given:
        yield f"{MARGIN}{one_line(' '.join(given))}"
    steps = whole["steps"]
    width = render.width_of({"steps": steps})
    for step in steps:
        if step["state"] in ("started", "planned"):
            yield f"  {one_line(step['name']):<{width}}  …"
        else:
            yield render.step_line(step, width, screen)
        for check in step.get("checks") or ():
            yield render.check_line(check, width, screen)
    if not is_live(run):
        yield f"{MARGIN}{render.ended(whole, screen)}"
    for problem in _problems(whole):
        yield ""
        yield from _traced(problem, model)


def _head(run: RunSummary) -> str:
    attempt = f", attempt {run['attempt']}" if (run.get("attempt") or 0) > 1 else ""
    origin = f", again after run {run['retry_of']}" if run["retry_of"] is not None else ""
    return f"run {run['id']}  {name_of(run)}  {word_of(run)}{attempt}{origin}"


def _problems(whole: RunDocument) -> list[Mapping[str, Any]]:
    """Of its steps; where none has one, that of its newest attempt."""
    found = [step["problem"] for step in whole["steps"] if step.get("problem")]
    last = whole["attempts"][-1] if whole["attempts"] else {}
    return found or [each for each in (last.get("problem"),) if each]


def _traced(problem: Mapping[str, Any], model: TopModel) -> Iterator[str]:
    details = (problem.get("detail") or problem["summary"]).splitlines()
    for line in details[-DETAILS:]:
        yield from (f"{MARGIN}{each}" for each in wrapped(one_line(line), model.width - 4, MOST))
