"""What the terminal view becomes by what happens, and what it then orders. Pure."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from codelocd.render.location import outcome
from codelocd.render.text import PLAIN
from codelocd_top import keys, rows, run_rows
from codelocd_top.model import (
    ENTRIES,
    FROZEN,
    LINES,
    LOADS,
    SAID,
    Clicked,
    Done,
    Granted,
    Happened,
    Lost,
    Past,
    Pressed,
    Printed,
    Recalled,
    Resized,
    Said,
    Ticked,
    TitleClicked,
    Told,
)
from codelocd_top.run_model import RunClicked, RunShown, RunsTold, Startable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codelocd.documents.events import JournalEntry
    from codelocd.documents.locations import LocationStatus
    from codelocd_top.model import Event, Order, TopModel


def step(model: TopModel, event: Event) -> tuple[TopModel, tuple[Order, ...]]:
    """The view after `event`, and what is to be done."""
    if isinstance(event, Pressed):
        return keys.press(model, event)
    return _changed(event, model), ()


@singledispatch
def _changed(event: Any, model: TopModel) -> TopModel:
    raise TypeError(event)


@_changed.register(Granted)
def _granted(event: Granted, model: TopModel) -> TopModel:
    return replace(model, may_order=event.orders, knows_runs=event.runs)


@_changed.register(RunsTold)
def _runs_told(event: RunsTold, model: TopModel) -> TopModel:
    return run_rows.after(model, event)


@_changed.register(RunShown)
def _run_shown(event: RunShown, model: TopModel) -> TopModel:
    return replace(model, shown_run=event.run) if event.run["id"] == model.run else model


@_changed.register(RunClicked)
def _run_clicked(event: RunClicked, model: TopModel) -> TopModel:
    if model.table != "runs" or event.run not in model.runs:
        return model
    moved = replace(model.at_run(event.run), moved=model.now)
    return replace(moved, whole_pane=True) if event.twice else moved


@_changed.register(Startable)
def _startable(event: Startable, model: TopModel) -> TopModel:
    return replace(model, startable=event.found)


@_changed.register(Told)
def _told(event: Told, model: TopModel) -> TopModel:
    started = {
        name: event.at - location["uptime"]
        if _is_news(location, model.locations.get(name))
        else model.started[name]
        for name, location in event.locations.items()
        if location["uptime"] is not None
    }
    uptime = event.daemon["uptime"]
    if event.daemon is model.daemon:
        since = model.since
    else:
        since = None if uptime is None else event.at - uptime
    found = replace(
        model,
        daemon=event.daemon,
        since=since,
        locations=event.locations,
        started=MappingProxyType(started),
        lost=None,
        now=max(model.now, event.at),
    )
    return _on_a_row(rows.ordered(found, at_once=not model.order), model)


def _is_news(location: LocationStatus, known: LocationStatus | None) -> bool:
    """Whether the daemon has told of it again, and not only of what its runner uses: its uptime is
    as of when it was told."""
    return known is None or location["uptime"] != known["uptime"]


def _on_a_row(model: TopModel, before: TopModel) -> TopModel:
    """With the cursor on a row that is there: where its row is gone, on the one that came there."""
    if model.selected in model.order:
        return model
    if not model.order:
        return model.at(None)
    was = before.order.index(before.selected) if before.selected in before.order else 0
    return model.at(model.order[min(was, len(model.order) - 1)])


@_changed.register(Happened)
def _happened(event: Happened, model: TopModel) -> TopModel:
    entry = event.entry
    model = _with_loads([entry], model)
    if entry["location"] is None or entry["location"] != model.selected:
        return model
    return replace(model, past=(*model.past, entry)[-ENTRIES:])


@_changed.register(Recalled)
def _recalled(event: Recalled, model: TopModel) -> TopModel:
    """As it is told whenever the daemon is there again, it replaces what was known."""
    return _with_loads(event.entries, replace(model, loads=MappingProxyType({})))


def _with_loads(entries: Sequence[JournalEntry], model: TopModel) -> TopModel:
    """With the time of each load that these entries tell of."""
    loads, newest = dict(model.loads), model.newest_save
    for entry in entries:
        name, timing = entry["location"], entry["timing"]
        if entry["event"] != "loaded" or name is None or timing is None or timing["total"] is None:
            continue
        loads[name] = (*loads.get(name, ()), timing["total"])[-LOADS:]
        if timing["event"] is not None:  # it was a save that it came from
            newest = timing["total"]
    if loads == model.loads:
        return model
    return replace(model, loads=MappingProxyType(loads), newest_save=newest)


@_changed.register(Lost)
def _lost(event: Lost, model: TopModel) -> TopModel:
    """Since when counts from the first time; why, as it was found last."""
    since = event.at if model.lost is None else model.lost.at
    return replace(model, lost=replace(event, at=since))


@_changed.register(Printed)
def _printed(event: Printed, model: TopModel) -> TopModel:
    if event.location != model.prints:
        return model
    if event.first:
        return replace(model, printed=event.lines[-LINES:], count=0, skipped=0)
    return replace(
        model,
        printed=(*model.printed, *event.lines)[-LINES:],
        count=model.count + len(event.lines) + event.skipped,
        skipped=model.skipped + event.skipped,
    )


@_changed.register(Past)
def _past(event: Past, model: TopModel) -> TopModel:
    return replace(model, past=event.entries) if event.location == model.selected else model


@_changed.register(Done)
def _done(event: Done, model: TopModel) -> TopModel:
    style = None if event.outcome["ok"] else "red"
    return _said(Said(f"{event.verb}: {outcome(event.outcome, PLAIN)}", style), model)


@_changed.register(Said)
def _said(event: Said, model: TopModel) -> TopModel:
    return replace(model, said=event, said_at=model.now)


@_changed.register(Clicked)
def _clicked(event: Clicked, model: TopModel) -> TopModel:
    if event.location not in model.order:
        return model
    moved = keys.moved_to(model, event.location)
    return replace(moved, whole_pane=True) if event.twice else moved


@_changed.register(TitleClicked)
def _title_clicked(event: TitleClicked, model: TopModel) -> TopModel:
    return keys.sorted_by_title(model, event.title)


@_changed.register(Resized)
def _resized(event: Resized, model: TopModel) -> TopModel:
    return replace(model, width=event.width, height=event.height)


@_changed.register(Ticked)
def _ticked(event: Ticked, model: TopModel) -> TopModel:
    model = replace(model, now=event.at)
    if model.said and not model.said.stays and event.at - model.said_at > SAID:
        model = replace(model, said=None)
    if event.at - model.moved < FROZEN:
        return model
    return _on_a_row(rows.ordered(model), model)
