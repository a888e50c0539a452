"""The daemon dies; what it served goes on under the next one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from codelocd.client import DaemonUnreachable, RpcError
from codelocd.process.inheritance import holders
from tests import commands
from tests.end_to_end.daemons import CODELOCD, DEADLINE, Service, native, serving, wait_for

CONFIG = """
[daemon]
log_format = "json"
orphan_timeout = "{timeout}"
"""

LOCATION = """
[location.{name}]
python_file = "{name}.py"
start_method = "{method}"
"""

Start = Callable[..., Service]


class Place:
    """A service's project; each `start` is another daemon on the same state."""

    def __init__(self, project: Path, home: Path, runtime: Path | None = None) -> None:
        """`runtime`: the runtime folder, where the place shares one with another."""
        self.project, self.home, self.runtime = project, home, runtime
        self.started: list[Service] = []
        self.config()

    def config(self, *locations: str, timeout: str = "10min", method: str = "auto") -> None:
        tables = [LOCATION.format(name=name, method=method) for name in locations]
        text = CONFIG.format(timeout=timeout) + "".join(tables)
        (self.project / "codelocd.toml").write_text(text)

    def write(self, name: str, source: str) -> None:
        (self.project / f"{name}.py").write_text(source)

    def start(self, program: str | None = None) -> Service:
        """`program`: what another release of codelocd does, in place of its command."""
        (self.home / "notify").unlink(missing_ok=True)
        command = [CODELOCD] if program is None else [sys.executable, "-c", program]
        self.started.append(Service(self.project, self.home, command, self.runtime))
        self.started[-1].told(b"READY=1")
        return self.started[-1]

    def kill(self) -> None:
        """The newest daemon, and nothing else."""
        daemon = self.started[-1]
        daemon.process.kill()
        daemon.process.communicate()
        daemon.manager.close()

    def end(self) -> None:
        """Whatever is left: as a service stop would have it."""
        if self.started and self.started[-1].process.poll() is None:
            self.started[-1].stop()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)

    def left(self) -> set[int]:
        """Every process that a daemon of this place has started, by what it was told."""
        found = set()
        for process in psutil.process_iter():
            try:
                told = process.environ().get("XDG_TEST_HOME")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if told == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
        return found - {each.process.pid for each in self.started}


