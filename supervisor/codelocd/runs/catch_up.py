"""What of a schedule's ticks that were missed is made up: the latest, none, or all. Pure.

Ticks are missed while the daemon is down, the machine asleep, or nothing of the location is served.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from codelocd.runs.ticks import NewTick, Schedule

ON_TIME = 60.0
"""Seconds within which a tick is none that was missed: the ticker looks at least that often."""
MADE_UP = 100
"""Ticks that `catch_up="all"` makes up at most."""
AHEAD = 86400.0
"""Seconds by which a cursor may be ahead of the clock: beyond them the clock was wrong before."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is due of one schedule: `times` shall run, the oldest first, and the first `late` of
    them are made up. `left_out`: how many were not made up, the newest of them `newest_left_out`.
    `cursor`: all up to it is dealt with."""

    cursor: float
    times: tuple[float, ...] = ()
    late: int = 0
    left_out: int = 0
    newest_left_out: float | None = None

    def missed(self, schedule: Schedule) -> list[NewTick]:
        """The one row of those that are left out."""
        if self.newest_left_out is None:
            return []
        why = f"only the last {MADE_UP} are made up" if schedule.catch_up == "all" else None
        tick = NewTick(schedule.place, self.newest_left_out, "missed", why, self.left_out)
        return [tick]


def due(schedule: Schedule, cursor: float, now: float) -> Due:
    """What is due by `now` of what comes after `cursor`."""
    on_time: list[float] = []
    late: deque[float] = deque(maxlen=MADE_UP + 1)
    count = 0
    for time in schedule.cron.after(cursor, schedule.zone):
        comes = time + schedule.delay
        if comes > now:
            break
        cursor = time
        if comes > now - ON_TIME:
            on_time.append(time)
        else:
            late.append(time)
            count += 1
    most = {"none": 0, "all": MADE_UP}.get(schedule.catch_up, 0 if on_time else 1)
    made_up = [late.pop() for _ in range(min(most, len(late)))][::-1]
    newest = late[-1] if late else None
    return Due(cursor, (*made_up, *on_time), len(made_up), count - len(made_up), newest)
