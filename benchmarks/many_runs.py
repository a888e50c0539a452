"""Ten thousand schedules, and a hundred thousand runs in the book"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
CALM, STRETCH = 10.0, 60.0
"""Seconds before the daemon at rest is looked at, and of each look."""
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
    """Seconds after all locations serve, and those on a core since the daemon began."""

    seconds: float
    cpu: float


def measure(runs: int) -> list[Figure]:
    """Under `codelocd serve`. 10 native locations with 1,000 schedules each: until each has its
    next time, and at rest, beside the same with all of them switched off in the code. Wake-ups
    are the voluntary switches of all threads of the daemon. How late a tick is, is what
    its row says, which is written before its function is called. Then one location with a
    few runs in its book, and with 100,000 copies of the first of them: on the socket, a
    connection for all.
    """
    return [*_schedules(max(2, min(runs, 3))), *_book(max(runs, TIMES))]


# --- schedules --------------------------------------------------------------------------------


def _schedules(stretches: int) -> list[Figure]:
    off = _at_rest(enabled=False, stretches=stretches)
    on = _at_rest(enabled=True, stretches=stretches)
    late = sorted(_lateness())
    cpu_on, cpu_off = (
        Figure(f"daemon at rest, 10,000 schedules {what}", "%", tuple(found[1]))
        for what, found in (("on", on), ("off", off))
    )
    wakes_on, wakes_off = (
        Figure(f"wake-ups a second, 10,000 schedules {what}", "", tuple(found[2]))
        for what, found in (("on", on), ("off", off))
    )
    return [
        Figure("all serve → 10,000 schedules have a next time", "s", (on[0].seconds,)),
        Figure("the daemon's CPU until then, 10,000 schedules off", "s", (off[0].cpu,)),
        Figure("… on", "s", (on[0].cpu,)),
        Figure("… what schedules add", "s", (on[0].cpu - off[0].cpu,), START),
        cpu_off,
        cpu_on,
        difference("… what schedules add", cpu_on, cpu_off, PERCENT),
        wakes_off,
        wakes_on,
        difference("… what schedules add", wakes_on, wakes_off, WAKE_UPS),
        Figure(f"{AT_ONCE} due at once: how late", "ms", tuple(late)),
        Figure("… p99", "ms", (late[round(0.99 * (len(late) - 1))],), LATENESS),
    ]


def _at_rest(*, enabled: bool, stretches: int) -> tuple[Start, list[float], list[float]]:
    """Until all are known; percent of a core, and wake-ups a second, of each stretch."""
    text = SCHEDULES.format(soon=0, minute=0, enabled=enabled, count=EACH)
    with _service({f"l{number}": text for number in range(LOCATIONS)}) as daemon:
        daemon.until_serving()
        process, began = psutil.Process(daemon.process.pid), time.monotonic()
        _until_known(daemon, enabled=enabled)
        start = Start(time.monotonic() - began, cpu(process))
        time.sleep(CALM)
        shares, wakes = list[float](), list[float]()
        for _ in range(stretches):
            since, spent, woken = time.monotonic(), cpu(process), _wake_ups(process.pid)
            time.sleep(STRETCH)
            took = time.monotonic() - since
            shares.append(100 * (cpu(process) - spent) / took)
            wakes.append((_wake_ups(process.pid) - woken) / took)
        return start, shares, wakes


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


def _lateness() -> list[float]:
    """Milliseconds from the time of each of 500 ticks of one minute to its row."""
    minute, soon = time.gmtime(time.time() + 150).tm_min, AT_ONCE // LOCATIONS
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
            time.sleep(0.5)
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
        Figure("`run` → first line of user code, few in the book", "ms", few["first"], FIRST),
        Figure("… 100,000", "ms", many["first"], FIRST),
    ]


def _measured(daemon: Daemon, mark: Path, times: int) -> dict[str, tuple[float, ...]]:
    daemon.until_serving()
    daemon.until_forked("runs")
    started, listed, failed = list[float](), list[float](), list[float]()
    names = {"location": "runs", "names": ["nightly"], "wait": True}
    with daemon.client() as client:
        for _ in range(times):
            began = time.time()
            client.call("run", names, timeout=60)
            started.append(1000 * (float(mark.read_text()) - began))
            listed.append(_milliseconds(client, {}))
            failed.append(_milliseconds(client, {"states": ["failed"]}))
    return {"first": tuple(started), "runs": tuple(listed), "failed": tuple(failed)}


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
