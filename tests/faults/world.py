"""A real daemon with ten locations, driven and looked at from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from codelocd.client import Client, DaemonUnreachable, RpcError
from codelocd.storage import sockets
from tests.faults import locations
from tests.faults.locations import NAMES
from tests.faults.locks import Locks
from tests.faults.processes import is_alive, is_of_a_run
from tests.faults.runs import RunLoad
from tests.faults.watcher import Watcher

CODELOCD = Path(os.environ.get("FAULTS_CODELOCD") or Path(sys.executable).with_name("codelocd"))
"""The command that is tried; another checkout's may be named."""

TRUTH = 120.0
"""Seconds in which what the daemon says and what runs must agree; far more than it takes."""

PAUSE = 0.02
"""Seconds between two looks at /proc, which sends no event when it changes."""

PAGE = 20_000
"""Lines that are asked for at once."""

BUGS = ("Exception in callback", "exception was never retrieved", "internal error")


class Violation(AssertionError):
    """Something that must hold did not."""


class World:
    """The daemon, what the driver did to it, and so what must be true.

    Under `serve` runners outlive a daemon that is killed, and the next one takes them over as they
    are; under `dev` all ends with it. `cut_off`: what they would be found by has been deleted.
    """

    def __init__(self, home: Path, *, serve: bool = False) -> None:
        self.home = home
        self.serve = serve
        self.outlived: dict[str, list[int]] = {}
        self.cut_off = False
        self.project = home / "p"
        self.runtime = home / "run"
        self.state = home / "state"
        self.log = home / "daemon.log"
        self.clock = home / "clock"
        self.clock.write_bytes(bytes(8))
        self.runtime.mkdir(mode=0o700)
        self.state.mkdir(exist_ok=True)
        locations.write(self.project)
        self.assets: dict[str, str] = dict.fromkeys(NAMES, "a0")
        self.excused: set[tuple[str, int]] = set()
        self.counter = 0
        runtime = str(self.runtime)
        folder = sockets.dev_folder(str(self.project), runtime)
        self.socket = sockets.control(sockets.user_folder(runtime) if serve else folder)
        self.environ = self._environ()
        self.locks = Locks(self.state, self.pids)
        self.watcher = Watcher(self.socket)
        self.runs = RunLoad(self.project, self.ask)
        try:
            self.start()
            self.runs.begin()
        except BaseException:
            self.close()
            raise

    def _environ(self) -> dict[str, str]:
        found = {k: v for k, v in os.environ.items() if not k.startswith(("CODELOCD", "XDG"))}
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            found.pop(name, None)
        return found | {
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(self.state),
            "XDG_DATA_HOME": str(self.home / "data"),
            "PYTHONPATH": str(Path(__file__).with_name("clock")),
            "CODELOCD_FAKE_CLOCK": str(self.clock),
        }

    # --- the daemon ----------------------------------------------------------------------------

    def start(self) -> None:
        config = str(self.project / "codelocd.toml")
        words = ["serve", "--user", "-c", config] if self.serve else ["dev"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [CODELOCD, *words],
                cwd=self.project,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.until_true()
        restarted = [name for name, pids in self.outlived.items() if self.alive(name) != pids]
        self.outlived, self.cut_off = {}, False
        if restarted:
            raise Violation(f"not taken over as they were: {restarted}")
        self.descriptors = self.open_files()
        self.memory = self.resident()

    def stop(self, number: signal.Signals = signal.SIGTERM, moving: str = "") -> None:
        """End it; what ran is gone. Under `dev` a killed one may have lost what came last.

        Under `serve` a killed one leaves all as it was but `moving`, which is not at rest.
        """
        before = {name: self.alive(name) for name in NAMES}
        if self.serve and number == signal.SIGKILL:
            if self.cut_off:
                self.excuse()
                self.runs.excuse()
            else:
                self.outlived = {name: pids for name, pids in before.items() if name != moving}
            self.process.kill()
            self.process.wait(TRUTH)
            return
        self.excuse()
        self.runs.excuse()
        self.process.send_signal(number)
        try:
            status = self.process.wait(TRUTH)
        except subprocess.TimeoutExpired:
            raise Violation("\n".join(["the daemon does not end", *self.said()[-60:]])) from None
        self.runs.excuse()
        if number == signal.SIGTERM and status != 0:
            raise Violation(f"the daemon ended with {status}")

        def gone() -> list[str]:
            left = {name: self.alive(name) for name in before}
            children = [pid for name in NAMES for pid, _ in self.children(name)]
            children += [each.pid for each in self.runs.effects.alive()]
            return [f"{pids} of {name}" for name, pids in left.items() if pids] + [
                f"child {pid}" for pid in children
            ]

        self.until(gone, "nothing left of the daemon")

    def set_clock(self, ahead: float) -> None:
        """In place: the daemon has the file in its memory."""
        with self.clock.open("r+b") as file:
            file.write(struct.pack("d", ahead))

    def open_files(self) -> int:
        """Without logs: one is open for each location that has printed something."""
        found = []
        for each in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(each))
        return len([each for each in found if ".log" not in each])

    def resident(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        with Client(self.socket, timeout=5.0) as client:
            return client.call(method, params or {}, timeout=10.0)

    def order(self, method: str, name: str) -> None:
        """A daemon that cannot take it, because of a fault, need not."""
        with contextlib.suppress(RpcError, DaemonUnreachable, OSError):
            self.ask(method, {"locations": [name], "wait": False})

    def configure(self, text: str) -> None:
        """`dev` applies what is saved by itself, `serve` when it is told to."""
        (self.project / "codelocd.toml").write_text(text)
        if self.serve:
            with contextlib.suppress(RpcError, DaemonUnreachable, OSError):
                self.ask("apply")

    def helpers(self, word: str) -> list[int]:
        """Children of the daemon that are no runners and of no run, by a word of their command
        line."""
        runners = {pid for name in NAMES for pid in self.alive(name)}
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                is_other = child.pid in runners or is_of_a_run(child.pid)
                if not is_other and word in " ".join(child.cmdline()):
                    found.append(child.pid)
        return found

    # --- what the locations wrote down ----------------------------------------------------------

    def alive(self, name: str) -> list[int]:
        """The runners of a location that there are."""
        return [pid for pid, _ in self._living("alive", name)]

    def pids(self, name: str) -> set[int]:
        """The runners of a location that there are or were."""
        folder = self.project / "alive" / name
        return (
            {int(each) for each in os.listdir(folder) if each.isdigit()}
            if folder.is_dir()
            else set()
        )

    def children(self, name: str) -> list[tuple[int, int]]:
        """Its children, each with the pid of the runner that it is of."""
        return [(pid, int(text.split()[0])) for pid, text in self._living("children", name)]

    def _living(self, kind: str, name: str) -> Iterator[tuple[int, str]]:
        folder = self.project / kind / name
        if not folder.is_dir():
            return
        for file in sorted(folder.glob("[0-9]*")):
            text = file.read_text()
            if is_alive(int(file.name), text.split()[-1]):
                yield int(file.name), text
            else:
                file.unlink(missing_ok=True)

    def save(self, name: str, text: str | None = None) -> None:
        """Another good version, or this text."""
        if text is None:
            self.counter += 1
            self.assets[name] = f"a{self.counter}"
            text = locations.code(name, self.assets[name])
        part = self.project / f".{name}.part"
        part.write_text(text)
        part.replace(self.project / f"{name}.py")

    def excuse(self) -> None:
        """What a fault takes away: lines of all runners that have printed by now."""
        for name in NAMES:
            self.excused |= {(name, pid) for pid in self._printers(name)}

    def _printers(self, name: str) -> set[int]:
        """Every runner of a location that has ever printed."""
        folder = self.project / "lines" / name
        return {int(file.name) for file in folder.iterdir()} if folder.is_dir() else set()

    # --- the truth -----------------------------------------------------------------------------

    def until_true(self) -> None:
        """Returns when what the daemon says is what there is: one runner for each location."""
        self.until(self.lies, "the truth")

    def until(self, lies: Callable[[], list[str]], what: str) -> None:
        end = time.monotonic() + TRUTH
        while found := lies():
            if time.monotonic() > end:
                said = [line for line in self.said() if " | line " not in line][-60:]
                story = "\n".join([*found, "--- the daemon said:", *said])
                raise Violation(f"no {what} within {TRUTH:g} s:\n{story}")
            self.process.poll()
            time.sleep(PAUSE)
        if self.locks.violations:
            raise Violation("; ".join(self.locks.violations))

    def lies(self) -> list[str]:
        """What is not so, in words."""
        try:
            return self._lies()
        except (DaemonUnreachable, RpcError, OSError) as error:
            return [f"no answer: {error}"]

    def _lies(self) -> list[str]:
        entries = self.ask("status")["locations"]
        found = [f"listed: {len(entries)}"] if len(entries) != len(NAMES) else []
        for entry in entries:
            alive, name = self.alive(entry["name"]), entry["name"]
            if entry["state"] != "serving" or entry["stale"] or entry["reloading"]:
                found.append(f"{name}: {entry['state']}, {entry['reloading']}, {entry['problem']}")
            elif alive != [entry["pid"]]:
                found.append(f"{name}: status says {entry['pid']}, there are {alive}")
            elif (held := self.locks.holders(name)) != {entry["pid"]}:
                found.append(f"{name}: {entry['pid']} serves, the lock is held by {sorted(held)}")
            strays = [child for child, runner in self.children(name) if runner not in alive]
            if strays:
                found.append(f"{name}: strays {strays}")
        return found or self._zombies() or self._unlisted()

    def _unlisted(self) -> list[str]:
        """Locations whose last save is not what the daemon lists."""
        found = self.ask("definitions")["definitions"]
        listed = {each["location"]: each["name"] for each in found if each["kind"] == "asset"}
        return [f"{name}: {listed.get(name)}, not {self.assets[name]}" for name in NAMES
                if listed.get(name) != self.assets[name]]  # fmt: skip

    def _zombies(self) -> list[str]:
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if child.status() == psutil.STATUS_ZOMBIE:
                    found.append(f"zombie {child.pid}")
        return found

    # --- at the end ----------------------------------------------------------------------------

    def lost_lines(self) -> list[str]:
        """Runners whose lines are not all in the logs; each wrote down how far it was."""
        printed = {
            (name, int(file.name)): int(file.read_text() or 0)
            for name in NAMES
            for file in (self.project / "lines" / name).iterdir()
        }
        end = time.monotonic() + TRUTH
        while (lost := self._missing(printed)) and time.monotonic() < end:
            time.sleep(PAUSE)  # the last ones may be on their way
        return lost

    def _missing(self, printed: Mapping[tuple[str, int], int]) -> list[str]:
        lost = []
        for name in NAMES:
            logged: dict[int, set[int]] = {}
            for line in self._logged(name):
                if line["text"].startswith("line "):
                    pid, number = map(int, line["text"].split()[1:])
                    logged.setdefault(pid, set()).add(number)
            for (of, pid), last in printed.items():
                missing = set(range(1, last + 1)) - logged.get(pid, set())
                if of == name and missing and (name, pid) not in self.excused:
                    lost.append(f"{name} {pid}: {len(missing)} of {last}: {sorted(missing)[:5]}")
        return lost

    def _logged(self, name: str) -> Iterator[Mapping[str, Any]]:
        """All lines of a location that are in its log."""
        page: list[Mapping[str, Any]] = [{}]
        after = 0
        while page:
            asked = {"locations": [name], "lines": PAGE, "after": {name: after}}
            page = self.ask("logs", asked)["lines"]
            yield from page
            after = page[-1]["seq"] if page else after

    def differs_from_a_fresh_load(self) -> bool:
        """Whether `check`, which loads all anew, finds other definitions than the daemon lists."""
        listed = self.ask("definitions")["definitions"]
        self.stop()
        done = subprocess.run(
            [CODELOCD, "check", "--json", "--definitions"],
            cwd=self.project, env=self.environ, capture_output=True, text=True, timeout=TRUTH,
        )  # fmt: skip
        return bool(json.loads(done.stdout)["definitions"] != listed)

    def close(self) -> None:
        self.runs.close()
        self.watcher.close()
        self.locks.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for name in NAMES:
            for pid in [*self.alive(name), *(pid for pid, _ in self.children(name))]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for each in self.runs.effects.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)

    def said(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def bugs(self) -> list[str]:
        return [line for line in self.said() if any(sign in line for sign in BUGS)]
