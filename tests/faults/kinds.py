"""The kinds of faults: each is done to a world, and gives what mends it, if anything has to."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from codelocd.storage.remains import BOOK
from tests.faults.locations import NAMES, STEADY
from tests.faults.processes import kill_unless_of_a_run
from tests.faults.world import World

Heal = Callable[[], object] | None
Fault = Callable[[World, str], Heal]


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _runner(number: signal.Signals) -> Fault:
    return lambda world, name: _signal(world.alive(name), number)


def _all_runners(world: World, _name: str) -> Heal:
    _signal([pid for name in NAMES for pid in world.alive(name)], signal.SIGKILL)
    return None


GUARDIAN = "_process import main"
"""In the command line of a guardian as of a holder, which is what `serve` has in its place."""


def _helper(word: str, number: signal.Signals) -> Fault:
    def fault(world: World, _name: str) -> Heal:
        pids = world.helpers(word)
        if number == signal.SIGKILL:
            kill_unless_of_a_run(pids)
        else:
            _signal(pids, number)
        stopped = number == signal.SIGSTOP
        return (lambda: _signal(pids, signal.SIGCONT)) if stopped else None

    return fault


def _daemon_stopped(world: World, _name: str) -> Heal:
    world.process.send_signal(signal.SIGSTOP)
    return lambda: world.process.send_signal(signal.SIGCONT)


def _daemon_ended(number: signal.Signals) -> Fault:
    def fault(world: World, name: str) -> Heal:
        world.stop(number, moving=name)
        return world.start

    return fault


def _disk_full(world: World, _name: str) -> Heal:
    """The state lies on a disk of its own; see `able`."""
    ballast = world.state / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))

    def heal() -> None:
        ballast.unlink()
        world.excuse()  # what was printed meanwhile may be counted instead of kept
        world.runs.excuse()

    return heal


def _logs_deleted(world: World, _name: str) -> Heal:
    for folder in world.state.rglob("logs"):
        shutil.rmtree(folder, ignore_errors=True)
    world.excuse()
    return None


def _state_deleted(world: World, _name: str) -> Heal:
    """A daemon that dies before it has written the book again has lost it: it is waited for."""
    books = [*world.state.rglob(BOOK)]
    for folder in (world.state / "codelocd" / "daemons").glob("*"):
        for entry in folder.iterdir():
            if entry.name != "lock":
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink()
    world.excuse()
    world.runs.excuse()
    world.cut_off = True
    return lambda: world.until(lambda: [f"no {book}" for book in books if not book.exists()], BOOK)


def _descriptors(world: World, _name: str) -> Heal:
    pid, kind = world.process.pid, resource.RLIMIT_NOFILE
    soft, hard = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (len(os.listdir(f"/proc/{pid}/fd")), hard))
    return lambda: resource.prlimit(pid, kind, (soft, hard))


CGROUP = Path("/sys/fs/cgroup/pids")


def _fork(world: World, _name: str) -> Heal:
    group = CGROUP / f"codelocd-{os.getpid()}"
    group.mkdir(exist_ok=True)
    (group / "cgroup.procs").write_text(str(world.process.pid))
    (group / "pids.max").write_text((group / "pids.current").read_text())

    def heal() -> None:
        (group / "pids.max").write_text("max")
        with contextlib.suppress(ProcessLookupError):
            (CGROUP / "cgroup.procs").write_text(str(world.process.pid))

    return heal


def _overflow(world: World, name: str) -> Heal:
    """More changes than the kernel keeps for one who looks (max_queued_events), and a save."""
    file = world.project / "busy"
    for _ in range(20_000):
        file.touch()
        file.unlink()
    _put_back(world, name)
    return None


def _clock(seconds: float) -> Fault:
    def fault(world: World, _name: str) -> Heal:
        world.set_clock(seconds)
        return lambda: world.set_clock(0.0)

    return fault


def _socket_deleted(world: World, _name: str) -> Heal:
    Path(world.socket).unlink(missing_ok=True)
    return None


def _runtime_deleted(world: World, _name: str) -> Heal:
    shutil.rmtree(Path(world.socket).parent, ignore_errors=True)
    world.cut_off = True
    return None


def _client(world: World, words: bytes, count: int) -> Heal:
    clients = []
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        with contextlib.suppress(OSError):
            client.connect(world.socket)
            client.sendall(words)
        clients.append(client)

    def heal() -> None:
        for client in clients:
            client.close()

    return heal


def _file_gone(world: World, name: str) -> Heal:
    (world.project / f"{name}.py").unlink()
    return lambda: _put_back(world, name)


def _put_back(world: World, name: str) -> None:
    """A good version; a location that is not loaded again by itself is told to."""
    world.save(name)
    if name in STEADY:
        world.order("restart", name)


def _saved(*texts: str) -> Fault:
    def fault(world: World, name: str) -> Heal:
        for text in texts:
            world.save(name, text)
        return lambda: _put_back(world, name)

    return fault


def _config_broken(world: World, _name: str) -> Heal:
    config = world.project / "codelocd.toml"
    good = config.read_text()
    world.configure(good[: len(good) // 2] + "\n[locat")
    return lambda: world.configure(good)


def _orders(world: World, name: str) -> Heal:
    """One after the other, without waiting for any."""
    for method in ("stop", "start", "reload", "restart", "start", "stop"):
        world.order(method, name)
    return lambda: world.order("start", name)


def _removed(world: World, name: str) -> Heal:
    """From the config, and back into it: perhaps while it is still going."""
    config = world.project / "codelocd.toml"
    good = config.read_text()
    before, _, after = good.partition(f"[location.{name}]\n")
    world.configure(before + "".join(f"[{each}" for each in after.split("[")[1:]))
    return lambda: world.configure(good)


KINDS: dict[str, Fault] = {
    "runner killed": _runner(signal.SIGKILL),
    "runner stopped": _runner(signal.SIGSTOP),
    "runner terminated": _runner(signal.SIGTERM),
    "runner crashed": _runner(signal.SIGSEGV),
    "all runners killed": _all_runners,
    "children killed": lambda world, name: _signal(
        [pid for pid, _ in world.children(name)], signal.SIGKILL
    ),
    "warm interpreter killed": _helper("codeloc_runner", signal.SIGKILL),
    "warm interpreter stopped": _helper("codeloc_runner", signal.SIGSTOP),
    "guardian killed": _helper(GUARDIAN, signal.SIGKILL),
    "guardian stopped": _helper(GUARDIAN, signal.SIGSTOP),
    "daemon stopped": _daemon_stopped,
    "daemon killed": _daemon_ended(signal.SIGKILL),
    "daemon terminated": _daemon_ended(signal.SIGTERM),
    "disk full": _disk_full,
    "logs deleted": _logs_deleted,
    "state deleted": _state_deleted,
    "no descriptors": _descriptors,
    "no processes": _fork,
    "inotify overflow": _overflow,
    "clock a day ahead": _clock(86400.0),
    "clock a day back": _clock(-86400.0),
    "socket deleted": _socket_deleted,
    "runtime folder deleted": _runtime_deleted,
    "client with garbage": lambda world, _name: _client(world, b"\xc1" * 4096, 1),
    "client that stops": lambda world, _name: _client(world, b"\x94\x00", 1),
    "crowd of clients": lambda world, _name: _client(world, b"\x94\x00\x01\xa6status\x90", 200),
    "source gone": _file_gone,
    "source broken": _saved("def (", "raise RuntimeError('oh')"),
    "source ends the process": _saved("import os; os._exit(3)"),
    "burst of saves": _saved("x = 1", "import nothing_of_the_kind", "def ("),
    "config broken": _config_broken,
    "location removed": _removed,
    "orders in a row": _orders,
}


def able(world_state: Path) -> dict[str, str]:
    """Kinds that cannot be tried on this machine, and why; mounts the disk for `disk full`."""
    missing = {}
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(world_state)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        missing["disk full"] = "no disk can be mounted here"
    if not os.access(CGROUP / "cgroup.procs", os.W_OK):
        missing["no processes"] = "no control group of processes can be made here"
    return missing
