"""What becomes of runs when their daemon dies, ends, is upgraded, or finds its disk full."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codelocd.client import RpcError
from tests.commands import CODELOCD
from tests.end_to_end.daemons import Service, wait_for

CLOCK = Path(__file__).parents[1] / "faults" / "clock"
HOUR = 3600.0
CONFIG = """
[daemon]
log_format = "json"
orphan_timeout = "{orphan_timeout}"

[runs]
max_concurrent = {most}
drain_timeout = "{drain}"

[location.sales]
python_file = "sales.py"
stop_timeout = "2s"
"""

SALES = """
import os, pathlib, time
from codeloc import Definitions, job

PLACE = pathlib.Path(__file__).parent

def wait(name):
    file = PLACE / f"begun-{name}"
    file.with_suffix(".new").write_text(str(os.getpid()))
    file.with_suffix(".new").rename(file)
    with open(PLACE / f"effects-{name}", "a") as effects:
        effects.write("x")
    while not (PLACE / f"go-{name}").exists():
        time.sleep(0.01)

@job
def waits(name: str = "", lines: int = 0):
    wait(name)
    for number in range(lines):
        print(number, "x" * 1000)

@job(retries=1, retry_delay=0.01)
def again(name: str = ""):
    wait(name)

@job
def stubborn(name: str = ""):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait(name)

defs = Definitions(jobs=[waits, again, stubborn])
"""

Document = dict[str, Any]


class Place:
    """A service's project; each `start` is another daemon on the same state."""

    def __init__(self, project: Path, home: Path) -> None:
        self.project, self.home = project, home
        self.started: list[Service] = []
        (project / "sales.py").write_text(SALES)
        self.config()

    def config(self, orphan_timeout: str = "10min", drain: str = "30s", most: int = 4) -> None:
        text = CONFIG.format(orphan_timeout=orphan_timeout, drain=drain, most=most)
        (self.project / "codelocd.toml").write_text(text)

    def start(self, ahead: float = 0.0) -> Service:
        """`ahead`: seconds, of its wall clock."""
        (self.home / "notify").unlink(missing_ok=True)
        clock = self.home / "clock"
        clock.write_bytes(struct.pack("d", ahead))
        fake = f"PYTHONPATH={CLOCK}", f"CODELOCD_FAKE_CLOCK={clock}"
        self.started.append(Service(self.project, self.home, ("env", *fake, CODELOCD)))
        self.daemon.told(b"READY=1")
        self.daemon.until_serving("sales")
        return self.daemon

    @property
    def daemon(self) -> Service:
        return self.started[-1]

    def kill(self) -> None:
        """The daemon, and nothing else."""
        self.daemon.process.kill()
        self.daemon.process.communicate()
        self.daemon.manager.close()

    def stop(self) -> None:
        if self.started and self.daemon.process.poll() is None:
            self.daemon.process.terminate()
            try:
                self.daemon.process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                self.daemon.process.send_signal(signal.SIGQUIT)
                self.daemon.process.communicate()
            self.daemon.manager.close()

    def call(self, method: str, **params: Any) -> Any:
        with self.daemon.client() as client:
            return client.call(method, params)

    def command(self, *words: str) -> subprocess.Popen[str]:
        """`codelocd WORDS`, which asks the daemon."""
        pipe, environ = subprocess.PIPE, self.daemon.environ
        given = [str(CODELOCD), *words]
        return subprocess.Popen(given, env=environ, stdout=pipe, stderr=pipe, text=True)

    def begin(self, job: str, name: str, **params: Any) -> int:
        asked = {"location": "sales", "names": [job], "params": {"name": name}, **params}
        number: int = self.call("run", **asked)["id"]
        return number

    def show(self, number: int) -> Document:
        run: Document = self.call("run_show", id=number)["run"]
        return run

    def until(self, number: int, holds: Callable[[Document], bool]) -> Document:
        def found() -> Document | None:
            run = self.show(number)
            return run if holds(run) else None

        run = wait_for(found)
        assert run is not None
        return run

    def ended(self, number: int) -> Document:
        return self.until(number, lambda run: run["ended"] is not None)

    def running(self, number: int) -> Document:
        return self.until(number, lambda run: run["state"] == "running")

    def begun(self, name: str) -> int:
        """The process of the job of that name, once its code runs."""
        file = self.project / f"begun-{name}"
        return int(wait_for(lambda: file.exists() and file.read_text()))

    def go(self, name: str) -> None:
        (self.project / f"go-{name}").touch()

    def effects(self, name: str) -> int:
        """How often its code has begun."""
        return len((self.project / f"effects-{name}").read_text())


