"""Limits by control groups, in a subtree of cgroup v2 that this test leaves to a daemon."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end import daemons
from tests.end_to_end.daemons import Dev, StartDev, failed, native, wait_for

ENTER = '#!/bin/sh\necho $$ > "{group}/cgroup.procs"\nexec "{codelocd}" "$@"\n'
CONFIG = '[location.sales]\npython_file = "defs.py"\nrestart = "never"\n{limits}\n'


@pytest.fixture
def group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dev: StartDev
) -> Iterator[tuple[Path, StartDev]]:
    """A new group, and what starts a daemon as its only process."""
    mounts = Path("/proc/self/mountinfo").read_text() if os.path.exists("/proc/self") else ""
    places = [line.split()[4] for line in mounts.splitlines() if " - cgroup2 " in line]
    folder = Path(places[0] if places else "/none", f"codelocd-test-{secrets.token_hex(4)}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    script = tmp_path / "enter"
    script.write_text(ENTER.format(group=folder, codelocd=daemons.CODELOCD))
    script.chmod(0o755)
    started: list[Dev] = []

    def start(*arguments: str) -> Dev:
        with monkeypatch.context() as patched:
            patched.setattr(daemons, "CODELOCD", script)
            started.append(dev(*arguments))
        return started[-1]

    yield folder, start
    for each in started:
        each.stop()
    for below in sorted(folder.glob("*/")):
        below.rmdir()
    folder.rmdir()


def with_controller(folder: Path, name: str) -> None:
    if name not in (folder / "cgroup.controllers").read_text().split():
        pytest.skip(f"cgroup v2 has no controller {name!r} on this machine")


def started(start: StartDev, project: Path, before: str, limits: str = "") -> Dev:
    (project / "codelocd.toml").write_text(CONFIG.format(limits=limits))
    (project / "defs.py").write_text(native("orders", before=before))
    return start()


def started_to_run(start: StartDev, project: Path) -> Dev:
    (project / "codelocd.toml").write_text(CONFIG.format(limits=""))
    (project / "defs.py").write_text(RUN)
    daemon = start()
    daemon.until_serving("sales")
    return daemon


LEAVES = """\
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        print("left", os.getpid(), flush=True)
        time.sleep(600)
    os._exit(0)
"""


def test_a_runner_has_a_group_of_its_own_and_whatever_is_in_it_ends_with_it(
    group: tuple[Path, StartDev], project: Path
) -> None:
    folder, start = group
    daemon = started(start, project, LEAVES)
    daemon.until_serving("sales")
    own = (folder / "daemon" / "cgroup.procs").read_text().split()
    assert str(daemon.process.pid) in own
    runner = daemon.entry("sales")["pid"]
    [line] = daemon.cli("logs", "sales").stdout.splitlines()
    left = line.split()[-1]
    (home,) = folder.glob("runner-*")
    assert {str(runner), left} <= set((home / "cgroup.procs").read_text().split())
    os.kill(runner, signal.SIGKILL)
    daemon.until("sales", failed)
    wait_for(lambda: not home.exists())
    with contextlib.suppress(FileNotFoundError):
        assert "Z" in Path(f"/proc/{left}/stat").read_text()
    (project / "defs.py").write_text(native("more"))
    daemon.until_serving("sales")
    assert daemon.stop() == 0
    assert not list(folder.glob("runner-*"))


def test_more_memory_than_the_limit_is_the_kernels_to_end(
    group: tuple[Path, StartDev], project: Path
) -> None:
    folder, start = group
    with_controller(folder, "memory")
    before = "held = [bytearray(1024 * 1024) for _ in range(500)]\n"
    daemon = started(start, project, before, 'memory_limit = "100MiB"')
    problem = daemon.until("sales", failed)["problem"]
    assert problem["kind"] == "limit"
    assert problem["summary"].startswith(
        "the kernel ended the runner, which needed more than memory_limit = 100 MiB"
    )


def test_more_tasks_than_the_limit_are_refused_by_the_kernel_and_end_the_runner(
    group: tuple[Path, StartDev], project: Path
) -> None:
    folder, start = group
    with_controller(folder, "pids")
    before = (
        "import os, time\nfor _ in range(100):\n    if not os.fork():\n        time.sleep(600)\n"
    )
    daemon = started(start, project, before, "tasks_limit = 40")
    problem = daemon.until("sales", failed)["problem"]
    assert problem["kind"] == "limit"
    assert "tasks_limit = 40" in problem["summary"]


RUN = """
import os, time
from codeloc import Definitions, job
@job
def work():
    if not os.fork():
        os.setsid()
        if not os.fork():
            print("left", os.getpid(), flush=True)
            time.sleep(600)
        os._exit(0)
    time.sleep(600)
@job(memory_limit=100 * 1024 * 1024)
def takes():
    held = [bytearray(1024 * 1024) for _ in range(500)]
defs = Definitions(jobs=[work, takes])
"""


def test_a_run_has_a_group_of_its_own_too(group: tuple[Path, StartDev], project: Path) -> None:
    folder, start = group
    daemon = started_to_run(start, project)
    with daemon.client() as client:
        run = client.call("run", {"location": "sales", "names": ["work"]})["id"]
        ask = partial(client.call, "run_logs", {"id": run})
        [line] = wait_for(lambda: ask()["lines"])
        attempt = client.call("run_show", {"id": run})["run"]["attempts"][0]
        left = line["text"].split()[-1]
        homes = {each: (each / "cgroup.procs").read_text().split() for each in runners(folder)}
        (home,) = (each for each, pids in homes.items() if str(attempt["pid"]) in pids)
        assert left in homes[home]
        assert len(homes[home]) == 2, "its runner has another one"
        client.call("run_cancel", {"id": run, "kill": True})
        wait_for(lambda: client.call("run_show", {"id": run})["run"]["ended"])
    wait_for(lambda: not home.exists())


def runners(folder: Path) -> list[Path]:
    return list(folder.glob("runner-*"))


def test_more_memory_than_a_job_may_have_is_the_kernels_to_end(
    group: tuple[Path, StartDev], project: Path
) -> None:
    folder, start = group
    with_controller(folder, "memory")
    daemon = started_to_run(start, project)
    with daemon.client() as client:
        run = client.call("run", {"location": "sales", "names": ["takes"], "wait": True})["run"]
    assert (run["state"], run["why"]) == ("failed", "memory")
    assert run["summary"].startswith(
        "the kernel ended the run, which needed more than memory_limit = 100 MiB"
    )
