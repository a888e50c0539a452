"""Which locations start from which warm interpreter, and what was learned of each environment."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from codeloc_envs.files import replace_text
from codeloc_envs.store.collect import IDLE
from codelocd.model import StartMethod
from codelocd.process.child import Children
from codelocd.runners.api import RunnerSpec
from codelocd.runners.warm.interpreter import Readiness, WarmInterpreter
from codelocd.runners.warm.method import cold_packages, newly_cold, visible
from codelocd.runners.warm.profile import Beside, Imports, Learned, common, shareable, with_beside
from codelocd.runners.warm.slot import Slot

LOOK_AGAIN = 60.0
"""Seconds between two looks at the machine's memory, while anything may be warm; the longest time,
too, that something which became warm late stays idle for too long."""

SHORT_OF_MEMORY = 0.05
"""The part of the machine's memory below which nothing is kept warm."""

NOTHING: Beside = {}


@dataclass(slots=True, eq=False)
class Place:
    """A slot, the locations that start from it, and the first start that it was made for."""

    slot: Slot
    spec: RunnerSpec
    method: StartMethod
    locations: dict[str, None] = field(default_factory=dict)

    def fits(self, spec: RunnerSpec, method: StartMethod, read: frozenset[str]) -> bool:
        """Whether imports cannot tell the two apart, by the variables that they read."""
        return (
            (self.spec.environment, self.spec.executable) == (spec.environment, spec.executable)
            and self.method == method
            and visible(self.spec.variables, read) == visible(spec.variables, read)
        )


