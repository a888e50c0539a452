"""Counts what happens in a daemon, for its metrics. Plain numbers: they cost a daemon that is not
monitored next to nothing."""

from __future__ import annotations

import asyncio
import copy
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from itertools import accumulate
from typing import Any

from codelocd.core import events
from codelocd.core.state import State
from codelocd.daemon.location import Location
from codelocd.model import BuildId
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Handler, Peer

BOUNDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of histograms in seconds: from a reload by a warm interpreter to a long build."""


class Durations:
    """How many durations there were up to each of BOUNDS, and their sum in seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound, how many up to it), the last one without a bound."""
        bounds = [*map(str, BOUNDS), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self._counts)), strict=True))


class Tally:
    """The counts since the daemon started; each grows only. Those of a location are dropped with
    it.

    `restarts` by location and the kind of the problem, `loads` by location and outcome, `reloads`
    by location: from the save, or the order, to the takeover; `starts` by start method: from the
    order to the loaded code; `builds` by outcome: the choice and preparation of an environment;
    `changes`: changes of sources by location; `last_good`: when what is listed was loaded, in Unix
    seconds; `requests` by method and outcome.
    """

    def __init__(self) -> None:
        self.restarts: Counter[tuple[str, str]] = Counter()
        self.loads: Counter[tuple[str, str]] = Counter()
        self.reloads: defaultdict[str, Durations] = defaultdict(Durations)
        self.starts: defaultdict[str, Durations] = defaultdict(Durations)
        self.builds: defaultdict[str, Durations] = defaultdict(Durations)
        self.changes: Counter[str] = Counter()
        self.last_good: dict[str, float] = {}
        self.requests: Counter[tuple[str, str]] = Counter()
        self._building: dict[str, tuple[BuildId, float]] = {}

    def took(self, location: Location, event: events.Event, before: State) -> None:
        """The location was in the state `before`, and took the event."""
        state, name = location.state, location.name
        if state.restarts > before.restarts:
            self.restarts[name, _reason(event, before)] += 1
        self._took_build(name, event, before, state)
        match event:
            case events.SourcesChanged():
                self.changes[name] += 1
            case events.LoadFailed(runner=runner) if runner == before.candidate:
                self.loads[name, "failed"] += 1
            case events.Exited(runner=runner) if runner == before.candidate:
                self.loads[name, "crashed"] += 1
        if state.generation > before.generation:
            self._took_over(location, event, before)

    def _took_build(self, name: str, event: events.Event, before: State, state: State) -> None:
        match event:
            case events.EnvironmentReady(build=build, environment=environment):
                self._built(name, build, environment.origin)
            case events.EnvironmentFailed(build=build):
                self._built(name, build, "failed")
        if state.build is not None and state.build != before.build:
            self._building[name] = state.build, time.monotonic()

    def _built(self, name: str, build: BuildId, outcome: str) -> None:
        known, began = self._building.get(name, (None, 0.0))
        if known == build:
            del self._building[name]
            self.builds[outcome].add(time.monotonic() - began)

    def _took_over(self, location: Location, event: events.Event, before: State) -> None:
        running = location.serving
        if running is None:
            return
        ago = time.monotonic() - running.began if isinstance(event, events.Adopted) else 0.0
        self.last_good[location.name] = time.time() - ago
        if isinstance(event, events.Adopted):
            return
        self.loads[location.name, "served"] += 1
        timing = running.timing
        took = timing.as_json()["total"]
        if before.serving is not None and took is not None:
            self.reloads[location.name].add(took)
        if timing.decided is not None and timing.loaded is not None:
            method = running.handle.start_method
            self.starts[method].add(max(0.0, timing.loaded - timing.decided))

    def copy(self) -> Tally:
        """The counts as they are now, for another thread."""
        return copy.deepcopy(self)

    def forget(self, name: str) -> None:
        """The location is gone."""
        for counts in (self.restarts, self.loads):
            for key in [key for key in counts if key[0] == name]:
                del counts[key]
        for known in (self.reloads, self.changes, self.last_good, self._building):
            known.pop(name, None)

    def counting(self, handler: Handler, methods: Collection[str]) -> Handler:
        """The same handler; each of its answers is counted. What is none of `methods` counts as
        "other": a client could make up any number of names."""

        async def counted(peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
            outcome = "ok"
            try:
                return await handler(peer, method, params)
            except RpcError as error:
                outcome = error.kind
                raise
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            except Exception:
                outcome = "internal"
                raise
            finally:
                self.requests[method if method in methods else "other", outcome] += 1

        return counted


def _reason(event: events.Event, before: State) -> str:
    """The kind of the problem for which a location was started again by itself."""
    told = event.problem if isinstance(event, events.Exited | events.EnvironmentLost) else None
    problem = before.condemned or told or before.problem or before.last_failure
    return problem.kind if problem is not None else "crash"