@pytest.fixture
def place(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_TEST_HOME", str(tmp_path))
    place = Place(project, tmp_path)
    yield place
    place.end()


@pytest.mark.parametrize("method", [pytest.param("spawn", marks=pytest.mark.slow), "auto"])
def test_promise_3_the_next_daemon_adopts_what_served(place: Place, method: str) -> None:
    names = ["one", "two", "three"]
    place.config(*names, method=method)
    for name in names:
        place.write(name, native(name))
    first = place.start()
    before = {name: first.until(name, serving) for name in names}
    if method == "auto":
        for name in names:
            wait_for(partial(is_warm, first, name))
        with first.client() as client:
            client.call("reload", {"all": True})
        before = {name: first.until(name, serving) for name in names}
        assert {each["start_method"] for each in before.values()} == {"fork"}
        wait_for(lambda: learned(place) == set(names))  # a daemon writes it within a second
    place.kill()
    second = place.start()
    began = time.monotonic()
    after = {name: second.until(name, serving) for name in names}
    assert time.monotonic() - began < DEADLINE
    for name in names:
        for same in ("pid", "generation", "restarts", "start_method"):
            assert after[name][same] == before[name][same], same
    with second.client() as client:
        found = client.call("definitions", {})["definitions"]
        said = client.call("call", {"location": "one", "method": "hello"})
        assert said["result"]["pid"] == before["one"]["pid"]
    assert {each["name"] for each in found} == set(names)
    if method == "auto":
        wait_for(partial(is_warm, second, "one"))
        with second.client() as client:
            client.call("reload", {"locations": ["one"]})
        again = second.until("one", lambda each: serving(each) and each["generation"] > 2)
        assert again["start_method"] == "fork", "a warm interpreter was prepared at once"


def test_two_services_of_one_runtime_folder_leave_each_other_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They differ in `state_dir` and socket, and each adopts its own, whichever starts first."""
    places = [named_state(tmp_path / name, tmp_path / "shared") for name in ("one", "other")]
    one, other = places

    def start(place: Place) -> int:
        monkeypatch.setenv("XDG_TEST_HOME", str(place.home))
        pid: int = place.start().until("a", serving)["pid"]
        return pid

    try:
        before = start(one)
        one.kill()
        beside = start(other)
        assert start(one) == before, "the other's start ended it"
        for place, pid in ((other, beside), (one, before)):
            place.kill()
            assert start(place) == pid, "the other's start took its socket away"
        assert [place.started[-1].stop() for place in places] == [0, 0]
        assert [place.left() for place in places] == [set(), set()]
    finally:
        for place in places:
            place.end()


def named_state(home: Path, runtime: Path) -> Place:
    """A place of one location, whose config names its state and socket."""
    home.mkdir()
    runtime.mkdir(mode=0o700, exist_ok=True)
    place = Place(home, home, runtime)
    place.config("a")
    config = home / "codelocd.toml"
    names = f'[daemon]\nstate_dir = "own"\nsocket = "{home / "run" / "control.sock"}"'
    config.write_text(config.read_text().replace("[daemon]", names))
    place.write("a", native("one"))
    return place


def test_doctor_does_not_have_runners_killed_that_wait_for_a_daemon_or_were_adopted(
    place: Place,
) -> None:
    place.config("one")
    place.write("one", native("one", before=CHILD))
    before = place.start().until("one", serving)["pid"]
    place.kill()
    wait_for(lambda: place.left() - {holder.pid for holder in holders()} == family(before))
    found = said_of(place, family(before))
    assert [each["what"].partition(": ")[0] for each in found] == [WAITING]
    assert "kill" not in found[0]["then"]
    assert "start the daemon again: it adopts" in found[0]["then"]
    assert "600 s" in found[0]["then"]
    assert place.start().until("one", serving)["pid"] == before
    assert said_of(place, family(before)) == []


CHILD = 'import subprocess\nsubprocess.Popen(["sleep", "600"], start_new_session=True)\n'
WAITING = "2 of a daemon that has ended wait for the next"


def family(pid: int) -> set[int]:
    return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}


def said_of(place: Place, pids: set[int]) -> list[dict[str, str]]:
    """What `doctor` says of processes that are left, as far as it is about these."""
    done = commands.run(["doctor", "--json"], cwd="/", environ=place.started[-1].environ)
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return [each for each in found if each["area"] == "processes" and pids & numbers(each["what"])]


def numbers(text: str) -> set[int]:
    return {int(word) for word in text.rpartition(":")[2].split() if word.isdigit()}


def learned(place: Place) -> set[str]:
    """The locations of which a file says what they import."""
    files = place.home.rglob("warm/*.json")
    return {name for file in files for name in json.loads(file.read_text())["locations"]}


def is_warm(daemon: Service, name: str) -> bool:
    """Whether the next runner of that location has a warm interpreter to start from."""
    with daemon.client() as client:
        asked = {"location": name, "warm": True}
        return client.call("stacks", asked)["warm"] is not None


NOISY = native(
    "one",
    before="import threading, time\n"
    "def tell():\n"
    "    for number in range(100_000_000):\n"
    "        print(number, 'x' * 980, flush=True)\n"
    "        time.sleep(0.001)\n"
    "threading.Thread(target=tell, daemon=True).start()\n",
)


def test_promise_2_runners_live_on_and_no_line_of_theirs_is_lost(place: Place) -> None:
    """One prints about a megabyte a second while no daemon reads it."""
    place.config("noisy", "quiet")
    place.write("noisy", NOISY)
    place.write("quiet", native("two"))
    first = place.start()
    before = {name: first.until(name, serving)["pid"] for name in ("noisy", "quiet")}
    heard = 0
    for _ in range(3):
        heard = until_printed(place.started[-1], heard + 200)
        place.kill()
        runner = psutil.Process(before["noisy"])
        written = runner.io_counters().write_chars
        while runner.io_counters().write_chars < written + 300_000:
            assert runner.is_running()
            time.sleep(0.01)
        daemon = place.start()
        after = {name: daemon.until(name, serving)["pid"] for name in ("noisy", "quiet")}
        assert after == before
    heard = until_printed(place.started[-1], heard + 200)
    numbers = printed(place.started[-1], heard)
    assert numbers == sorted(set(numbers))
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def until_printed(daemon: Service, number: int) -> int:
    """The newest number that the noisy location printed, once it is past `number`."""
    deadline = time.monotonic() + DEADLINE
    with daemon.client() as client:
        while time.monotonic() < deadline:
            lines = client.call("logs", {"locations": ["noisy"], "lines": 1})["lines"]
            newest = int(lines[-1]["text"].split()[0]) if lines else -1
            if newest > number:
                return newest
            time.sleep(0.01)
    raise AssertionError(f"{number} was not printed")


def printed(daemon: Service, count: int) -> list[int]:
    with daemon.client() as client:
        lines = client.call("logs", {"locations": ["noisy"], "lines": count + 10})["lines"]
    return [int(line["text"].split()[0]) for line in lines if line["text"].split()[1:]]


def test_what_changed_while_no_daemon_ran_is_taken_over(place: Place) -> None:
    place.config("edited", "dropped", "stopped", "kept")
    for name in ("edited", "dropped", "stopped", "kept"):
        place.write(name, native("one"))
    first = place.start()
    before = {name: first.until(name, serving) for name in ("edited", "dropped", "stopped", "kept")}
    with first.client() as client:
        client.call("stop", {"locations": ["stopped"]})
    place.kill()
    place.write("edited", native("two"))
    place.config("edited", "stopped", "kept")
    second = place.start()
    after = second.until("edited", lambda each: serving(each) and each["generation"] == 2)
    assert after["pid"] != before["edited"]["pid"]
    assert second.until("kept", serving)["pid"] == before["kept"]["pid"]
    assert second.entry("stopped")["state"] == "stopped"
    assert before["dropped"]["pid"] not in place.left()
    with second.client() as client:
        found = client.call("definitions", {"locations": ["edited"]})["definitions"]
    assert [each["name"] for each in found] == ["two"]


def test_runners_that_nobody_adopts_end_with_all_that_they_started(place: Place) -> None:
    place.config("one", timeout="500ms")
    place.write("one", native("one", before=STRAYS))
    first = place.start()
    first.until("one", serving)
    assert len(place.left()) >= 4, "runner, holder, strays"
    place.kill()
    nobody_left(place)


STRAYS = """
import os, signal, subprocess, time
subprocess.Popen(["sleep", "600"], start_new_session=True)
subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600 & wait"])
if not os.fork():
    os.setsid()
    if not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.closerange(3, 1000)
        time.sleep(600)
    os._exit(0)
os.wait()
"""


def nobody_left(place: Place) -> None:
    deadline = time.monotonic() + DEADLINE
    while left := place.left():
        assert time.monotonic() < deadline, [psutil.Process(pid).cmdline() for pid in left]
        time.sleep(0.02)


@pytest.mark.parametrize("adopted", [pytest.param(False, marks=pytest.mark.slow), True])
def test_promise_4_a_service_that_is_stopped_leaves_nothing(place: Place, adopted: bool) -> None:
    place.config("one")
    place.write("one", native("one", before=STRAYS))
    daemon = place.start()
    daemon.until("one", serving)
    if adopted:
        place.kill()
        daemon = place.start()
        daemon.until("one", serving)
    assert daemon.stop() == 0
    assert place.left() == set()


def test_a_holder_that_is_killed_is_replaced_with_all_that_it_held(place: Place) -> None:
    place.config("one")
    place.write("one", native("one"))
    first = place.start()
    before = first.until("one", serving)
    holder = the_holder(first)
    holder.kill()
    wait_for(lambda: the_holder(first).pid != holder.pid)
    wait_for(lambda: is_in_charge(place, the_holder(first)))
    place.kill()
    second = place.start()
    assert second.until("one", serving)["pid"] == before["pid"]


def the_holder(daemon: Service) -> psutil.Process:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        for child in psutil.Process(daemon.process.pid).children():
            try:
                if "holder_process" in " ".join(child.cmdline()):
                    return child
            except psutil.NoSuchProcess:
                continue
    raise AssertionError("the daemon has no holder")


def is_in_charge(place: Place, holder: psutil.Process) -> bool:
    """Whether it is the one that the next daemon would find."""
    listening = {each.laddr for each in holder.net_connections("unix")}
    return any(str(at).endswith(f"holder.sock.{holder.pid}") for at in listening)


def test_runners_end_that_neither_daemon_nor_holder_is_there_for(place: Place) -> None:
    """What they have started goes on at most until the next daemon, which leaves none of it."""
    place.config("one")
    place.write("one", native("one", before=STRAYS))
    first = place.start()
    runner = psutil.Process(first.until("one", serving)["pid"])
    holder, earlier = the_holder(first), place.left()
    os.kill(first.process.pid, signal.SIGSTOP)
    holder.kill()
    place.kill()
    runner.wait(DEADLINE)
    second = place.start()
    second.until("one", serving)
    wait_for(lambda: not earlier & place.left())
    assert second.stop() == 0
    assert place.left() == set()


SLOW = """\
import os, time
while os.path.exists("slow"):
    time.sleep(0.05)
"""


def test_an_order_that_waits_across_an_upgrade_has_its_outcome(place: Place) -> None:
    place.config("one")
    place.write("one", native("one", before=SLOW))
    daemon = place.start()
    for verb in ("reload", "restart"):
        order_across_an_upgrade(place, daemon, verb)
    with daemon.client() as client:
        events = client.call("events", {"lines": 1000})["events"]
    asked = [each["event"] for each in events if each["event"].endswith("-asked")]
    assert asked == [*["reload-asked"] * 2, "restart-asked"]


def order_across_an_upgrade(place: Place, daemon: Service, verb: str) -> None:
    before = daemon.until("one", serving)
    (place.project / "slow").touch()
    command: list[str | Path] = [CODELOCD, verb, "one", "--json"]
    pipe = subprocess.PIPE
    order = subprocess.Popen(command, env=daemon.environ, stdout=pipe, stderr=pipe, text=True)
    daemon.until("one", lambda each: "starting" in (each["state"], each["reloading"]))
    done = commands.run(["upgrade"], environ=daemon.environ)
    assert done.returncode == 0, done.stderr
    daemon.until("one", lambda each: "starting" in (each["state"], each["reloading"]))
    (place.project / "slow").unlink()
    said, words = order.communicate(timeout=DEADLINE)
    assert order.returncode == 0, words
    (outcome,) = json.loads(said)["locations"]
    assert (outcome["name"], outcome["ok"], outcome["state"]) == ("one", True, "serving")
    assert f"was started anew meanwhile; waiting for the outcome of {verb}" in words
    after = daemon.entry("one")
    assert (after["pid"] != before["pid"], after["stale"]) == (True, False)


def test_a_stop_that_waits_across_an_upgrade_has_its_outcome(place: Place) -> None:
    place.config("one")
    ignoring = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    place.write("one", native("one", before=f"{ignoring}import atexit, time\n{LINGERS}"))
    config = place.project / "codelocd.toml"
    config.write_text(f'{config.read_text()}stop_timeout = "10min"\n')
    daemon = place.start()
    daemon.until("one", serving)
    command: list[str | Path] = [CODELOCD, "stop", "one"]
    order = subprocess.Popen(command, env=daemon.environ, stdout=subprocess.PIPE, text=True)
    daemon.until("one", lambda each: each["state"] == "stopping")
    assert commands.run(["upgrade"], environ=daemon.environ).returncode == 0
    said, _ = order.communicate(timeout=DEADLINE)
    assert (order.returncode, said) == (0, "one stopped\n")
    assert daemon.entry("one")["state"] == "stopped"


LINGERS = "atexit.register(time.sleep, 600)\n"


@pytest.mark.parametrize("way", ["command", "signal"])
def test_an_upgrade_ends_nothing_and_keeps_the_pid(place: Place, way: str) -> None:
    place.config("one", "two")
    for name in ("one", "two"):
        place.write(name, native(name))
    daemon = place.start()
    before = {name: daemon.until(name, serving) for name in ("one", "two")}
    with daemon.client() as client:
        former = client.call("hello")
    asking = asked_until_another(daemon, former["instance"])
    watch: list[str | Path] = [CODELOCD, "status", "--watch", "--json"]
    watching = subprocess.Popen(watch, env=daemon.environ, stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["daemon"]["instance"] == former["instance"]
    if way == "command":
        done = commands.run(["upgrade"], environ=daemon.environ)
        assert done.returncode == 0, done.stderr
        assert f"goes on (pid {daemon.process.pid})" in done.stderr
    else:
        daemon.process.send_signal(signal.SIGUSR2)
    daemon.told(b"READY=1")
    with daemon.client() as client:
        now = client.call("hello")
    assert asking.result(DEADLINE) == []
    seen = (json.loads(line)["daemon"]["instance"] for line in watching.stdout)
    assert now["instance"] in seen, "--watch went on"
    watching.terminate()
    watching.communicate()
    assert (now["pid"], daemon.process.poll()) == (former["pid"], None)
    assert now["instance"] != former["instance"]
    for name in ("one", "two"):
        assert daemon.until(name, serving)["pid"] == before[name]["pid"]
    os.kill(before["one"]["pid"], signal.SIGKILL)
    after = daemon.until("one", lambda each: serving(each) and each["restarts"] == 1)
    assert after["last_exit"]["signal"] == signal.SIGKILL
    assert daemon.stop() == 0
    assert place.left() == set()


def asked_until_another(daemon: Service, instance: str) -> Future[list[Exception]]:
    """What clients met that asked one after the other, until another instance answered. One that
    the former accepted and had no time to answer is told so; it was not refused."""

    def ask() -> list[Exception]:
        met: list[Exception] = []
        while True:
            try:
                with daemon.client() as client:
                    if client.call("hello", timeout=DEADLINE)["instance"] != instance:
                        return met
            except DaemonUnreachable as failure:
                if failure.reason != "lost":
                    met.append(failure)

    return ThreadPoolExecutor(1).submit(ask)


def test_promise_11_a_service_told_to_end_before_it_heeds_it_leaves_nothing(place: Place) -> None:
    place.config("one")
    place.write("one", native("one"))
    place.start().until("one", serving)
    place.kill()
    (place.home / "notify").unlink()
    place.started.append(Service(place.project, place.home, [sys.executable, "-c", TOLD_EARLY]))
    assert place.started[-1].process.wait(DEADLINE) == 0
    assert place.left() == set()


def test_serve_end_ends_in_order_what_a_killed_daemon_has_left_and_starts_nothing(
    place: Place,
) -> None:
    place.config("one")
    place.write("one", native("one", before=STRAYS))
    daemon = place.start()
    daemon.until("one", serving)
    place.kill()
    place.config("one", "new")
    place.write("new", native("new", before="open('was_loaded', 'w').close()"))
    words = ["serve", "--end", "--user", "-c", str(place.project / "codelocd.toml")]
    done = commands.run(words, cwd="/", environ=daemon.environ)
    assert (done.returncode, place.left()) == (0, set()), done.stdout + done.stderr
    assert not (place.project / "was_loaded").exists()
    with pytest.raises(DaemonUnreachable):
        daemon.status()


NEVER_ENDS = """
import asyncio, sys
from codelocd.daemon import locations, service
async def never(self):
    await asyncio.Event().wait()
locations.Locations.settled = never
service.STOP_MARGIN = 0.5
from codelocd.cli import main
sys.exit(main())
"""


def test_a_daemon_that_waits_for_what_never_comes_ends_all_and_says_where_it_waited(
    place: Place,
) -> None:
    place.config("one")
    place.write("one", native("one", before=STRAYS))
    config = place.project / "codelocd.toml"
    config.write_text(f'{config.read_text()}stop_timeout = "100ms"\n')
    daemon = place.start(NEVER_ENDS)
    daemon.until("one", serving)
    daemon.process.terminate()
    said, _ = daemon.process.communicate(timeout=DEADLINE)
    daemon.manager.close()
    assert (daemon.process.returncode, place.left()) == (0, set())
    (line,) = (line for line in said.splitlines() if "not all had ended after 0.6 s" in line)
    assert "; never:" in line


TOLD_EARLY = """
import os, signal, sys
from codelocd.cli import main
class Told:
    def find_spec(self, name, path=None, target=None):
        sys.meta_path.remove(self)
        os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Told())
