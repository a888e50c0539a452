"""Turns events into the lines that `codelocd dev` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from codelocd.cli.dagster_lines import ADDRESS, HELPERS, OURS, HelperLines
from codelocd.render import location
from codelocd.render.definitions import changes
from codelocd.render.journal import visible
from codelocd.render.location import counts, rest, step
from codelocd.render.status import LOADING, UNDER_WAY, config, state
from codelocd.render.text import (
    PLAIN,
    STATES,
    Screen,
    columns,
    duration,
    name_style,
    one_line,
    plural,
    starting,
)

if TYPE_CHECKING:
    from codelocd.documents.definitions import Listed
    from codelocd.documents.events import (
        BuildStep,
        DefinitionsNews,
        JournalEntry,
        StatusNews,
        TopicEvent,
    )
    from codelocd.documents.locations import ConfigDocument, LocationStatus, ProblemDocument

CHANGED = ("sources-changed", "started", "restart-asked", "reload-asked")
"""Events after which a problem is told in full again: a person has done something about the last
one."""

HEALTHY = 60.0
"""Seconds of serving after which a crash is another one, not the next of a loop."""


class ToldProblems:
    """The problem of each location that was told in full: the next like it takes one line."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, str]] = {}
        self._served: dict[str, float] = {}

    def follow(self, event: str, location: LocationStatus, now: float) -> None:
        """An event led to this status of a location, at `now` (any clock)."""
        name = location["name"]
        if event in CHANGED:
            self._told.pop(name, None)
        if location["state"] == "serving":
            self._served.setdefault(name, now)
        elif now - self._served.pop(name, now) >= HEALTHY:
            self._told.pop(name, None)

    def is_known(self, name: str, problem: ProblemDocument) -> bool:
        """Whether it is the one that was told last; from now on it is.

        The last of many says more in its summary: that nothing is tried again.
        """
        kind, summary = self._told.get(name, ("", ""))
        self._told[name] = problem["kind"], problem["summary"]
        return kind == problem["kind"] and problem["summary"].startswith(summary)

    def retries(self, location: LocationStatus) -> bool:
        """Whether an attempt under way is that of a crash loop, which has told why."""
        return location["problem"] is not None and location["name"] in self._told


SHOWN = 20
"""Definitions of one change that are named one by one."""
SIGNS: tuple[tuple[str, Literal["added", "changed", "removed"], str], ...] = (
    ("+", "added", "green"),
    ("~", "changed", "yellow"),
    ("-", "removed", "red"),
)

WIDEST = 24
"""Columns that a name is filled up to: one long name shall not make every line wrap."""

ADDED = "added"
"""The event of a location that is there, and is not to be started."""

STOPPED = "stopped"
"""The event of a location that is told to stop."""

Loudness = Literal["quiet", "normal", "verbose"]
"""quiet: what goes wrong, and what the code prints. verbose: each step of a start, too."""


