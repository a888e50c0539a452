"""Asks schedules and sensors which runs shall start: each time in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from codelocd.core.shapes import WrongShape
from codelocd.daemon.limits import Excess, Held
from codelocd.daemon.runs.attempts import process_of
from codelocd.daemon.runs.folders import AttemptFolders
from codelocd.daemon.runs.local_attempts import AttemptParts
from codelocd.daemon.runs.served import LocationCode, ServedCodes
from codelocd.model import Exit
from codelocd.process.child import Child
from codelocd.runners.api import RunnerSpec
from codelocd.runners.attempts import AttemptStart, process_part
from codelocd.runs.evaluation import Evaluation, Starter, checked_evaluation, evaluation_part
from codelocd.runs.folder import RunFolders, read_left
from codelocd.runs.model import RunId

SECONDS = 60.0
"""For one evaluation, unless its definition states another time."""
LONGEST = 86400.0
FOLDER = "evaluations"
"""In the folder of runs: what evaluations that go on are told, and answer."""
NUMBER = 1
"""Of the attempt, where an evaluation has the folder that a run has."""
FEWEST_SLOTS, SLOTS_PER_CORE = 8, 2


class Slots:
    """How many evaluations go on at a time: in all, and half as many of one location, so that one
    whose functions hang leaves the others room."""

    def __init__(self, most: int) -> None:
        self._every = asyncio.Semaphore(most)
        self._most_of_one = max(1, most // 2)
        self._of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def taken(self, location: str) -> AsyncIterator[None]:
        """The oldest that waits is the next."""
        own = self._of.get(location)
        if own is None:
            own = self._of[location] = asyncio.Semaphore(self._most_of_one)
        async with own, self._every:
            yield


class Evaluations:
    """Of the loop's thread."""

    def __init__(self, parts: AttemptParts, folders: AttemptFolders, codes: ServedCodes) -> None:
        self._parts = parts
        self._made_for = folders
        self._codes = codes
        self._slots = Slots(max(FEWEST_SLOTS, SLOTS_PER_CORE * (os.cpu_count() or 1)))
        self._folders = RunFolders(folders.root / FOLDER)
        self._numbers = itertools.count(1)
        self._clearing, self._is_clear = asyncio.Lock(), False

    async def _clear(self) -> None:
        """Remove what an earlier daemon left, once: its evaluations have ended with it."""
        async with self._clearing:
            if not self._is_clear:
                for number in await asyncio.to_thread(self._folders.numbers):
                    await asyncio.to_thread(self._folders.remove, number)
                self._is_clear = True

    async def evaluate(self, starter: Starter) -> Evaluation:
        """What fails is told in the evaluation. What takes too long is ended with all that it has
        started; so it is where this is cancelled."""
        await self._clear()
        async with self._slots.taken(starter.location):
            await self._codes.ready(starter.location)
            served = self._codes.of(starter.location)
            if served is None:
                return Evaluation(summary=self._codes.why_none(starter.location))
            number = RunId(next(self._numbers))
            try:
                found = await self._asked(starter, served, number)
            except OSError as error:
                found = Evaluation(summary=str(error))
            finally:
                removal = asyncio.to_thread(self._folders.remove, number)
                await asyncio.shield(removal)
            return replace(found, code=served.name_of_code)

    async def _asked(self, starter: Starter, served: LocationCode, number: RunId) -> Evaluation:
        """Raises OSError where no process can be started."""
        parts = self._parts
        output = parts.processes.specs.logs.output(starter.location, served.generation)
        spec, leases = await asyncio.to_thread(parts.processes.prepared, served, output)
        with contextlib.closing(leases):
            spec = parts.limits.told(spec, served.spec.policy)
            try:
                path = await asyncio.to_thread(self._ordered, starter, served, spec, number)
                start = AttemptStart(spec, path)
                child, _ = await process_of(parts.warm, start)
            except BaseException:
                parts.limits.discard(spec.group)
                raise
            why = await self._ended(child, spec, starter, served)
        if why is not None:
            return Evaluation(summary=why)
        result = self._folders.of(number) / f"result.{NUMBER}"
        return await asyncio.to_thread(_answer, result, child.exited.result())

    def _ordered(
        self, starter: Starter, served: LocationCode, spec: RunnerSpec, number: RunId
    ) -> Path:
        """The order, in a folder that the location's user may write. Blocks. Raises OSError."""
        folder = self._folders.of(number)
        self._made_for.make_run(folder, spec.account)
        code = self._made_for.make_code(spec.account)
        order = {
            **evaluation_part(starter),
            **process_part(spec),
            "result": str(folder / f"result.{NUMBER}"),
            "generation": served.generation,
            "code": str(code),
            "manifest": self._codes.manifest(served.manifest),
        }
        return self._folders.write_order(number, NUMBER, order, spec.account)

    async def _ended(
        self, child: Child, spec: RunnerSpec, starter: Starter, served: LocationCode
    ) -> str | None:
        """Returns when the process has; why it was ended, if it was."""
        seconds = seconds_for(starter, served.definitions)
        location, limits = self._parts.locations.get(starter.location), self._parts.limits
        told: list[str] = []
        over = partial(_over, child, told)
        limits.hold(Held(location, child.pid, child.exited, spec.group, over))
        try:
            await asyncio.wait([child.exited], timeout=seconds)
            if not child.exited.done():
                told.append(f"it took longer than {seconds:g} s, and was ended")
        finally:
            if not child.exited.done():
                child.kill()
                await asyncio.shield(asyncio.wait([child.exited]))
            policy = served.spec.policy if location is None else location.spec.policy
            problem = limits.ended(spec.group, child.exited.result(), policy, WHAT)
            told += [] if problem is None else [problem.summary]
        return told[0] if told else None


def seconds_for(starter: Starter, definitions: Iterable[Mapping[str, Any]]) -> float:
    """What the definition states. Those of a runner are named by their repository."""
    for each in definitions:
        if (
            each["name"] == starter.name
            and each["kind"] in ("schedule", "sensor")
            and each["repository"] == starter.repository
        ):
            stated = each.get("timeout")
            if isinstance(stated, int | float) and stated > 0:
                return min(float(stated), LONGEST)
    return SECONDS


WHAT = "the evaluation"
"""What is beyond a limit, as summaries call it."""


async def _over(child: Child, told: list[str], excess: Excess) -> None:
    told.append(excess.problem(WHAT).summary)
    child.kill()


def _answer(result: Path, end: Exit) -> Evaluation:
    """What the process has left. Blocks."""
    try:
        return checked_evaluation(read_left(result))
    except FileNotFoundError:
        how = f"was ended by signal {end.signal}" if end.signal else f"exited with {end.status}"
        summary = f"its process {how} before it answered"
    except (OSError, WrongShape) as error:
        summary = f"its answer cannot be read: {error}"
    return Evaluation(summary=summary)
