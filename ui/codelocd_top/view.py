"""The parts of the screen around the pane, as lines of text; their colours are escape codes. Pure.

Everything that a daemon or a location says passes `render.text`, so that no other escape codes
reach the terminal than those of colours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codelocd.render.journal import moment
from codelocd.render.text import (
    NOTHING,
    Column,
    Screen,
    columns,
    duration,
    one_line,
    plural,
    share,
    shortened,
    size,
    table,
)
from codelocd_top import run_keys, run_rows
from codelocd_top.keys import HINTS, KEYS, RUN_HINTS
from codelocd_top.levels import SIGNS, STYLES, level, sparkline, word
from codelocd_top.model import PANES
from codelocd_top.rows import load_seconds
from codelocd_top.run_model import RUN_PANES, RunQuestion

if TYPE_CHECKING:
    from codelocd.render.text import Cell
    from codelocd_top.model import Question, TopModel

WITHOUT_PANE = 20
"""Lines of the terminal below which there is no pane."""
LEAST_PANE, LEAST_ROWS = 5, 4
AROUND = 4
"""Lines that are neither rows nor pane: the title, the columns' titles, the pane's, the last."""
TITLES = (
    Column("NAME", least=10),
    Column("STATE"),
    Column("DEFS", 1, right=True),
    Column("RELOAD", 2, right=True),
    Column("LAST 20", 3),
    Column("MEM", 4, right=True),
    Column("CPU", 5, right=True),
    Column("UP", 6, right=True),
    Column("PROBLEM", least=18),
)
EFFECTS = {
    "stop": "its definitions are no longer listed until it is started",
    "start": "its code is loaded, and reloaded when it is saved",
    "restart": "it does not answer until its code is loaded again",
}


@dataclass(frozen=True, slots=True)
class Heights:
    """How many lines the rows of the table and the pane have; 0 where they are not shown."""

    rows: int
    pane: int


def heights(model: TopModel) -> Heights:
    """The pane has what the table does not need, and at least two fifths of the room."""
    room = max(model.height - AROUND, 0)
    if model.whole_pane or model.mode == "keys":
        return Heights(0, room + 1)  # the columns' titles are not shown
    if model.height < WITHOUT_PANE:
        return Heights(room + 1, 0)  # nor is the pane's title
    most = max(room * 3 // 5, LEAST_ROWS)
    count = len(model.order) if model.table == "locations" else len(model.runs)
    rows = min(max(count, LEAST_ROWS), most)
    return Heights(rows, max(room - rows, LEAST_PANE))


def title(model: TopModel, screen: Screen) -> str:
    """The first line: sums on the left, the daemon on the right; a bar where it is gone."""
    if model.lost is not None:
        return _bar(model, screen)
    daemon, found = model.daemon, model.locations.values()
    if daemon is None:
        return screen.paint(f" {one_line(model.name)}  connecting…", "bold")
    told = [f"{sum(each['state'] == 'serving' for each in found)} of {len(found)} serving"]
    if attention := sum(level(each) in ("bad", "stale") for each in found):
        told.append(f"{attention} {'needs' if attention == 1 else 'need'} attention")
    if daemon["config"]["state"] == "invalid":
        told.append("config has a mistake, and is not applied")
    told.append(plural(sum(sum(each["definitions"].values()) for each in found), "definition"))
    running, queued = run_rows.going_on(model)
    if running or queued:
        told.append(f"{running} running" + (f", {queued} queued" if queued else ""))
    if model.newest_save is not None:
        told.append(f"save {duration(model.newest_save)}")
    up = f" · {duration(model.now - model.since)}" if model.since is not None else ""
    right = f"{one_line(daemon['version'])}{up} "
    left = shortened(f" {one_line(model.name)}  {' · '.join(told)}", model.width)
    gap = model.width - columns(left) - columns(right)
    return screen.paint(left, "bold") + (f"{' ' * gap}{right}" if gap > 1 else "")


def _bar(model: TopModel, screen: Screen) -> str:
    assert model.lost is not None
    since, shown = moment(model.lost.at, milliseconds=False), "what you see is of then"
    text = f" ✖ no answer from {one_line(model.name)} since {since}: {shown}; {model.lost.why}"
    return screen.paint(shortened(one_line(text), model.width), "red")


def head_and_rows(model: TopModel, screen: Screen) -> tuple[str, list[str]]:
    """The titles of the columns, and a line for each row."""
    if model.table == "runs":
        return run_rows.head_and_rows(model, screen)
    edge = Screen(colour=screen.colour, width=max(model.width - 1, 20))
    titles = [_marked(column, model) for column in TITLES]
    head, *lines = table(titles, [_row(name, model) for name in model.order], edge).split("\n")
    return f" {head}", [f" {line}" for line in lines]


def _marked(column: Column, model: TopModel) -> Column:
    """The column that is sorted by has a mark."""
    is_sorted = column.title.casefold() == model.sort
    title = f"{column.title} ▾" if is_sorted else column.title
    return Column("  " + title if title[:4] == "NAME" else title, column.falls, column.least,
                  right=column.right)  # fmt: skip


def _row(name: str, model: TopModel) -> list[Cell]:
    location = model.locations[name]
    how = level(location)
    loads, started = model.loads.get(name, ()), model.started.get(name)
    problem = location["problem"]
    text = problem["summary"] if problem else ""
    return [
        (f"{SIGNS[how]} {name}", STYLES[how] if how != "well" else None),
        (word(location), STYLES[how]),
        str(sum(location["definitions"].values())),
        duration(load_seconds(location, model)),
        sparkline(loads) if len(loads) > 1 else NOTHING,
        size(location["memory"]),
        share(location["cpu"]),
        _up(None if started is None else model.now - started),
        (text, STYLES[how]),
    ]


def _up(seconds: float | None) -> str:
    """`9s`, `15m`, `2h 14m`: no more often another than needed."""
    if seconds is None:
        return NOTHING
    seconds = max(seconds, 0)
    return duration(seconds // 60 * 60).removesuffix(" 0s") if seconds >= 60 else f"{seconds:.0f}s"


def pane_title(model: TopModel, held: int, screen: Screen) -> str:
    """The line above the pane: whose it is and what others there are; `held`: lines that came while
    it was scrolled up."""
    if model.mode == "keys":
        return _ruled("keys ─ any key closes this", "", model, screen)
    tabs = []
    of_runs = model.table == "runs"
    pane = model.run_pane if of_runs else model.pane
    names: tuple[str, ...] = RUN_PANES if of_runs else PANES
    for name in names:
        text = f"[{name[0]}]{name[1:]}"
        tabs.append(screen.paint(text, "bold") if name == pane else text)
        if name == pane and not screen.colour:
            tabs[-1] = f"›{text}‹"
    named = model.prints or ("no run" if of_runs else "no location")
    whose = shortened(one_line(named), max(model.width - 60, 10))
    more = _counted(model, held) if pane == "output" else ""
    return _ruled(f"{whose} ─ {'  '.join(tabs)}", more, model, screen)


def _counted(model: TopModel, held: int) -> str:
    skipped = f"{model.skipped} skipped" if model.skipped else ""
    new = f"{held} new, End follows" if held else ""
    return ", ".join(filter(None, (new, skipped)))


def _ruled(left: str, right: str, model: TopModel, screen: Screen) -> str:
    plain = SGR.sub("", left)
    right = f" {right} ──" if right else ""
    rest = model.width - columns(plain) - columns(right) - 5
    return f"─── {left} {'─' * max(rest, 0)}{right}"


SGR = re.compile("\x1b\\[[0-9;:]*m")


def last_line(model: TopModel, screen: Screen) -> str:
    """What is asked, typed, or said; else what keys there are."""
    if model.mode == "filter":
        return f" /{one_line(model.wanted)}█  ↵ keeps it, Esc shows all"
    if model.mode == "question" and model.question is not None:
        return screen.paint(shortened(f" {_asked(model.question, model)}", model.width), "bold")
    if model.mode == "start":
        return shortened(f" {one_line(run_keys.start_line(model))}", model.width)
    if model.said is not None:
        return screen.paint(shortened(f" {one_line(model.said.text)}", model.width),
                            model.said.style)  # fmt: skip
    wanted = [f"filter: {one_line(model.wanted)}  Esc"] if model.wanted else []
    return shortened(f" {'  '.join([*wanted, *_hints(model)])}", model.width)


def _asked(question: Question | RunQuestion, model: TopModel) -> str:
    if isinstance(question, RunQuestion):
        return run_keys.asked(question, model)
    name, effect = one_line(question.location), EFFECTS.get(question.verb, "")
    running, queued = run_rows.going_on(model, question.location)
    if running and question.verb != "start":
        effect = f"{plural(running, 'run')} of it {'goes' if running == 1 else 'go'} on; {effect}"
    if queued and question.verb == "stop":
        effect = f"{queued} in the queue {'is' if queued == 1 else 'are'} cancelled; {effect}"
    return f"{question.verb} {name}?  y/n   {effect}"


def _hints(model: TopModel) -> list[str]:
    """The keys, as many as there is room for: those in the middle go first."""
    chosen, of_runs = model.chosen, model.table == "runs"
    known: tuple[str, ...] = RUN_HINTS if of_runs else HINTS
    if model.runs and not of_runs:
        known = (*HINTS[:3], "u runs", *HINTS[3:])
    starts = chosen is not None and chosen["wanted"] is False
    hints = [hint.replace("s stop", "s start") if starts else hint for hint in known]
    while len(hints) > 2 and len("  ".join(hints)) + 1 > model.width:
        hints.pop(-3)
    return hints


def key_lines(screen: Screen) -> list[str]:
    """The list of keys."""
    return [f"  {screen.paint(f'{key:<20}', 'bold')} {text}" for key, text in KEYS]


def word_at(line: str, x: int) -> str:
    """What stands in that column of a line whose words are two spaces apart; empty for a gap."""
    for found in re.finditer(r"\S+(?: \S+)*", SGR.sub("", line)):
        if found.start() <= x < found.end():
            return found.group()
    return ""


def key_of(word: str) -> str:
    """The key that a click on a hint or on the name of a pane stands for; empty for none."""
    tab = re.search(r"\[(\w)\]", word)
    return tab.group(1) if tab else word.partition(" ")[0]