class DevOutput:
    """Remembers what it said last of each location, so that it says only what is new.

    `names` are the supervised locations, `began` is when the daemon started (any clock).
    `live`: what is under way is shown elsewhere, as `under_way` has it.
    """

    def __init__(
        self,
        names: Iterable[str],
        screen: Screen,
        began: float,
        *,
        loudness: Loudness = "normal",
        live: bool = False,
    ) -> None:
        self._screen = screen
        self._began = began
        self._loudness = loudness
        self._live = live
        self._helpers = HelperLines(everything=loudness == "verbose")
        self._waiting: set[str] | None = set(names)
        self._up: dict[str, bool] = {}
        self._address: str | None = None
        self._painted: dict[str, tuple[str, int]] = {}
        self._widest = 0
        self._said: dict[str, Any] = {}
        self._leaving: set[str] = set()
        self._problems = ToldProblems()
        self._config: str | None = None
        self._warned: set[str] = set()
        self._resolving: set[str] = set()
        self._under_way: dict[str, str] = {}
        for name in sorted(self._waiting):
            self._meet(name)

    @property
    def under_way(self) -> list[str]:
        """What builds, starts or loads now: a line for each, without colours."""
        return list(self._under_way.values())

    def lines(self, event: TopicEvent, now: float) -> Iterator[str]:
        """What there is to say about an event that came at `now` (the clock of `began`)."""
        if "full" in event["data"]:
            return
        if event["topic"] == "status":
            yield from self._happened(event["data"], now)
        elif event["topic"] == "definitions":
            yield from self._definitions(event["data"])
        elif event["topic"] == "builds":
            yield from self._build(event["data"])
        elif "texts" in event["data"]:
            yield from self._printed(event["data"]["location"], event["data"]["texts"])

    def _happened(self, data: StatusNews, now: float) -> Iterator[str]:
        if (location := data["location"]) is not None:
            yield from self._status(data["event"], location, now)
            if not self._leaves(data["event"]["event"], location):
                yield from self._summary(location, now)
        elif "config" in data:
            yield from self._of_config(data["config"])

    def _printed(self, name: str, texts: Sequence[str]) -> Iterator[str]:
        if name in HELPERS:
            yield from (line for text in texts for line in self._helped(name, text))
            return
        before = f"{self._name(name)} | "
        yield from (before + visible(text, self._screen) for text in texts)

    def _helped(self, name: str, text: str) -> Iterator[str]:
        """What one of Dagster's processes prints."""
        words, stays = self._helpers.heard(name, text)
        if stays and words.startswith(ADDRESS):
            yield self._opened(one_line(words))
        elif stays and words.startswith(OURS):
            yield one_line(words)
        elif stays:
            yield f"{self._name(name)} | {visible(words, self._screen)}"
        if words and not stays:
            self._under_way[name] = one_line(words)
        elif stays:
            self._under_way.pop(name, None)

    def _of_config(self, found: ConfigDocument) -> Iterator[str]:
        """What is wrong with a saved config, and that it is mended."""
        was_mended = self._config is not None and found["problem"] is None
        self._config = found["problem"]
        yield from config(found, self._screen)
        if was_mended:
            yield self._screen.paint(one_line(f"config applied: {found['file']}"), "green")

    def _opened(self, address: str) -> str:
        """Where Dagster's UI is: in the sum of all locations, once that has been said, too."""
        self._address = address
        if self._waiting is None:
            return self._totals("")
        return self._screen.paint(address, STATES["serving"])

    # --- states --------------------------------------------------------------------------------

    def _status(self, event: JournalEntry, location: LocationStatus, now: float) -> Iterator[str]:
        name, problem = location["name"], location["problem"]
        words, style = state(location)
        self._problems.follow(event["event"], location, now)
        last_words, last_problem = self._said.get(name, ("", None))
        self._follow(name, location, words)
        if (words, problem) == (last_words, last_problem):
            return
        self._said[name] = (words, problem)
        new = problem if problem != last_problem else None
        if not self._is_said(name, location, first=not last_words, new=new is not None):
            return
        cause = event["detail"] if event["event"] == "sources-changed" else None
        reason = f" ({one_line(cause)} changed)" if cause else ""
        summary = f": {new['kind']}: {one_line(new['summary'])}" if new else ""
        if not new and self._is_first_outcome(name, location):
            summary = f": {counts(location['definitions'])}, after {duration(now - self._began)}"
        if event["event"] == ADDED and location["state"] == "stopped":
            summary = f", as codelocd stop left it; to start it: {starting(name)}"
        painted = self._screen.paint(words, style)
        yield f"{self._name(name)} {self._screen.paint('●', style)} {painted}{summary}{reason}"
        if new and not self._problems.is_known(name, new):
            yield from rest(new, "    ")

    def _is_said(self, name: str, location: LocationStatus, *, first: bool, new: bool) -> bool:
        """A location that starts has one line until its first outcome; `new`: a new problem."""
        if self._loudness == "verbose" or new:
            return True
        if self._loudness == "quiet":
            return False
        if self._starts(name) and location["state"] in UNDER_WAY:
            return first and not self._live
        return location["state"] not in LOADING or not self._problems.retries(location)

    def _starts(self, name: str) -> bool:
        """Whether it has had no outcome yet."""
        return self._waiting is not None and name in self._waiting and name not in self._up

    def _is_first_outcome(self, name: str, location: LocationStatus) -> bool:
        serves = location["state"] == "serving" and not location["stale"]
        return self._loudness == "normal" and serves and self._starts(name)

    def _follow(self, name: str, location: LocationStatus, words: str) -> None:
        if location["state"] in UNDER_WAY or location["reloading"]:
            self._under_way[name] = f"{one_line(name)} {words}"
        else:
            self._under_way.pop(name, None)

    def _leaves(self, event: str, location: LocationStatus) -> bool:
        """Whether the location is stopped before its first outcome, as at the end of the daemon."""
        name = location["name"]
        if event == STOPPED:
            self._leaving.add(name)
            if self._waiting is not None:
                self._waiting.discard(name)
        return name in self._leaving and location["state"] in ("stopping", "stopped")

    def _summary(self, location: LocationStatus, now: float) -> Iterator[str]:
        """One line when every location has had its first outcome."""
        if location["state"] in UNDER_WAY:
            return
        self._up[location["name"]] = location["state"] == "serving"
        if self._waiting is not None and self._waiting <= self._up.keys():
            self._waiting = None
            yield self._totals(f" after {duration(now - self._began)}")

    def _totals(self, after: str) -> str:
        """How many serve, which do not, and where Dagster's UI is."""
        down = sorted(one_line(name) for name, up in self._up.items() if not up)
        up = len(self._up) - len(down)
        all_of_them = plural(len(self._up), "location")
        text = f"{up} of {all_of_them}" if down else all_of_them
        text = f"{text} serving{after}" + (f"; not: {', '.join(down)}" if down else "")
        text += f"; {self._address}" if self._address else ""
        return self._screen.paint(text, STATES["failed" if down else "serving"])

    # --- definitions ---------------------------------------------------------------------------

    def _definitions(self, data: DefinitionsNews) -> Iterator[str]:
        if self._loudness == "quiet":
            return
        if self._loudness == "normal" and self._starts(data["location"]):
            return
        name = self._name(data["location"])
        counted = []
        for sign, word, style in SIGNS:
            found = data[word]
            fields = data["fields"] if word == "changed" else ()
            for line in _named(sign, found, fields):
                yield f"{name} {self._screen.paint(line, style)}"
            if found:
                counted.append(f"{len(found)} {word}")
        if counted or data["seconds"] is not None:
            yield f"{name} {', '.join(counted) or 'the same definitions'}{_time(data)}"

    # --- builds --------------------------------------------------------------------------------

    def _build(self, data: BuildStep) -> Iterator[str]:
        """A warning once, however many locations have it; steps where they are asked for."""
        name, phase, message = data["location"], data["phase"], data["message"]
        if phase == "warning":
            if message not in self._warned:
                self._warned.add(message)
                yield f"{self._name(name)} {step(data, self._screen)}"
            return
        self._under_way[name] = f"{one_line(name)} {step(data, PLAIN)}"
        if self._loudness != "verbose" or self._said.get(f"build {name}") == message:
            return
        self._said[f"build {name}"] = message
        if phase == "resolving" and name in self._resolving:
            return
        if phase == "resolving":
            self._resolving.add(name)
        elif phase == "ready":
            self._resolving.discard(name)
        yield f"{self._name(name)} {step(data, self._screen)}"

    # --- names ---------------------------------------------------------------------------------

    def _meet(self, name: str) -> tuple[str, int]:
        """The name in its colour, and how many columns it takes."""
        clean = one_line(name)
        painted = self._screen.paint(clean, name_style(len(self._painted)))
        self._painted[name] = painted, columns(clean)
        self._widest = max(self._widest, columns(clean))
        return self._painted[name]

    def _name(self, name: str) -> str:
        """The name in its colour, as wide as the widest that leaves room for what follows."""
        painted, width = self._painted.get(name) or self._meet(name)
        return painted + " " * (min(self._widest, WIDEST) - width)


def _time(data: DefinitionsNews) -> str:
    if data["seconds"] is None:
        return ""
    stages = location.line(data["timing"], data["start_method"]) if data["timing"] else ""
    return f" in {duration(data['seconds'])}" + (f" ({stages})" if stages else "")


def _named(
    sign: str, found: Sequence[Listed], fields: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """A line for each; `fields`: what differs in it, where that is known."""
    for index, definition in enumerate(found[:SHOWN]):
        name = f"{definition['location']}/{definition['name']}"
        what = f": {changes(fields[index])}" if index < len(fields) else ""
        yield one_line(f"{sign} {definition['kind']} {name}{what}")
    if len(found) > SHOWN:
        yield f"{sign} {len(found) - SHOWN} more"