sys.exit(main())
"""


OLDER = """
import sys
from codelocd.daemon import adoption
adoption.{what}
from codelocd.cli import main
sys.exit(main())
"""


def test_a_runner_of_another_protocol_is_replaced_new_beside_old(place: Place) -> None:
    place.config("one")
    place.write("one", native("one"))
    first = place.start(OLDER.format(what="PROTOCOL = 0"))
    before = first.until("one", serving)
    place.kill()
    second = place.start()
    after = second.until("one", lambda each: serving(each) and each["generation"] == 2)
    assert after["pid"] != before["pid"]
    assert after["restarts"] == 0


def test_promise_3_a_number_that_was_used_again_is_not_adopted(place: Place) -> None:
    """The record has another beginning than the process with that number."""
    wrong = (
        "HeldRunners\nimport codelocd.process.child as child\n"
        "child.began = (lambda began: lambda pid: began(pid) - 1)(child.began)"
    )
    place.config("one")
    place.write("one", native("one"))
    first = place.start(OLDER.format(what=wrong))
    before = first.until("one", serving)
    place.kill()
    second = place.start()
    after = second.until("one", serving)
    assert after["pid"] != before["pid"]
    assert after["generation"] == 1
    wait_for(lambda: before["pid"] not in place.left())


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_promise_3_killed_at_any_moment_there_is_never_a_second_or_a_stray(
    place: Place, rounds: int
) -> None:
    chance = random.Random(rounds)
    names = ["one", "two", "three"]
    place.config(*names)
    for name in names:
        place.write(name, native(name))
    daemon = place.start()
    for number in range(rounds):
        with contextlib.suppress(RpcError, DaemonUnreachable), daemon.client() as client:
            which = {"locations": [chance.choice(names)], "wait": False}
            order = chance.choice(["reload", "restart", "stop", "start"])
            client.call(order, which)
            place.write(chance.choice(names), native("one", f"number_{number}"))
        time.sleep(chance.random() * 0.5)
        place.kill()
        daemon = place.start()
        with daemon.client() as client:
            client.call("start", {"all": True})
        for name in names:
            daemon.until(name, serving)
        wait_for(partial(lambda daemon: runners(place) == served(daemon), daemon))
    assert daemon.stop() == 0
    assert place.left() == set()


def served(daemon: Service) -> set[int]:
    return {each["pid"] for each in daemon.status()["locations"]}


def runners(place: Place) -> set[int]:
    """Every process of the place that runs a location's code."""
    found = set()
    for pid in place.left():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = psutil.Process(pid).cmdline()
            if any(word.endswith("codeloc_runner/__main__.py") for word in words):
                found.add(pid)
    return found - warm(found)


