"""What each key does to the terminal view. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codelocd_top import rows, run_keys, run_rows
from codelocd_top.model import (
    PANES,
    SORTS,
    Act,
    Question,
    Quit,
    Said,
    Scroll,
    ShowLink,
    Suspend,
)
from codelocd_top.run_model import RunQuestion

if TYPE_CHECKING:
    from codelocd_top.model import Order, Pressed, Sort, TopModel, Verb

    Result = tuple[TopModel, tuple[Order, ...]]

INTERRUPTED = 130
"""The exit code after Ctrl-C, as a shell has it."""
PAGE = 10
"""Rows that the cursor moves by with PgUp and PgDn."""
STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -PAGE, "pagedown": PAGE}
ENDS = {"home": 0, "g": 0, "end": -1, "G": -1}
SCROLLS = {"up", "down", "pageup", "pagedown", "home", "end", "left", "right"}
SCROLLS_AS = {"k": "up", "j": "down", "g": "home", "G": "end"}
PANE_SCROLLS = {"left": "left", "right": "right", "shift+up": "up", "shift+down": "down"}
"""What moves the pane while the cursor is in the table."""
PANE_KEYS = {name[0]: name for name in PANES}
KEYS = (
    ("↑ ↓ PgUp PgDn g G", "move from location to location; in a full pane: scroll"),
    ("p o e t  Tab", "problem, output, events, timing; the next of them"),
    ("↵  Esc", "the pane on the full screen, and back"),
    ("← →  Shift ↑ ↓", "scroll the pane"),
    ("r", "reload: load the code in a new runner beside the old one"),
    ("R", "restart: stop, then start; asks first"),
    ("s", "stop, or start what is stopped; asks first"),
    ("u", "runs instead of locations, and back: s steps, o output, c cancels, a runs again"),
    ("n", "run a job or assets: type a part of the name, then parameters as day=2026-11-27"),
    ("/", "show only what has a text in its name, state or problem; Esc shows all"),
    ("< >", "sort by the column to the left, to the right"),
    ("w", "the link of the page, opened where there is a browser"),
    ("?", "these keys"),
    ("Ctrl-Z", "back to the shell, until `fg`"),
    ("q", "quit"),
)
HINTS = (
    "r reload", "R restart", "s stop", "/ filter", "< > sort", "↵ full pane", "w page's link",
    "? keys", "q quit",
)  # fmt: skip
RUN_HINTS = (
    "u locations", "c cancel", "a run again", "n run", "/ filter", "↵ full pane",
    "? keys", "q quit",
)  # fmt: skip


def press(model: TopModel, event: Pressed) -> Result:
    """What the key does in the mode that the view is in."""
    key = event.character if event.character and event.character.isprintable() else event.key
    if event.key == "ctrl+c":
        return model, (Quit(INTERRUPTED),)
    if event.key == "ctrl+z":
        return model, (Suspend(),)
    match model.mode:
        case "filter":
            return _typed(model, event), ()
        case "question":
            return _answered(model, key)
        case "keys":
            return replace(model, mode="table"), ()
        case "start":
            return run_keys.typed(model, event)
        case _:
            return _in_table(replace(model, said=None), key)


def _in_table(model: TopModel, key: str) -> Result:
    if model.whole_pane and (scroll := SCROLLS_AS.get(key, key)) in SCROLLS:
        return model, (Scroll(scroll),)
    if key in PANE_SCROLLS:
        return model, (Scroll(PANE_SCROLLS[key]),)
    if model.table == "runs" and (done := run_keys.press(model, key)) is not None:
        return done
    match key:
        case "q" | "ctrl+q":
            return model, (Quit(),)
        case "w":
            return model, (ShowLink(),)
        case "u":
            return run_keys.turned(model), ()
        case "n":
            return run_keys.begin_start(model)
        case "r":
            return _ordered(model, "reload")
        case "R":
            return _asking(model, "restart"), ()
        case "s":
            chosen = model.chosen
            stopped = chosen is not None and not chosen["wanted"]
            return _asking(model, "start" if stopped else "stop"), ()
        case _:
            return _shown(model, key), ()


def _shown(model: TopModel, key: str) -> TopModel:
    """Keys that change only what is looked at."""
    if key in STEPS:
        return _moved_by(model, STEPS[key])
    if key in ENDS and model.table == "runs":
        return run_keys.moved_by(model, len(model.runs) * (1 if ENDS[key] else -1))
    if key in ENDS and model.order:
        return moved_to(model, model.order[ENDS[key]])
    if key in PANE_KEYS:
        return replace(model, pane=PANE_KEYS[key])
    match key:
        case "tab" | "shift+tab":
            step = 1 if key == "tab" else -1
            at = (PANES.index(model.pane) + step) % len(PANES)
            return replace(model, pane=PANES[at])
        case "enter":
            return replace(model, whole_pane=not model.whole_pane)
        case "escape":
            if model.whole_pane:
                return replace(model, whole_pane=False)
            return _wanting(model, "")
        case "/":
            return replace(model, mode="filter")
        case "?":
            return replace(model, mode="keys")
        case "<" | ">":
            at = SORTS.index(model.sort) + (1 if key == ">" else -1)
            return rows.ordered(replace(model, sort=SORTS[at % len(SORTS)]), at_once=True)
        case _:
            return model


def _moved_by(model: TopModel, by: int) -> TopModel:
    if model.table == "runs":
        return run_keys.moved_by(model, by)
    if not model.order:
        return model
    at = model.order.index(model.selected) if model.selected in model.order else 0
    return moved_to(model, model.order[min(max(at + by, 0), len(model.order) - 1)])


def moved_to(model: TopModel, name: str) -> TopModel:
    """With the cursor there; what was told of another location is gone."""
    return replace(model.at(name), moved=model.now)


def sorted_by_title(model: TopModel, title: str) -> TopModel:
    """Sorted by the column of this title; by trouble where it is sorted by that already, or the
    column is none to sort by."""
    word = title.strip(" ▾").casefold()
    known: dict[str, Sort] = {each: each for each in SORTS if each != model.sort}
    found = known.get(word, "trouble")
    return rows.ordered(replace(model, sort=found), at_once=True)


def _wanting(model: TopModel, text: str) -> TopModel:
    """With another filter; the cursor stays where it is if its row is still there."""
    found = rows.ordered(replace(model, wanted=text), at_once=True)
    if found.table == "runs":
        there = run_rows.order(found)
        return found if found.run in there else found.at_run(next(iter(there), None))
    if found.selected in found.order:
        return found
    return found.at(found.order[0] if found.order else None)


def _typed(model: TopModel, event: Pressed) -> TopModel:
    """A key while the filter is typed."""
    match event.key:
        case "enter":
            return replace(model, mode="table")
        case "escape":
            return _wanting(replace(model, mode="table"), "")
        case "backspace":
            return _wanting(model, model.wanted[:-1])
        case "ctrl+u":
            return _wanting(model, "")
        case "up" | "down":
            return _moved_by(model, STEPS[event.key])
    if event.character and event.character.isprintable():
        return _wanting(model, model.wanted + event.character)
    return model


def _refusal(model: TopModel) -> str | None:
    """Why nothing can be ordered now."""
    chosen = model.chosen
    if model.lost is not None:
        return "the daemon does not answer"
    if not model.may_order:
        return "you may only look: the daemon belongs to another user"
    if chosen is None:
        return "no location is selected"
    if chosen["state"] == "external":
        return "another program runs this location"
    return None


def _saying(model: TopModel, text: str, style: str | None = None) -> TopModel:
    return replace(model, said=Said(text, style), said_at=model.now)


def _asking(model: TopModel, verb: Verb) -> TopModel:
    refusal = _refusal(model)
    if refusal or model.selected is None:
        return _saying(model, f"{refusal}", "yellow")
    return replace(model, mode="question", question=Question(verb, model.selected))


def _answered(model: TopModel, key: str) -> Result:
    question = model.question
    model = replace(model, mode="table", question=None)
    if question is None or key not in ("y", "Y"):
        return _saying(model, "nothing was done"), ()
    if isinstance(question, RunQuestion):
        return run_keys.answered(model, question)
    act = Act(question.verb, question.location)
    return _saying(model, f"{act.verb} {act.location}…"), (act,)


def _ordered(model: TopModel, verb: Verb) -> Result:
    refusal = _refusal(model)
    if refusal or model.selected is None:
        return _saying(model, f"{refusal}", "yellow"), ()
    return _saying(model, f"{verb} {model.selected}…"), (Act(verb, model.selected),)
