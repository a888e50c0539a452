"""When a cron expression is due, in a time zone. Pure.

The rule is that of Debian's cron. A fixed time that does not exist, because clocks go forward, is
due once, at the end of the gap; one that exists twice is due the first time. Where the minute or
the hour begins with `*`, real time counts: whatever the clock shows is due, as often as it is
shown. `cronsim` matches dates and times on a calendar without a time zone; the zone is dealt with
here: its own way over a change by half an hour depends on the minute that it starts from, and the
one at 00:01 that St John's had until 2011 it never gets past.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
ITEM = re.compile(r"(?:(\*)|(\w{1,3})(?:-(\w{1,3}))?)(?:/([0-9]{1,2}))?", re.ASCII)
LONGEST = 1000
"""Characters of an expression."""
MANY = 2000
"""Expressions that are remembered: many schedules have the same."""
A_DAY = 86400.0


class UnfitCron(ValueError):
    """No expression that `codeloc` lets through."""


@dataclass(frozen=True, slots=True)
class CronField:
    """One of the five: its lowest value, its highest, and the names of its values."""

    low: int
    high: int
    names: Sequence[str] = ()

    def canonical(self, text: str) -> str:
        """Its values as numbers, behind the star that it begins with. Raises UnfitCron."""
        star, values = "", set[int]()
        for place, item in enumerate(text.lower().split(",")):
            found = ITEM.fullmatch(item)
            if found is None:
                raise UnfitCron(f"{text!r} is no field of a cron expression")
            if found[1] and place == 0:
                star = item
            else:
                values.update(self._values(found))
        return ",".join([*([star] if star else []), *map(str, sorted(values))])

    def _values(self, item: re.Match[str]) -> range:
        star, first, last, step = item.groups()
        low, high = self.low, self.high
        if not star:
            low = self._value(first)
            high = self._value(last) if last else high if step else low
        if self.names is WEEKDAYS and high == 0 < low:
            high = 7  # a week may end on a Sunday: fri-sun
        if not self.low <= low <= high <= self.high or step == "0":
            raise UnfitCron(f"{item[0]!r} is no part of a cron expression")
        return range(low, high + 1, int(step or 1))

    def _value(self, text: str) -> int:
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdigit():
            raise UnfitCron(f"{text!r} is no value in a cron expression")
        return int(text)


FIELDS = (
    CronField(0, 59),
    CronField(0, 23),
    CronField(1, 31),
    CronField(1, 12, MONTHS),
    CronField(0, 7, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """`text`: five fields of numbers, with the stars that they began with."""

    text: str

    @classmethod
    @lru_cache(maxsize=MANY)
    def of(cls, expression: str) -> Cron:
        """Of what `codeloc.times` accepts. Raises UnfitCron."""
        if len(expression) > LONGEST:
            raise UnfitCron(f"an expression of {len(expression)} characters")
        texts = MACROS.get(expression.strip().lower(), expression).split()
        if len(texts) != len(FIELDS):
            raise UnfitCron(f"{expression!r} has {len(texts)} fields, not {len(FIELDS)}")
        fields = [field.canonical(text) for field, text in zip(FIELDS, texts, strict=True)]
        cron = cls(" ".join(fields))
        try:
            CronSim(cron.text, datetime(2000, 1, 1))  # noqa: DTZ001  a calendar, and no zone
        except CronSimError as error:
            raise UnfitCron(f"{expression!r}: {error}") from None
        return cron

    @property
    def is_real_time(self) -> bool:
        """Whether the minute or the hour begins with a star."""
        minute, hour, *_ = self.text.split()
        return minute.startswith("*") or hour.startswith("*")

    def after(self, moment: float, zone: tzinfo) -> Iterator[float]:
        """The times after `moment`, each later than the one before; all in Unix seconds."""
        return self._real_times(moment, zone) if self.is_real_time else self._fixed(moment, zone)

    def _fixed(self, moment: float, zone: tzinfo) -> Iterator[float]:
        last = moment
        for wall in CronSim(self.text, _wall(moment + _offset(moment, zone))):
            due = _first(wall, zone)
            if due > last:  # not one of an hour that is repeated now, or of the same gap
                yield due
                last = due

    def _real_times(self, moment: float, zone: tzinfo) -> Iterator[float]:
        """From one change of the clocks to the next: in between, zone and UTC differ by as much."""
        begin, known, offset = moment, moment, _offset(moment, zone)
        while True:
            change = None
            for wall in CronSim(self.text, _wall(begin + offset)):
                due = wall.replace(tzinfo=UTC).timestamp() - offset
                change = _change(known, due, zone)
                if change is not None:
                    break
                yield due
                known = due
            if change is None:
                return  # the calendar has no more
            begin, known, offset = change - 1.0, change, _offset(change, zone)


def zone_of(name: str) -> tzinfo:
    """The time zone of that name; a machine without a tz database has UTC alone.

    Raises LookupError, OSError or ValueError.
    """
    return UTC if name in ("UTC", "Etc/UTC") else ZoneInfo(name)


def _offset(moment: float, zone: tzinfo) -> float:
    """Seconds by which clocks of the zone are ahead of UTC."""
    ahead = datetime.fromtimestamp(moment, zone).utcoffset()
    return ahead.total_seconds() if ahead is not None else 0.0


def _wall(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _first(wall: datetime, zone: tzinfo) -> float:
    """When clocks of the zone show `wall` for the first time; or the end of the gap it is in."""
    due = wall.replace(tzinfo=zone).timestamp()
    if _wall(due + _offset(due, zone)) == wall:
        return due
    return _change(wall.replace(tzinfo=zone, fold=1).timestamp(), due, zone) or due


def _change(start: float, end: float, zone: tzinfo) -> float | None:
    """The first moment after `start`, and not after `end`, at which the clocks are changed; None:
    they are not. Two changes within a day are not known of any zone."""
    offset = _offset(start, zone)
    while start < end:
        probe = min(start + A_DAY, end)
        if _offset(probe, zone) != offset:
            low, high = int(start), int(probe)
            while high - low > 1:
                middle = (low + high) // 2
                if _offset(middle, zone) == offset:
                    low = middle
                else:
                    high = middle
            return float(high)
        start = probe
    return None
