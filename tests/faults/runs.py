"""Asks the locations of a world for runs all the time, and looks at what becomes of them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codelocd.client import DaemonUnreachable, RpcError
from tests.faults.locations import NAMES
from tests.faults.processes import is_alive

Run = Mapping[str, Any]
Ask = Callable[[str, Mapping[str, Any]], Any]

PATIENCE = 30.0
"""Seconds in which the daemon, where it answers, must know that a process has ended, and must have
ended what a run has left; far more than it takes."""

QUIET = 120.0
"""Seconds in which all that was accepted must have come to its end, when nothing more is asked."""

BETWEEN = 0.25
"""Seconds between two wishes; each second one looks at what goes on."""

MOST_OPEN = 30
"""Runs that have not ended, beyond which none is asked for: faults hold them up."""

FEWEST = 5
"""Runs without which nothing has been tried."""

FINAL = ("succeeded", "failed", "cancelled", "lost")


@dataclass(frozen=True)
class Effect:
    """A line of the file `effects`, see `run_code`."""

    kind: str
    token: str
    run: int
    attempt: int
    pid: int = 0
    began: str = ""


class Effects:
    """What runs have written down; read as it grows."""

    def __init__(self, file: Path) -> None:
        self.all: list[Effect] = []
        self._file = file
        self._offset = 0
        self._guard = threading.Lock()

    def read(self) -> list[Effect]:
        """All until now."""
        with self._guard, contextlib.suppress(FileNotFoundError), self._file.open() as file:
            file.seek(self._offset)
            while (line := file.readline()).endswith("\n"):
                kind, token, run, attempt, *process = line.split()
                pid, began = process or ("0", "")
                self.all.append(Effect(kind, token, int(run), int(attempt), int(pid), began))
                self._offset = file.tell()
        return self.all

    def alive(self) -> list[Effect]:
        """Processes of runs that there are."""
        return [each for each in [*self.read()] if each.pid and is_alive(each.pid, each.began)]


class RunLoad:
    """A thread that asks, cancels and kills. `ask` calls a method of the daemon."""

    def __init__(self, project: Path, ask: Ask, seed: int = 1) -> None:
        self.effects = Effects(project / "effects")
        self.accepted: dict[str, str] = {}
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.slowest = 0.0
        self._ask = ask
        self._drawn = random.Random(seed)
        self._number = 0
        self._unsure: list[Mapping[str, Any]] = []
        self._to_cancel: list[tuple[float, int, str]] = []
        self._explained: set[str] = set()
        self._cancelled: set[str] = set()
        self._unfinished: set[str] = set()
        self._settled: set[str] = set()
        self._since: dict[object, float] = {}
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Nothing more is asked for."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    # --- what faults take away ------------------------------------------------------------------

    def excuse(self) -> None:
        """What goes on now may be ended by a fault, or leave no result."""
        with self._guard:
            self._explained |= self._known() - self._settled

    def _known(self) -> set[str]:
        """Tokens of all runs that have begun, or were accepted."""
        return {each.token for each in [*self.effects.read()]} | {*self.accepted} | self._unfinished

    # --- the thread ----------------------------------------------------------------------------

    def _follow(self) -> None:
        count = 0
        while not self._ended.wait(BETWEEN):
            count += 1
            try:
                if len(self._unfinished) < MOST_OPEN:
                    self._wish()
                self._cancel_due()
                self._kill_one()
                if count % 2:
                    self._look()
            except (DaemonUnreachable, RpcError, OSError):
                self._since.clear()  # it can know of nothing now

    def _wish(self) -> None:
        """A new one, or one of which it is not known whether it was heard."""
        if len(self._unsure) > 5 or (self._unsure and self._drawn.random() < 0.5):
            self._submit(self._unsure.pop(0))
            return
        self._number += 1
        token, job = f"t{self._number}", self._drawn.choice(("plain", "plain", "retried", "alone"))
        params: dict[str, Any] = {"token": token, "seconds": self._drawn.expovariate(2)}
        if job != "alone":
            params["child"] = self._drawn.random() < 0.2
        self._submit({
            "location": self._drawn.choice(NAMES),
            "names": [job],
            "params": params,
            "key": token,
            "tags": {"alone": "yes"} if job == "alone" else {},
        })  # fmt: skip

    def _submit(self, wish: Mapping[str, Any]) -> None:
        token = wish["key"]
        try:
            answer = self._ask("run", wish)
        except RpcError:
            self.counts["refused"] += 1
            return
        except (DaemonUnreachable, OSError):
            self.counts["unanswered"] += 1
            self._unsure.append(wish)
            return
        with self._guard:
            self.accepted[token] = answer["uuid"]
        if self._drawn.random() < 0.1:
            self._to_cancel.append(
                (time.monotonic() + self._drawn.random(), answer["id"], answer["uuid"])
            )
        if self._drawn.random() < 0.1:
            self._unsure.append(wish)  # asked once more: the same run

    def _cancel_due(self) -> None:
        now = time.monotonic()
        due = [each for each in self._to_cancel if each[0] <= now]
        self._to_cancel = [each for each in self._to_cancel if each[0] > now]
        for _, number, uuid in due:
            self._cancelled.add(uuid)
            with contextlib.suppress(RpcError):
                self._ask("run_cancel", {"id": number, "kill": self._drawn.random() < 0.3})

    def _kill_one(self) -> None:
        if self._drawn.random() > 0.1:
            return
        found = [each for each in self.effects.alive() if each.kind == "begin"]
        if found:
            chosen = self._drawn.choice(found)
            with self._guard:
                self._explained.add(chosen.token)
            with contextlib.suppress(ProcessLookupError):
                os.kill(chosen.pid, signal.SIGKILL)
                self.counts["attempts killed"] += 1

    def _look(self) -> None:
        """`running` without a process, and processes without a run, for longer than PATIENCE."""
        alive = self.effects.alive()
        with self._guard:
            known = self._known()
        runs = self._ask(
            "runs", {"states": ["queued", "starting", "running"], "limit": 1000}
        )["runs"]  # fmt: skip
        with self._guard:
            self._unfinished = {token_of(run) for run in runs}
            self._settled |= known - self._unfinished
        wrong: dict[object, str] = {}
        for run in runs:
            last = run["attempts"][-1] if run["attempts"] else None
            if run["state"] == "running" and last and not exists(last["pid"]):
                wrong[(run["uuid"], last["number"])] = f"run {run['id']} is running without process"
        for effect in alive:
            if effect.token not in self._unfinished:
                wrong[effect] = f"a process of run {effect.run} is there after its end: {effect}"
        now = time.monotonic()
        self._since = {each: self._since.get(each, now) for each in wrong}
        for each, since in self._since.items():
            self.slowest = max(self.slowest, now - since)
            if now - since > PATIENCE and wrong[each] not in self.violations:
                self.violations.append(wrong[each])

    # --- at the end ----------------------------------------------------------------------------

    def too_few(self) -> list[str]:
        with self._guard:
            return [f"{len(self.accepted)} runs"] if len(self.accepted) < FEWEST else []

    def unquiet(self) -> list[str]:
        """What still goes on, or is left."""
        asked = {"states": ["queued", "starting", "running"], "limit": 1000}
        try:
            runs = self._ask("runs", asked)["runs"]
        except (DaemonUnreachable, RpcError, OSError) as error:
            return [f"no answer: {error}"]
        found = [f"run {run['id']} of {run['location']} is {run['state']}: {run}" for run in runs]
        return found + [f"left: {each}" for each in self.effects.alive()]

    def book(self) -> Iterator[Run]:
        """All runs that are recorded, the newest first."""
        before, more = None, True
        while more:
            page = self._ask("runs", {"limit": 500, **({"before": before} if before else {})})
            yield from page["runs"]
            before, more = page["runs"][-1]["id"] if page["runs"] else None, page["more"]

    def judge(self, runs: Sequence[Run]) -> list[str]:
        """What must not be, of all runs of the book once all is quiet."""
        self.counts.update(run["state"] for run in runs)
        self.reasons.update(str(run["why"]) for run in runs if run["state"] == "failed")
        self.counts["of sensors"] = sum(run["by"]["kind"] == "sensor" for run in runs)
        self.counts["accepted"] = len(self.accepted)
        known = {run["uuid"] for run in runs}
        lost = [token for token, uuid in self.accepted.items() if uuid not in known]
        effects = self.effects.read()
        found = [f"accepted, and in no book: {lost}"] if lost else []
        found += doubled("recorded twice", ((run["location"], token_of(run)) for run in runs))
        found += doubled("done twice", ((e.kind, e.token, e.run, e.attempt) for e in effects
                                        if e.kind in ("begin", "end")))  # fmt: skip
        found += [f"two of a limit of one: {each}" for each in effects if each.kind == "overlap"]
        ended = {(e.token, e.run, e.attempt) for e in effects if e.kind == "end"}
        for run in runs:
            why = self._unfit(run, ended)
            if why is not None:
                found.append(f"run {run['id']} ({token_of(run)}) {why}: {run}")
        return [*self.violations, *found, *gaps(map(token_of, runs))]

    def _unfit(self, run: Run, ended: set[tuple[str, int, int]]) -> str | None:
        state, token, attempts = run["state"], token_of(run), run["attempts"]
        mine = (token, run["id"], len(attempts))
        if state not in FINAL:
            return f"is {state}"
        if state == "succeeded":
            return None if mine in ended else "succeeded without effect"
        if run["uuid"] in self._cancelled or token in self._explained:
            return None
        if state == "lost" and attempts[-1]["pid"] is None and mine not in ended:
            self.counts["lost as they began"] += 1  # the daemon died before it knew the process
            return None
        if mine in ended:
            return f"has done all, and is {state}"
        if state == "cancelled" and (run["why"] == "shutdown" or run["summary"]):
            return None
        return f"is {state}, and nothing was done to it"

    def lines(self) -> Iterator[str]:
        names = ("accepted", "of sensors", *FINAL, "lost as they began", "attempts killed",
                 "refused", "unanswered")  # fmt: skip
        told = ", ".join(f"{self.counts[name]} {name}" for name in names)
        yield f"runs: {told}; {len(self.effects.all)} effects"
        reasons = ", ".join(f"{count} {why}" for why, count in sorted(self.reasons.items()))
        yield f"runs failed: {reasons or 'none'}; a look was wrong for {self.slowest:.1f} s at most"


def token_of(run: Run) -> str:
    return str(run["params"].get("token", ""))


def exists(pid: int | None) -> bool:
    return pid is None or Path(f"/proc/{pid}").exists()


def doubled(what: str, each: Iterable[object]) -> list[str]:
    return [f"{what}: {one}" for one, count in Counter(each).items() if count > 1]


def gaps(tokens: Iterable[str]) -> list[str]:
    """A sensor's cursor and its run are written together: none of its numbers is left out."""
    by_word: dict[str, set[int]] = defaultdict(set)
    for token in tokens:
        if token.startswith("sensor-"):
            _, word, number = token.split("-")
            by_word[word].add(int(number))
    return [
        f"a sensor's runs {word} are {sorted(numbers)}"
        for word, numbers in by_word.items()
        if numbers != set(range(max(numbers) + 1))
    ]
