"""Schedules of native definitions: what they are, when each is due next, what becomes of a tick.

Pure. Times are Unix seconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from codelocd.runs.cron import Cron, UnfitCron

Listed = Mapping[str, Any]
"""A definition as the registry lists it."""
TickState = Literal["due", "waiting", "run", "skipped", "failed", "missed"]
"""`due`: it has a row, and its runs are still to be asked for. `waiting`: for the schedule's run
before. `missed`: one row for all that were left out at one time."""
OPEN: tuple[TickState, ...] = ("due", "waiting")


class SchedulePlace(NamedTuple):
    """What names a schedule; a sensor, too, for they share one namespace."""

    location: str
    repository: str
    name: str


LONGEST = 100 * 365 * 86400.0
"""Seconds of jitter, as `codeloc` takes them."""


class UnfitSchedule(ValueError):
    """A schedule that cannot tick; `str()` is one line."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`enabled`: as its code has it. `delay`: seconds by which each of its ticks comes later."""

    place: SchedulePlace
    cron: Cron
    zone: tzinfo
    timezone: str
    job: str
    catch_up: str = "latest"
    overlap: str = "wait"
    enabled: bool = True
    delay: float = 0.0

    @classmethod
    def of(cls, definition: Listed, zone_of: Callable[[str], tzinfo]) -> Schedule:
        """`zone_of` raises OSError, LookupError or ValueError. Raises UnfitSchedule."""
        place = place_of(definition)
        try:
            cron = Cron.of(definition["cron"])
            timezone, job = str(definition["timezone"]), str(definition["job"])
            jitter = float(definition.get("jitter", 0.0))
            zone, delay = zone_of(timezone), delay_of(place, jitter)
        except UnfitCron as error:
            raise UnfitSchedule(str(error)) from None
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise UnfitSchedule(_why_unfit(definition, error)) from None
        return cls(
            place,
            cron,
            zone,
            timezone,
            job,
            str(definition.get("catch_up", "latest")),
            str(definition.get("overlap", "wait")),
            definition.get("enabled", True) is not False,
            delay,
        )

    @property
    def rule(self) -> str:
        """What its cursor is of: another cron or zone counts anew."""
        return f"{self.cron.text} {self.timezone}"

    def next(self, cursor: float) -> float | None:
        """The first of its times after `cursor`; None: there is none in the next 50 years."""
        return next(self.cron.after(cursor, self.zone), None)


def coming(
    schedules: Iterable[Schedule], cursors: Mapping[SchedulePlace, float]
) -> dict[SchedulePlace, float | None]:
    """When each is due next; found out once for all of the same rule and cursor."""
    known: dict[tuple[str, float], float | None] = {}
    found = dict[SchedulePlace, float | None]()
    for each in schedules:
        cursor = cursors[each.place]
        if (each.rule, cursor) not in known:
            known[each.rule, cursor] = each.next(cursor)
        time = known[each.rule, cursor]
        found[each.place] = None if time is None else time + each.delay
    return found


def _why_unfit(definition: Listed, error: Exception) -> str:
    zone = definition.get("timezone")
    if isinstance(error, KeyError) and zone is not None:  # zoneinfo's own is one, too
        return f"this machine knows no time zone {zone!r}: install tzdata"
    return f"its definition cannot be read: {error}"


def place_of(definition: Listed) -> SchedulePlace:
    return SchedulePlace(definition["location"], definition["repository"], definition["name"])


def delay_of(place: SchedulePlace, jitter: float) -> float:
    """Whole seconds below `jitter`: always the same of one schedule, and spread over many. Raises
    ValueError."""
    if not jitter <= LONGEST:
        raise ValueError(f"a jitter of {jitter:g} s is no duration")
    digest = blake2b("\0".join(place).encode(), digest_size=8).digest()
    return float(int(max(0.0, jitter) * int.from_bytes(digest, "big") / 2**64))


class DueTimes:
    """The moment at which each schedule is due next, and the first of them, in one heap."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, SchedulePlace]] = []
        self._moments: dict[SchedulePlace, float] = {}

    def put(self, place: SchedulePlace, moment: float | None) -> None:
        """In the place of what was known of that schedule; None: it is not due at all."""
        if moment is None:
            self._moments.pop(place, None)
        elif self._moments.get(place) != moment:
            self._moments[place] = moment
            heapq.heappush(self._heap, (moment, place))

    def of(self, place: SchedulePlace) -> float | None:
        return self._moments.get(place)

    def first(self) -> float | None:
        while self._heap and not self._is_current(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> list[SchedulePlace]:
        """Those that are due, the earliest first; they have no moment any more."""
        found = []
        while (first := self.first()) is not None and first <= now:
            _, place = heapq.heappop(self._heap)
            del self._moments[place]
            found.append(place)
        return found

    def _is_current(self, moment: float, place: SchedulePlace) -> bool:
        return self._moments.get(place) == moment


@dataclass(frozen=True, slots=True)
class NewTick:
    """A row that is to be written. `count`: of a row `missed`, how many it stands for."""

    place: SchedulePlace
    scheduled_for: float
    state: TickState
    why: str | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """A row. `at`: when it was written. `runs`: numbers of the runs that it started."""

    id: int
    place: SchedulePlace
    scheduled_for: float
    at: float
    state: TickState
    why: str | None = None
    runs: tuple[int, ...] = ()
    count: int = 0


def judged(
    schedule: Schedule, times: Iterable[float], late: int, occupied: str | None, waiting: int
) -> list[NewTick]:
    """What becomes of the ticks that shall run, the oldest first; the first `late` of them are made
    up.

    `occupied`: what is still going on of the schedule's tick before, as the reason for which others
    are skipped; `waiting`: how many of its ticks wait for that. At most one waits; but
    where `catch_up="all"` makes up some, all of them wait, since they shall all run.
    """
    found = []
    for time in times:
        state: TickState = "due"
        if schedule.overlap != "allow" and (occupied or waiting):
            may_wait = not waiting or (late and schedule.catch_up == "all")
            state = "waiting" if may_wait else "skipped"
        waiting += state == "waiting"
        why = (occupied or "another tick waits already") if state == "skipped" else None
        found.append(NewTick(schedule.place, time, state, why))
        occupied = occupied or "the tick before is still going on"
    return found