@pytest.fixture
def place(project: Path, tmp_path: Path) -> Iterator[Place]:
    place = Place(project, tmp_path)
    yield place
    for name in ("a", "b", "c"):
        place.go(name)
    place.stop()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- the daemon is killed -----------------------------------------------------------------------


def test_a_run_outlives_its_daemon_and_ends_under_the_next(place: Place) -> None:
    """Three runs: one goes on, one ends while there is no daemon, one waits. The clock of the next
    daemon is an hour ahead, which is in no timeout."""
    place.config(most=2)
    place.start()
    goes_on = place.begin("waits", "a", timeout=HOUR / 2)
    begins = time.monotonic()
    ends = place.begin("waits", "b")
    waits = place.begin("waits", "c")
    pid, other = place.begun("a"), place.begun("b")
    place.kill()
    place.go("b")
    wait_for(lambda: not is_alive(other))
    took = time.monotonic() - begins
    place.start(ahead=HOUR)
    run = place.ended(ends)
    assert (run["state"], len(run["attempts"])) == ("succeeded", 1)
    assert 0 < run["seconds"] < took, "until its end, and not until that was noticed"
    place.begun("c")
    place.running(waits)
    assert place.running(goes_on)["attempts"][0]["pid"] == pid
    place.go("a")
    place.go("c")
    run = place.ended(goes_on)
    assert (run["state"], run["why"], run["stopping"]) == ("succeeded", None, None)
    assert 0 < run["seconds"] < HOUR / 2 < HOUR < run["ended"] - run["started"]
    assert place.ended(waits)["state"] == "succeeded"
    assert [place.effects(name) for name in "abc"] == [1, 1, 1]


def test_a_run_that_dies_without_a_daemon_is_lost_and_tried_again_by_policy(place: Place) -> None:
    place.start()
    lost, again = place.begin("waits", "a"), place.begin("again", "b")
    pids = [place.begun("a"), place.begun("b")]
    place.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, pids)))
    place.go("b")
    place.start()
    run = place.ended(lost)
    assert (run["state"], run["attempts"][0]["state"]) == ("lost", "lost")
    run = place.ended(again)
    assert [each["state"] for each in run["attempts"]] == ["lost", "succeeded"]
    assert [place.effects(name) for name in "ab"] == [1, 2]


@pytest.mark.slow
def test_without_time_for_orphans_runs_die_with_the_daemon_and_are_lost(place: Place) -> None:
    place.config(orphan_timeout="0s")
    place.start()
    number = place.begin("waits", "a")
    pid = place.begun("a")
    place.kill()
    wait_for(lambda: not is_alive(pid), within=10.0)
    place.start()
    assert place.ended(number)["state"] == "lost"


# --- the daemon ends, or is upgraded ------------------------------------------------------------


def test_a_stop_waits_for_runs_and_leaves_those_that_wait_to_the_next_daemon(place: Place) -> None:
    place.config(most=1)
    place.start()
    ends, waits = place.begin("waits", "a"), place.begin("waits", "b")
    place.begun("a")
    place.daemon.process.terminate()
    place.daemon.told(b"STOPPING=1")
    place.running(ends)  # it still answers
    late = place.command("run", "sales/waits", "--param", "name=c")
    assert late.stderr is not None
    assert late.stderr.readline().startswith("asking the daemon")
    assert "this one ends, and starts nothing more" in late.stderr.readline()
    about = place.daemon.status()["daemon"]
    assert about["ending"] == "SIGTERM"
    assert "the daemon ends: no run starts any more" in about["warnings"][0]
    place.go("a")
    place.daemon.process.communicate(timeout=60)
    place.daemon.manager.close()
    assert place.daemon.process.returncode == 0
    place.start()
    assert place.show(ends)["state"] == "succeeded"
    place.begun("b")
    place.go("b")
    assert place.ended(waits)["state"] == "succeeded"
    place.go("c")
    out, err = late.communicate(timeout=60)
    assert (late.returncode, "succeeded" in out) == (0, True), err


