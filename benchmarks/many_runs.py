"""Ten thousand schedules, and a hundred thousand runs in the book"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks._daemon import Daemon, NothingHappened, folder, running
from benchmarks._measure import Figure, difference
from benchmarks._report import alone
from benchmarks._tree import cpu

LOCATIONS, EACH = 10, 1000
AT_ONCE = 500
"""Schedules that are due in the same minute, among those ten thousand."""
BOOK = 100_000
START, LATENESS, LISTED = 3.0, 250.0, 100.0
PERCENT, WAKE_UPS = 0.2, 1.0
FIRST = 50.0
CALM, STRETCH = 10.0, 120.0
"""Seconds before the daemons at rest are looked at, and at least of that."""
MARGIN, SPARE = 10.0, 3.0
"""Seconds from when all schedules are known to when they are due, at least, where a start
takes so many times as long as the one before."""
TIMES = 20
"""How often a run is started, and runs are listed, at least."""

SCHEDULES = """\
from codeloc import Definitions, Skip, job, schedule

@job
def nightly(): ...

def nothing(context):
    return Skip("a measurement")

zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]

def made(number):
    soon = number < {soon}
    cron = "{minute} * * * *" if soon else f"{{number % 60}} {{number // 60 % 24}} 29 2 *"
    zone = "UTC" if soon else zones[number % 4]
    given = schedule(
        cron=cron, job=nightly, name=f"s{{number}}", timezone=zone, enabled={enabled}
    )
    return given(nothing)

defs = Definitions(jobs=[nightly], schedules=map(made, range({count})))
"""
"""None of them is due while the daemon at rest is looked at, but those that are to be `soon`."""

RUNS = """\
import time
from codeloc import Definitions, job

@job
def nightly():
    with open({mark!r}, "w") as file:
        file.write(str(time.time()))

defs = Definitions(jobs=[nightly])
"""
TABLE = '[location.{name}]\npython_file = "{name}.py"\n'
LIMITS = f"[runs]\nkeep_runs = {2 * BOOK}\n"
COPIES = """
WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)
INSERT INTO runs (location, key, state, queued, ended, document)
SELECT location, NULL, state, queued, ended, document FROM runs, copies WHERE id = 1
"""
NUMBERED = "UPDATE runs SET document = json_set(document, '$.id', id) WHERE id > 1"


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds until all locations serve, and from then until all schedules are known; those on a
    core since the daemon began."""

    serving: float
    known: float
    cpu: float


def measure(runs: int) -> list[Figure]:
    """Under `codelocd serve`. 10 native locations with 1,000 schedules each, and beside them, at
    the same time, the same with all of them switched off in the code: until each has its next
    time, and at rest for two minutes. Wake-ups are the voluntary switches of all threads of the
    daemon. How late a tick is, is what its row says, which is written before its function
    is called; a third daemon of as many schedules has these ticks. Then one location with a few
    runs in its book, and with 100,000 copies of the first of them: on the socket, a
    connection for all. Ticks and runs are measured while the first two daemons rest.
    """
    with ExitStack() as stack:
        off, on = (Resting(stack, enabled=enabled) for enabled in (False, True))
        time.sleep(CALM)
        off.begin()
        on.begin()
        late = sorted(_lateness(on.start.serving))
        book = _book(max(runs, TIMES))
        time.sleep(max(0.0, on.began + STRETCH - time.monotonic()))
        off.end()
        on.end()
        return [*_schedules(off, on, late), *book]


# --- schedules --------------------------------------------------------------------------------


def _schedules(off: Resting, on: Resting, late: Sequence[float]) -> list[Figure]:
    cpu_on, cpu_off = (
        Figure(f"daemon at rest, 10,000 schedules {what}", "%", (each.percent,))
        for what, each in (("on", on), ("off", off))
    )
    wakes_on, wakes_off = (
        Figure(f"wake-ups a second, 10,000 schedules {what}", "", (each.wake_ups,))
        for what, each in (("on", on), ("off", off))
    )
    return [
        Figure("all serve → 10,000 schedules have a next time", "s", (on.start.known,), START),
        Figure("the daemon's CPU until then, 10,000 schedules off", "s", (off.start.cpu,)),
        Figure("… on", "s", (on.start.cpu,)),
        Figure("… what schedules add", "s", (on.start.cpu - off.start.cpu,), START),
        cpu_off,
        cpu_on,
        difference("… what schedules add", cpu_on, cpu_off, PERCENT),
        wakes_off,
        wakes_on,
        difference("… what schedules add", wakes_on, wakes_off, WAKE_UPS),
        Figure(f"{AT_ONCE} due at once: how late", "ms", tuple(late)),
        Figure("… p99", "ms", (late[round(0.99 * (len(late) - 1))],), LATENESS),
    ]


class Resting:
    """A daemon that knows its schedules, until the `stack` is left; what it costs from `begin` to
    `end`: percent of a core, and wake-ups a second."""

    def __init__(self, stack: ExitStack, *, enabled: bool) -> None:
        text = SCHEDULES.format(soon=0, minute=0, enabled=enabled, count=EACH)
        began = time.monotonic()
        daemon = stack.enter_context(_service({f"l{n}": text for n in range(LOCATIONS)}))
        daemon.until_serving()
        served, self._process = time.monotonic(), psutil.Process(daemon.process.pid)
        _until_known(daemon, enabled=enabled)
        self.start = Start(served - began, time.monotonic() - served, cpu(self._process))
        self.began = self.percent = self.wake_ups = 0.0
        self._spent, self._woken = 0.0, 0

    def begin(self) -> None:
        self.began, self._spent = time.monotonic(), cpu(self._process)
        self._woken = _wake_ups(self._process.pid)

    def end(self) -> None:
        took = time.monotonic() - self.began
        self.percent = 100 * (cpu(self._process) - self._spent) / took
        self.wake_ups = (_wake_ups(self._process.pid) - self._woken) / took


