"""Failures of the machine: they pass, and nothing that a location did is blamed for them."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codelocd.core.restarts import WAITING
from tests.end_to_end.daemons import Dev, StartDev, native, serving

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the limits of another process are set by prlimit(2)"
)

SEVERAL = ("one", "two", "three")


def write(project: Path, *names: str, more: str = "", policy: str = "") -> None:
    for name in names:
        (project / f"{name}.py").write_text(native(f"{name}_0", before=more))
    (project / "codelocd.toml").write_text(
        "".join(f'[location.{name}]\npython_file = "{name}.py"\n{policy}' for name in names)
    )


@contextmanager
def no_descriptors(pid: int) -> Iterator[None]:
    """Meanwhile a process can open nothing: its limit is where its first free descriptor is."""
    _, hard = before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
    first_free = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def until_waiting(daemon: Dev, name: str) -> str:
    """The summary of its problem, as soon as it waits for the machine."""
    return str(daemon.until(name, lambda entry: _waits(entry))["problem"]["summary"])


def _waits(entry: dict[str, object]) -> bool:
    problem = entry["problem"]
    return isinstance(problem, dict) and str(problem["summary"]).startswith(WAITING)


def test_promise_9_missing_descriptors_pass_and_leave_nothing_stale_or_failed(
    dev: StartDev, project: Path
) -> None:
    write(project, *SEVERAL)
    daemon = dev()
    daemon.until_serving(*SEVERAL)
    served = daemon.entry("one")["pid"]
    with no_descriptors(daemon.process.pid):
        (project / "one.py").write_text(native("one_1"))
        with daemon.client() as client:
            client.call("reload", {"locations": ["one"], "wait": False})
            client.call("restart", {"locations": ["two"], "wait": False})
        summary = until_waiting(daemon, "one")
        assert "too many open files (RLIMIT_NOFILE " in summary
        assert "ulimit -n" in summary
        until_waiting(daemon, "two")
        entry = daemon.entry("one")
        assert (entry["state"], entry["pid"], entry["stale"]) == ("serving", served, True)
        assert daemon.entry("two")["state"] == "backoff"
        assert daemon.entry("three")["problem"] is None
    daemon.until_serving(*SEVERAL)
    assert "asset one_1" in daemon.definitions("one")
    assert daemon.entry("two")["restarts"] == 0


def test_promise_9_status_answers_while_the_daemon_has_no_descriptors_left(
    dev: StartDev, project: Path
) -> None:
    write(project, "one")
    daemon = dev()
    daemon.until_serving("one")
    with no_descriptors(daemon.process.pid):
        clients = [daemon.client() for _ in range(4)]
        for client in clients:
            assert client.call("status")["locations"][0]["state"] == "serving"
        began = time.monotonic()
        assert daemon.cli("status").returncode == 0
        assert time.monotonic() - began < 10.0
        for client in clients:
            client.close()
    assert serving(daemon.entry("one"))