class Places:
    """Comes and goes with the locations; looks after what is warm while anything is.

    `beside` says what else is preloaded for the programs beside runners.
    `news(environment)` is called, soon, when preloading has shown that packages are cold there.
    """

    def __init__(
        self,
        children: Children,
        entry: Path,
        memory: Memory,
        *,
        idle: float,
        beside: Beside = NOTHING,
    ) -> None:
        self._children = children
        self._entry = entry
        self._memory = memory
        self._idle = idle
        self._beside = beside
        self.news: Callable[[str], None] = _nobody
        self._places: list[Place] = []
        self._next_look: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def of(self, spec: RunnerSpec, method: StartMethod) -> Place:
        """Where this location starts from now; it leaves every other place."""
        place = self.fitting(spec, method) or self._new(spec, method)
        place.locations[spec.location] = None
        self.leave(spec.location, but=place)
        self._keep_looking()
        return place

    def leave(self, location: str, *, but: Place | None = None) -> None:
        """It starts from no place, or from one alone: what it imports counts nowhere else."""
        for place in tuple(self._places):
            if place is not but and location in place.locations:
                self._leave(place, location)

    def fitting(self, spec: RunnerSpec, method: StartMethod) -> Place | None:
        """The place that there is for what would be started so."""
        read = self._memory.of(spec.environment).variables
        return next((each for each in self._places if each.fits(spec, method, read)), None)

    def having(self, location: str) -> Place | None:
        """The place that the location starts from now."""
        return next((each for each in self._places if location in each.locations), None)

    def look_after(self) -> None:
        """Retire what is idle, and everything when the machine is short of memory."""
        now, short = asyncio.get_running_loop().time(), _is_short_of_memory()
        for place in self._places:
            if short or now - place.slot.used >= self._idle:
                place.slot.retire()

    def keep_for(self, idle: float) -> None:
        """Seconds without a start after which what is warm ends, from now on."""
        self._idle = idle
        self.look_after()
        if self._places:
            self._keep_looking()

    def close(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        for place in self._places:
            place.slot.close()

    def _leave(self, place: Place, location: str) -> None:
        del place.locations[location]
        if place.locations:
            place.slot.refresh()
        else:
            self._places.remove(place)
            place.slot.close()

    def _new(self, spec: RunnerSpec, method: StartMethod) -> Place:
        environment, sharing = spec.environment, method == "fork"

        def make(imports: Imports) -> WarmInterpreter:
            if _is_short_of_memory():
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            return WarmInterpreter(
                self._children, self._entry, spec.executable, spec.variables, imports
            )

        slot = Slot(
            make,
            wanted=lambda: self._wanted(place),
            cold=lambda: self._cold(environment),
            found=lambda readiness: self._found(environment, readiness),
            sharing=sharing,
        )
        place = Place(slot, spec, method)
        self._places.append(place)
        return place

    def _wanted(self, place: Place) -> Imports | None:
        """What all locations of a place import, as far as they are known."""
        environment = place.spec.environment
        learned = self._memory.of(environment).locations
        known = [learned[name] for name in place.locations if name in learned]
        if not known:
            return None
        imports = common(known)
        if place.method != "fork":
            return imports
        return shareable(with_beside(imports, self._beside), self._cold(environment))

    def _cold(self, environment: str) -> Mapping[str, str]:
        return cold_packages(self._memory.of(environment))

    def _found(self, environment: str, readiness: Readiness) -> bool:
        """Whether an interpreter that has preloaded may be used."""
        former = self._memory.of(environment)
        learned = former.with_cold(newly_cold(readiness.cold))
        self._memory.keep(environment, learned.with_variables(readiness.variables))
        if learned.cold != former.cold:
            asyncio.get_running_loop().call_soon(self.news, environment)
        return not readiness.blockers

    def _keep_looking(self) -> None:
        """No later than when something will have been idle for too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        ends = (place.slot.used + self._idle for place in self._places)
        due = min([now + LOOK_AGAIN, *(end for end in ends if end > now)])
        if self._next_look is not None:
            if self._next_look.when() <= due:
                return
            self._next_look.cancel()
        self._next_look = loop.call_at(due, self._look_again)

    def _look_again(self) -> None:
        self._next_look = None
        self.look_after()
        if self._places:
            self._keep_looking()


def _nobody(_environment: str) -> None:
    """Whom the news go to until somebody asks for them."""


def _is_short_of_memory() -> bool:
    memory = psutil.virtual_memory()
    return bool(memory.available < SHORT_OF_MEMORY * memory.total)


GATHERING = 1.0
"""Seconds until what was learned is written: many locations that start together add to one file."""


class Memory:
    """One file for each environment, by its key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._learned: dict[str, Learned] = {}
        self._unwritten: set[str] = set()
        self._writing: asyncio.TimerHandle | None = None

    def of(self, environment: str) -> Learned:
        if environment not in self._learned:
            self._learned[environment] = self._read(environment)
        return self._learned[environment]

    def keep(self, environment: str, learned: Learned) -> bool:
        """On disk soon. Whether it is news."""
        if learned == self._learned.get(environment):
            return False
        self._learned[environment] = learned
        self._unwritten.add(environment)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().call_later(GATHERING, self.write)
        return True

    def write(self) -> None:
        """Now. A disk that is full costs what would have been learned, and nothing else."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        while self._unwritten:
            environment = self._unwritten.pop()
            with contextlib.suppress(OSError):
                self._write(environment, self._learned[environment])

    def forget_unused(self) -> None:
        """Remove the files of environments that this daemon has not used since its start, if they
        are older than an unused environment may get."""
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(OSError):
                if path.stem not in self._learned and time.time() - path.stat().st_mtime > IDLE:
                    path.unlink()

    def _read(self, environment: str) -> Learned:
        try:
            content = json.loads((self._folder / f"{environment}.json").read_bytes())
            locations = {
                name: Imports(_texts(each["modules"]), _texts(each["named"]))
                for name, each in content["locations"].items()
            }
            return Learned(
                locations,
                dict(zip(content["cold"], _texts([*content["cold"].values()]), strict=True)),
                _texts(content["suspicions"]),
                frozenset(_texts(content["variables"])),
                int(content["installed"]),
                _numbers(content.get("seconds", {})),  # older files have none
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Learned()

    def _write(self, environment: str, learned: Learned) -> None:
        content = {
            "locations": {
                name: {"modules": each.modules, "named": each.named}
                for name, each in learned.locations.items()
            },
            "cold": dict(learned.cold),
            "suspicions": learned.suspicions,
            "variables": sorted(learned.variables),
            "installed": learned.installed,
            "seconds": dict(learned.seconds),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_text(self._folder / f"{environment}.json", json.dumps(content))


def _texts(found: Any) -> tuple[str, ...]:
    """Raises TypeError when it is anything but a list of strings."""
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TypeError
    return tuple(found)


def _numbers(found: Any) -> dict[str, float]:
    """Raises TypeError or ValueError when it is anything but numbers by name."""
    return {str(name): float(number) for name, number in dict(found).items()}
