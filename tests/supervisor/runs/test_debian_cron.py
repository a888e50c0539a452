"""Debian's own cron, by a clock that is fast, and our times beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from codelocd.runs.cron import Cron

SPEED = 60.0
DEADLINE = 400.0
EARLY, LATE = 60.0, 240.0
"""Seconds of its clock by which a command may seem to begin too early, and too late: one of the
machine's, and four."""
BERLIN = ZoneInfo("Europe/Berlin")
SCRIPT = r"""
set -e
mount --make-rprivate /
for each in /var/spool/cron/crontabs /etc/cron.d /run; do mount -t tmpfs tmpfs $each; done
: > $1/empty
mount --bind $1/empty /etc/crontab
cp $1/tab /var/spool/cron/crontabs/root
chmod 600 /var/spool/cron/crontabs/root
export TZ=Europe/Berlin LD_PRELOAD=$2 FAKETIME="@$3 x$4"
exec cron -f
"""


def library() -> str:
    """That of faketime; skips where it or another need is missing."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None or shutil.which("cron") is None:
        pytest.skip("needs Debian's cron and faketime: apt-get install cron faketime")
    if os.geteuid() != 0:
        pytest.skip("needs root: cron reads its tables from the system's folders alone")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs mount namespaces, so that the system's own tables stay out")
    return str(found)


@contextmanager
def cron(folder: Path, start: str, expressions: dict[str, str]) -> Iterator[float]:
    """The moment of the machine's clock at which cron's showed `start`."""
    command = f"date +\\%s.\\%N >> {folder}"
    lines = [f"{each} {command}/{name}\n" for name, each in expressions.items()]
    (folder / "tab").write_text("".join(lines))
    words = [str(folder), library(), start, str(int(SPEED))]
    process = subprocess.Popen(["unshare", "-m", "bash", "-c", SCRIPT, "bash", *words])
    began = time.time()
    try:
        yield began
    finally:
        process.kill()
        process.wait()


def times(file: Path, began: float, start: float) -> list[float]:
    """When its commands ran, by cron's clock."""
    lines = file.read_text().split() if file.exists() else []
    return [start + (float(each) - began) * SPEED for each in lines]


def due_until(expression: str, start: float, end: float) -> list[float]:
    return list(takewhile(lambda due: due < end, Cron.of(expression).after(start, BERLIN)))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("begin", "until", "expressions"),
    [
        ("2026-03-29 01:50:30", "5 3", ("30 2 * * *", "15,45 2 * * *", "0 * * * *")),
        ("2026-10-25 00:50:30", "5 4", ("30 2 * * *", "30 1-3 * * *", "0 * * * *")),
    ],
    ids=["clocks go forward", "clocks go back"],
)
def test_ours_are_the_times_of_debians_cron(tmp_path, begin, until, expressions):
    """But that it runs a command once for each time that a gap leaves out, all at its end."""
    named = {f"of{number}": each for number, each in enumerate(expressions)}
    start = datetime.fromisoformat(begin).replace(tzinfo=BERLIN).timestamp()
    last = tmp_path / "last"
    with cron(tmp_path, begin, {**named, "last": f"{until} * * *"}) as began:
        end = time.monotonic() + DEADLINE
        while not last.exists():
            assert time.monotonic() < end, "cron did not come so far"
            time.sleep(0.1)
    (finished,) = times(last, began, start)
    for name, expression in named.items():
        ran = times(tmp_path / name, began, start)
        ours = due_until(expression, start, finished)
        beside = [sum(-EARLY <= each - due <= LATE for each in ran) for due in ours]
        left_out = 2 if expression.startswith("15,45") else 1
        assert beside == [left_out] * len(ours), (expression, ran, ours)
        assert sum(beside) == len(ran), (expression, ran, ours)