def warm(pids: set[int]) -> set[int]:
    """Those that are warm interpreters: no socket of a runner is theirs."""
    found = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            listening = psutil.Process(pid).net_connections("unix")
            if not any("/runners/" in str(each.laddr) for each in listening):
                found.add(pid)
    return found


def happened(moment: Callable[[Service], object], daemon: Service) -> bool:
    try:
        return bool(moment(daemon))
    except (DaemonUnreachable, StopIteration):
        return False


def test_promise_11_a_service_is_stopped_at_any_moment_of_its_start(place: Place) -> None:
    """What an earlier daemon left ends, too, once this one heeds signals."""
    place.config("one")
    place.write("one", native("one"))
    place.start().until("one", serving)
    place.kill()
    lock = place.home / "state" / "lock"
    moments: list[Callable[[Service], object]] = [
        lambda _daemon: True,
        lambda daemon: lock.read_text() == str(daemon.process.pid),
        the_holder,
        lambda daemon: daemon.entry("one"),
    ]
    for moment in moments:
        (place.home / "notify").unlink(missing_ok=True)
        daemon = Service(place.project, place.home)
        place.started.append(daemon)
        wait_for(partial(happened, moment, daemon))
        assert daemon.stop() in (0, -signal.SIGTERM)
    place.start().until("one", serving)
    assert place.started[-1].stop() == 0
    assert place.left() == set()
