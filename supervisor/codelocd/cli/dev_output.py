"""What `codelocd dev` says about what happens. Pure: events in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from codelocd.render import timing
from codelocd.render.amounts import duration
from codelocd.render.building import step
from codelocd.render.changes import changes
from codelocd.render.journal import visible
from codelocd.render.problem import rest
from codelocd.render.screen import STATES, Screen, name_style
from codelocd.render.status import state
from codelocd.render.text import columns, one_line, plural

SHOWN = 20
"""Definitions of one change that are named one by one."""

SIGNS = (("+", "added", "green"), ("~", "changed", "yellow"), ("-", "removed", "red"))

UNDECIDED = ("building", "starting", "stopping")


class DevOutput:
    """Remembers what it said last of each location, so that it says only what is new.

    `names` are the supervised locations, `began` is when the daemon started (any clock).
    """

    def __init__(self, names: Iterable[str], screen: Screen, began: float) -> None:
        self._screen = screen
        self._began = began
        self._waiting: set[str] | None = set(names)
        self._up: dict[str, bool] = {}
        self._styles: dict[str, str] = {}
        self._said: dict[str, Any] = {}
        for name in sorted(self._waiting):
            self._style(name)

    def lines(self, event: Mapping[str, Any], now: float) -> Iterator[str]:
        """What there is to say about an event that came at `now` (the clock of `began`)."""
        data = event["data"]
        match event["topic"]:
            case "status" if data["location"] is not None:
                yield from self._status(data["event"], data["location"])
                yield from self._summary(data["location"], now)
            case "definitions":
                yield from self._definitions(data)
            case "logs":
                yield f"{self._name(data['location'])} | {visible(data['text'], self._screen)}"
            case "builds":
                yield from self._build(data)

    # --- states --------------------------------------------------------------------------------

    def _status(self, event: Mapping[str, Any], location: Mapping[str, Any]) -> Iterator[str]:
        name, problem = location["name"], location["problem"]
        words, style = state(location)
        last_words, last_problem = self._said.get(name, ("", None))
        if (words, problem) == (last_words, last_problem):
            return
        self._said[name] = (words, problem)
        cause = event["detail"] if event["event"] == "sources-changed" else None
        reason = f" ({one_line(cause)} changed)" if cause else ""
        new = problem if problem != last_problem else None
        summary = f": {new['kind']}: {one_line(new['summary'])}" if new else ""
        painted = self._screen.paint(words, style)
        yield f"{self._name(name)} {self._screen.paint('●', style)} {painted}{summary}{reason}"
        if new:
            yield from rest(new, "    ")

    def _summary(self, location: Mapping[str, Any], now: float) -> Iterator[str]:
        """One line when every location has had its first outcome."""
        if self._waiting is None or location["state"] in UNDECIDED:
            return
        self._up[location["name"]] = location["state"] == "serving"
        if self._waiting <= self._up.keys():
            self._waiting = None
            yield self._totals(duration(now - self._began))

    def _totals(self, time: str) -> str:
        down = sorted(one_line(name) for name, up in self._up.items() if not up)
        if not down:
            text = f"{plural(len(self._up), 'location')} serving after {time}"
            return self._screen.paint(text, STATES["serving"])
        up = len(self._up) - len(down)
        text = f"{up} of {len(self._up)} locations serving after {time}; not: {', '.join(down)}"
        return self._screen.paint(text, STATES["failed"])

    # --- definitions ---------------------------------------------------------------------------

    def _definitions(self, data: Mapping[str, Any]) -> Iterator[str]:
        name = self._name(data["location"])
        counts = []
        for sign, word, style in SIGNS:
            found = data[word]
            fields = data.get("fields") or () if word == "changed" else ()
            for line in _named(sign, found, fields):
                yield f"{name} {self._screen.paint(line, style)}"
            if found:
                counts.append(f"{len(found)} {word}")
        if counts or data["seconds"] is not None:
            yield f"{name} {', '.join(counts) or 'the same definitions'}{_time(data)}"

    # --- builds --------------------------------------------------------------------------------

    def _build(self, data: Mapping[str, Any]) -> Iterator[str]:
        if self._said.get(f"build {data['location']}") == data["message"]:
            return
        self._said[f"build {data['location']}"] = data["message"]
        yield f"{self._name(data['location'])} {step(data, self._screen)}"

    # --- names ---------------------------------------------------------------------------------

    def _style(self, name: str) -> str:
        return self._styles.setdefault(name, name_style(len(self._styles)))

    def _name(self, name: str) -> str:
        """The name in its colour, as wide as the widest."""
        style = self._style(name)
        width = max(columns(one_line(known)) for known in self._styles)
        clean = one_line(name)
        return self._screen.paint(clean, style) + " " * (width - columns(clean))


def _time(data: Mapping[str, Any]) -> str:
    if data["seconds"] is None:
        return ""
    stages = timing.line(data["timing"], data["start_method"]) if data.get("timing") else ""
    return f" in {duration(data['seconds'])}" + (f" ({stages})" if stages else "")


def _named(
    sign: str, found: Sequence[Mapping[str, Any]], fields: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """A line for each; `fields`: what differs in it, where that is known."""
    for index, definition in enumerate(found[:SHOWN]):
        name = f"{definition['location']}/{definition['name']}"
        what = f": {changes(fields[index])}" if index < len(fields) else ""
        yield one_line(f"{sign} {definition['kind']} {name}{what}")
    if len(found) > SHOWN:
        yield f"{sign} {len(found) - SHOWN} more"