def test_what_takes_longer_than_the_drain_is_cancelled_and_says_why(place: Place) -> None:
    place.config(drain="0s")
    place.start()
    number, stubborn = place.begin("again", "a"), place.begin("stubborn", "b")
    pids = [place.begun("a"), place.begun("b")]
    place.stop()
    assert not any(map(is_alive, pids))
    place.start()
    for each in (number, stubborn):
        run = place.show(each)
        assert (run["state"], run["why"], len(run["attempts"])) == ("cancelled", "shutdown", 1)


def test_a_second_signal_waits_for_no_run(place: Place) -> None:
    place.start()
    number = place.begin("stubborn", "a")
    pid = place.begun("a")
    place.daemon.process.terminate()
    place.daemon.told(b"STOPPING=1")
    place.daemon.process.terminate()
    place.daemon.process.communicate(timeout=30)
    place.daemon.manager.close()
    assert not is_alive(pid)
    place.start()
    run = place.show(number)
    assert (run["state"], run["why"]) == ("cancelled", "shutdown")


# --- the disk is full ---------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """What the service keeps of runs: a file system of one megabyte."""
    folder = tmp_path / "state" / "runs"
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "state").chmod(0o700)
    mounted = shutil.which("mount") is not None and os.geteuid() == 0
    if not mounted or mount("-t", "tmpfs", "-o", "size=1m,mode=700", "small", str(folder)):
        pytest.skip("a file system of one megabyte: only root may mount one")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


def fill(folder: Path) -> None:
    """Until not one byte has room."""
    with (folder / "filling").open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def test_a_full_disk_refuses_runs_and_loses_none_that_goes_on(
    small_disk: Path, place: Place
) -> None:
    place.start()
    number = place.begin("waits", "a")
    asked = {"location": "sales", "names": ["waits"], "params": {"name": "b", "lines": 500}}
    printing = place.call("run", **asked)["id"]
    place.begun("a")
    place.begun("b")
    fill(small_disk)
    with pytest.raises(RpcError) as refused:
        place.begin("waits", "c")
    assert refused.value.kind == "down"
    assert "full" in refused.value.message
    assert "\n" not in refused.value.message
    place.go("b")

    def warned(text: str) -> bool:
        return any(text in each for each in place.daemon.status()["daemon"]["warnings"])

    wait_for(lambda: warned(f"output of run {printing} not written to disk: "))
    states = [place.show(each)["state"] for each in (number, printing)]
    assert states == ["running", "running"], "its result waits for room, too"

    assert mount("-o", "remount,size=64m", str(small_disk)) == 0

    assert place.ended(printing)["state"] == "succeeded"
    wait_for(lambda: not warned("no run starts"))
    third = place.begin("waits", "c")
    for name in ("a", "c"):
        place.go(name)
    assert place.ended(third)["state"] == "succeeded"
    assert place.ended(number)["state"] == "succeeded"
    place.stop()
    place.start()
    states = [place.show(each)["state"] for each in (number, printing, third)]
    assert states == ["succeeded"] * 3


@pytest.mark.slow
def test_a_result_that_finds_no_room_before_the_daemon_ends_is_lost_and_nothing_runs_twice(
    small_disk: Path, place: Place
) -> None:
    place.config(drain="0s")
    place.start()
    number = place.begin("waits", "a")
    pid = place.begun("a")
    fill(small_disk)
    place.go("a")
    wait_for(lambda: (small_disk / str(number) / "result.1.new").exists())
    assert place.show(number)["state"] == "running", "its process keeps the result, and waits"
    place.stop()
    assert not is_alive(pid)
    assert mount("-o", "remount,size=64m", str(small_disk)) == 0
    place.start()
    run = place.ended(number)
    assert (run["state"], len(run["attempts"]), place.effects("a")) == ("lost", 1, 1), run
