"""Which locations the table has, in which order. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codelocd_top.levels import LEVELS, level, word
from codelocd_top.model import FROZEN

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus
    from codelocd_top.model import TopModel


def ordered(model: TopModel, *, at_once: bool = False) -> TopModel:
    """With its rows in order, unless the cursor moved just now: then only what is new is added, at
    the end, and what is gone is taken away.
    """
    there = [name for name, location in model.locations.items() if is_wanted(location, model)]
    if at_once or model.now - model.moved >= FROZEN:
        order = tuple(sorted(there, key=lambda name: _rank(name, model)))
    else:
        kept = [name for name in model.order if name in set(there)]
        order = (*kept, *(name for name in there if name not in set(kept)))
    return model if order == model.order else replace(model, order=order)


def is_wanted(location: LocationStatus, model: TopModel) -> bool:
    """Whether the filter finds its text in the name, the state or the problem."""
    problem = location["problem"]
    texts = (location["name"], word(location), problem["summary"] if problem else "")
    return any(model.wanted.casefold() in text.casefold() for text in texts)


def _rank(name: str, model: TopModel) -> tuple[Any, ...]:
    """By what is sorted; numbers have the largest first, what is not known comes last."""
    location = model.locations[name]
    worst = LEVELS.index(level(location))
    match model.sort:
        case "trouble":
            return worst, name
        case "name":
            return name.casefold(), name
        case "state":
            return word(location), name
        case _:
            value = _number(name, location, model)
            return value is None, -(value or 0), name


def load_seconds(location: LocationStatus, model: TopModel) -> float | None:
    """How long its last load took, from the save on; where no journal tells, the load alone."""
    loads = model.loads.get(location["name"])
    return loads[-1] if loads else location["load_seconds"]


def _number(name: str, location: LocationStatus, model: TopModel) -> float | None:
    match model.sort:
        case "defs":
            return sum(location["definitions"].values())
        case "reload":
            return load_seconds(location, model)
        case "mem":
            return location["memory"]
        case "cpu":
            return location["cpu"]
        case _:
            started = model.started.get(name)
            return None if started is None else model.now - started
