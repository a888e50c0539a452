"""What the terminal view knows and shows, and what may happen to it. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from codelocd_top.run_model import (
    AskStartable,
    RunAct,
    RunClicked,
    RunDocument,
    Runnable,
    RunPane,
    RunQuestion,
    RunShown,
    RunsTold,
    RunSummary,
    Startable,
    run_output,
)

if TYPE_CHECKING:
    from codelocd.documents.answers import ActionOutcome
    from codelocd.documents.events import JournalEntry
    from codelocd.documents.locations import DaemonStatus, LocationStatus

Pane: TypeAlias = Literal["problem", "output", "events", "timing"]
Verb: TypeAlias = Literal["start", "stop", "restart", "reload"]
Mode: TypeAlias = Literal["table", "filter", "question", "keys", "start"]
"""What keys do: move in the table, write the filter, answer a question, close the list of keys,
write what is to be run."""
Table: TypeAlias = Literal["locations", "runs"]
"""What the rows are."""
Sort: TypeAlias = Literal["trouble", "name", "state", "defs", "reload", "mem", "cpu", "up"]

PANES: tuple[Pane, ...] = ("problem", "output", "events", "timing")
SORTS: tuple[Sort, ...] = ("trouble", "name", "state", "defs", "reload", "mem", "cpu", "up")

LOADS = 20
"""Loads of which it is kept how long they took, by location."""
LINES, LINE_LENGTH = 1000, 2000
"""Lines of output that are kept, of the selected location alone, and characters of one of them."""
ENTRIES = 200
"""Entries of the journal that are kept, of the selected location alone."""
FROZEN = 3.0
"""Seconds after a move of the cursor in which the order of the rows stays as it is."""
SAID = 10.0
"""Seconds for which the outcome of an order stands on the last line."""


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line of output; `at` in Unix seconds."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The daemon does not answer since `at` (Unix seconds)."""

    at: float
    why: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What the daemon lets us do: give orders, or only look. `runs`: whether it knows of runs."""

    orders: bool
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The daemon told of itself and all its locations, in the order of the config."""

    at: float
    daemon: DaemonStatus
    locations: Mapping[str, LocationStatus]


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry of the journal came."""

    entry: JournalEntry


@dataclass(frozen=True, slots=True)
class Printed:
    """A location printed lines; `skipped` of them came too fast and are not here. `first`: they are
    what the pane begins with."""

    location: str
    lines: tuple[PrintedLine, ...]
    skipped: int = 0
    first: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """The last entries of the journal of a location, oldest first."""

    location: str
    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class Recalled:
    """The last entries of the journal of all locations, oldest first."""

    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """An order has its outcome."""

    verb: Verb
    outcome: ActionOutcome


@dataclass(frozen=True, slots=True)
class Said:
    """Something to stand on the last line for a while, or until the next key."""

    text: str
    style: str | None = None
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key, by Textual's name for it; `character` where it stands for one."""

    key: str
    character: str | None = None


@dataclass(frozen=True, slots=True)
class Clicked:
    """A row of the table was clicked on; `twice` in a row."""

    location: str
    twice: bool = False


@dataclass(frozen=True, slots=True)
class TitleClicked:
    """The title of a column was clicked on."""

    title: str


@dataclass(frozen=True, slots=True)
class Resized:
    """The terminal has so many columns and lines."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """It is so late: Unix seconds."""

    at: float


Event: TypeAlias = (
    Granted | Told | Happened | Recalled | Lost | Printed | Past | Done | Said
    | RunsTold | RunShown | Startable | RunClicked
    | Pressed | Clicked | TitleClicked | Resized | Ticked
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """Have the daemon act on a location."""

    verb: Verb
    location: str


@dataclass(frozen=True, slots=True)
class Scroll:
    """Move what the pane shows: "up", "pagedown" and so on, by Textual's names of keys."""

    key: str


@dataclass(frozen=True, slots=True)
class ShowLink:
    """Find out the link of the page, say it, and open it where there is a browser."""


@dataclass(frozen=True, slots=True)
class Suspend:
    """Give the terminal back to the shell until it says `fg`."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End, with this exit code."""

    code: int = 0


Order: TypeAlias = Act | RunAct | AskStartable | Scroll | ShowLink | Suspend | Quit


@dataclass(frozen=True, slots=True)
class Question:
    """What is done if the answer is yes."""

    verb: Verb
    location: str


@dataclass(frozen=True, slots=True)
class Detail:
    """What the pane needs to be told beyond the status; `run`: of that run of the location."""

    what: Literal["output", "events", "steps"]
    location: str
    run: int | None = None


@dataclass(frozen=True, slots=True)
class TopModel:
    """All that the screen shows depends on this alone.

    `name` is what the daemon is called. `started` has the moment since which each location is up,
    `loads` the seconds that its last loads took, oldest first. `order` are the rows, `moved` is
    when the cursor last did. `printed` and `past` are of what is selected. All times
    are Unix seconds. Where the rows are runs, `run` is the selected one, and `shown_run` is all
    of it; `startable` is what may be started, `typed` what was typed of it.
    """

    name: str = "codelocd"
    now: float = 0.0
    width: int = 80
    height: int = 24
    daemon: DaemonStatus | None = None
    since: float | None = None
    locations: Mapping[str, LocationStatus] = field(default_factory=lambda: MappingProxyType({}))
    started: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    loads: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    newest_save: float | None = None
    lost: Lost | None = None
    may_order: bool = True
    order: tuple[str, ...] = ()
    selected: str | None = None
    moved: float = float("-inf")
    sort: Sort = "trouble"
    wanted: str = ""
    mode: Mode = "table"
    question: Question | RunQuestion | None = None
    pane: Pane = "problem"
    whole_pane: bool = False
    said: Said | None = None
    said_at: float = 0.0
    printed: tuple[PrintedLine, ...] = ()
    count: int = 0
    skipped: int = 0
    past: tuple[JournalEntry, ...] = ()
    knows_runs: bool = False
    table: Table = "locations"
    runs: Mapping[int, RunSummary] = field(default_factory=lambda: MappingProxyType({}))
    run: int | None = None
    run_pane: RunPane = "steps"
    shown_run: RunDocument | None = None
    startable: tuple[Runnable, ...] = ()
    typed: str = ""
    candidate: int = 0

    @property
    def chosen_run(self) -> RunSummary | None:
        """The selected run, where the rows are runs."""
        if self.table != "runs" or self.run is None:
            return None
        return self.runs.get(self.run)

    @property
    def prints(self) -> str | None:
        """Whose lines the pane shows: a location's, or a run's by `run_output`."""
        return self.selected if self.table == "locations" else run_output(self.run)

    @property
    def chosen(self) -> LocationStatus | None:
        """The selected location."""
        return None if self.selected is None else self.locations.get(self.selected)

    def at(self, name: str | None) -> TopModel:
        """With the cursor on that location; what was told of another one is gone."""
        if name == self.selected:
            return self
        return replace(self, selected=name, printed=(), count=0, skipped=0, past=())

    def at_run(self, run: int | None) -> TopModel:
        """With the cursor on that run."""
        if run == self.run and self.table == "runs":
            return self
        cleared = replace(self, printed=(), count=0, skipped=0, shown_run=None)
        return replace(cleared, table="runs", run=run)

    def at_locations(self) -> TopModel:
        """With locations as rows again."""
        return replace(self, table="locations", printed=(), count=0, skipped=0)