def _until_known(daemon: Daemon, *, enabled: bool) -> None:
    """The last one of each location is asked for: to tell all costs the daemon more than 0.1 s."""
    with daemon.client() as client:
        for _ in range(600):
            asked = {"name": f"s{EACH - 1}"}
            last = client.call("schedules", asked, timeout=60)["schedules"]
            if sum(each["next"] is not None or not enabled for each in last) == LOCATIONS:
                return
            time.sleep(0.1)
    raise NothingHappened(f"not all schedules are known:\n{daemon.log.read_text()}")


def _wake_ups(pid: int) -> int:
    count = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = status.read_text().splitlines()
        count += sum(int(each.split()[1]) for each in lines if each.startswith("voluntary_ctxt"))
    return count


def _lateness(start: float) -> list[float]:
    """Milliseconds from the time of each of 500 ticks of one minute to its row. `start`: seconds
    that such a daemon takes until it serves."""
    soonest = time.time() + MARGIN + SPARE * start
    minute, soon = time.gmtime(soonest + 60).tm_min, AT_ONCE // LOCATIONS
    text = SCHEDULES.format(soon=soon, minute=minute, enabled=True, count=EACH)
    with _service({f"l{number}": text for number in range(LOCATIONS)}) as daemon:
        daemon.until_serving()
        _until_known(daemon, enabled=True)
        query, rows = "SELECT at - scheduled_for FROM ticks", list[tuple[float]]()
        for _ in range(600):
            with closing(sqlite3.connect(_book_of(daemon))) as book:
                rows = book.execute(query).fetchall()
            if len(rows) == AT_ONCE:
                return [1000 * late for (late,) in rows]
            time.sleep(0.2)
    raise NothingHappened(f"{len(rows)} of {AT_ONCE} ticks:\n{daemon.log.read_text()}")


# --- the book ---------------------------------------------------------------------------------


def _book(times: int) -> list[Figure]:
    with folder() as home:
        project = home / "project"
        mark = project / "nightly.mark"
        _write(project, {"runs": RUNS.format(mark=str(mark))})
        with _served(project, home) as daemon:
            few = _measured(daemon, mark, times)
            book = _book_of(daemon)
        with closing(sqlite3.connect(book)) as connection, connection:
            connection.execute(COPIES, (BOOK,))
            connection.execute(NUMBERED)
        with _served(project, home) as daemon:
            many = _measured(daemon, mark, times)
    return [
        Figure("`runs` on the socket, few in the book", "ms", few["runs"]),
        Figure("… 100,000", "ms", many["runs"], LISTED),
        Figure("… those of one state, 100,000", "ms", many["failed"], LISTED),
        Figure("… those of a location and of two states, 100,000", "ms", many["both"], LISTED),
        Figure("`run` → first line of user code, few in the book", "ms", few["first"], FIRST),
        Figure("… 100,000", "ms", many["first"], FIRST),
    ]


def _measured(daemon: Daemon, mark: Path, times: int) -> dict[str, tuple[float, ...]]:
    daemon.until_serving()
    daemon.until_forked("runs")
    started, listed, failed, both = (list[float]() for _ in range(4))
    names = {"location": "runs", "names": ["nightly"], "wait": True}
    with daemon.client() as client:
        for _ in range(times):
            began = time.time()
            client.call("run", names, timeout=60)
            started.append(1000 * (float(mark.read_text()) - began))
            listed.append(_milliseconds(client, {}))
            failed.append(_milliseconds(client, {"states": ["failed"]}))
            asked = {"locations": ["runs"], "states": ["failed", "lost"]}
            both.append(_milliseconds(client, asked))
    found = {"first": started, "runs": listed, "failed": failed, "both": both}
    return {name: tuple(values) for name, values in found.items()}


def _milliseconds(client: Any, asked: dict[str, Any]) -> float:
    began = time.monotonic()
    client.call("runs", asked, timeout=60)
    return 1000 * (time.monotonic() - began)


# --- both -------------------------------------------------------------------------------------


def _write(project: Path, sources: dict[str, str]) -> None:
    project.mkdir()
    for name, text in sources.items():
        (project / f"{name}.py").write_text(text)
    tables = "".join(TABLE.format(name=name) for name in sources)
    (project / "codelocd.toml").write_text(LIMITS + tables)


@contextmanager
def _service(sources: dict[str, str]) -> Iterator[Daemon]:
    with folder() as home:
        _write(home / "project", sources)
        with _served(home / "project", home) as daemon:
            yield daemon


@contextmanager
def _served(project: Path, home: Path) -> Iterator[Daemon]:
    config = str(project / "codelocd.toml")
    with running(project, home, arguments=("serve", "--user", "-c", config)) as daemon:
        yield daemon


def _book_of(daemon: Daemon) -> Path:
    (found,) = (daemon.home / "state").rglob("book.sqlite")
    return found


if __name__ == "__main__":
    alone(measure, __doc__)
