"""The loop: an event in, `step`, effects out. The only place where state changes."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from codelocd.core import events, problems
from codelocd.core.registry import Difference, Registry
from codelocd.core.state import State
from codelocd.core.transitions import step
from codelocd.daemon import sources, status
from codelocd.daemon.executor import Executor, Reports
from codelocd.daemon.location import Location, Running
from codelocd.daemon.subscriptions import Hub
from codelocd.daemon.usage import MemoryTrimmer, Sampler
from codelocd.model import GrpcServer, LocationSpec, Phase, Snapshot
from codelocd.storage.desired_state import DesiredState
from codelocd.storage.journal import Journal
from codelocd.storage.snapshots import Documents, Snapshots
from codelocd.watch.notices import Change
from codelocd.watch.watch import SourceWatch

_NOT_LOADED: Mapping[str, Any] = {"timing": None, "start_method": None}
"""Of definitions that no load has just brought."""


class Daemon:
    """Holds every location and the registry; everything else asks or tells it."""

    def __init__(
        self,
        *,
        executor: Callable[[Reports], Executor],
        watch: SourceWatch,
        journal: Journal,
        hub: Hub,
        desired: DesiredState,
        snapshots: Snapshots,
        entries: Documents,
    ) -> None:
        self._executor = executor(
            Reports(
                send=self.send,
                publish=self._published,
                withdraw=self._withdrawn,
                recall=self._recalled,
                restore=self._restored,
                progress=self._progressed,
            )
        )
        self._watch = watch
        self._journal = journal
        self._hub = hub
        self._desired = desired
        self._snapshots = snapshots
        self._entries = entries
        self._queue: deque[tuple[Location, events.Event]] = deque()
        self._draining = False
        self._ends = False
        self.locations: dict[str, Location] = {}
        self.external: dict[str, LocationSpec] = {}
        self.registry = Registry()
        self.usage = Sampler()
        self._memory = MemoryTrimmer()
        self.stirred = asyncio.Event()
        """Set when another runner serves a location, or other rules hold for one."""

    @property
    def journal(self) -> Journal:
        return self._journal

    # --- locations come and go -----------------------------------------------------------------

    def add(self, spec: LocationSpec) -> None:
        """A new location; it starts unless somebody stopped it for good."""
        if isinstance(spec.target, GrpcServer):
            self.external[spec.name] = spec
            return
        location = self.locations.setdefault(spec.name, Location(spec))
        location.spec, location.removed = spec, False  # one that was removed may still be leaving
        if self._desired.is_wanted(spec.name):
            self.send(location, events.Started())
        else:
            self._announce(location, "added", location.state)

    def remove(self, name: str) -> None:
        """The location is no longer in the config: it stops and is forgotten."""
        self.external.pop(name, None)
        location = self.locations.get(name)
        if location is not None:
            location.removed = True
            self._snapshots.forget(name)
            self._entries.forget(name)
            self.send(location, events.Stopped())

    def change(self, spec: LocationSpec, *, reload: bool) -> None:
        """Another description; `reload` when a runner of the old one is not right for it."""
        if spec.name in self.external:
            self.external[spec.name] = spec
            return
        location = self.locations[spec.name]
        former, location.spec = location.spec.policy, spec
        if reload:
            self.send(location, events.ReloadAsked())
            return
        self.stirred.set()
        if location.state.wanted:
            self.send(location, events.PolicyChanged(former))
            self._executor.follow(location)
            if former.reload == "manual" and (left := self._watch.pending(spec.name)).paths:
                self.changed(spec.name, left)

    # --- wishes --------------------------------------------------------------------------------

    def start(self, location: Location) -> None:
        self._desired.want(location.name)
        self.send(location, events.Started())

    def stop(self, location: Location) -> None:
        self._desired.unwant(location.name)
        self._snapshots.forget(location.name)
        self.send(location, events.Stopped())

    def restart(self, location: Location) -> None:
        self._desired.want(location.name)
        self.send(location, events.RestartAsked())

    def reload(self, location: Location) -> None:
        self.send(location, events.ReloadAsked())

    def shut_down(self) -> None:
        """Stop everything without remembering it: the next daemon starts it all again."""
        self._ends = True
        for location in tuple(self.locations.values()):
            self.send(location, events.Stopped())

    def changed(self, name: str, change: Change) -> None:
        """The watch saw content that the newest attempt has not seen."""
        location = self.locations.get(name)
        if location is None or location.spec.policy.reload == "manual":
            return
        location.changed_at, location.saved_at = time.time(), sources.newest(change.paths)
        inputs = change.inputs or sources.describes_environment(location.spec, change.paths)
        changed = events.SourcesChanged(change.differing, inputs, change.locked, change.paths)
        self.send(location, changed)

    def watched_files(self, location: Location) -> list[str]:
        """The files whose change means a new runner; none where nothing is watched."""
        if location.spec.policy.reload == "manual":
            return []
        return self._watch.files(location.name)

    async def settled(self, location: Location) -> None:
        """Returns when the attempt under way, if any, has had an outcome."""
        while location.state.phase in _UNDER_WAY:
            waiter = asyncio.get_running_loop().create_future()
            location.waiters.add(waiter)
            try:
                await waiter
            finally:
                location.waiters.discard(waiter)

    # --- the loop ------------------------------------------------------------------------------

    def send(self, location: Location, event: events.Event) -> None:
        """Take an event; effects may send further ones, which wait for their turn.

        A daemon that ends begins nothing any more.
        """
        if self._ends and isinstance(event, _BEGINNINGS):
            return
        self._memory.stir()
        self._queue.append((location, event))
        if self._draining:
            return
        self._draining = True
        try:
            while self._queue:
                self._take(*self._queue.popleft())
        finally:
            self._draining = False

    def _take(self, location: Location, event: events.Event) -> None:
        before = location.state
        self._apply(location, event)
        if location.state.serving != before.serving:
            self.stirred.set()
        if location.state != before and not isinstance(event, _UNANNOUNCED):
            self._announce(location, _name(event), before, _detail(event, before))
        self._wake(location)
        if location.removed and location.state.phase is Phase.STOPPED:
            self.locations.pop(location.name, None)
            self._executor.forget(location)

    def _apply(self, location: Location, event: events.Event) -> None:
        now, policy = asyncio.get_running_loop().time(), location.spec.policy
        location.state, effects = step(location.state, event, now, policy)
        self._set_alarm(location)
        for effect in effects:
            self._executor.carry_out(location, effect)

    def _set_alarm(self, location: Location) -> None:
        if location.alarm is not None:
            location.alarm.cancel()
            location.alarm = None
        if location.state.deadline is not None:
            location.alarm = asyncio.get_running_loop().call_at(
                location.state.deadline, self._alarm_rings, location
            )

    def _alarm_rings(self, location: Location) -> None:
        self.send(location, events.DeadlinePassed(time.time()))

    def _wake(self, location: Location) -> None:
        if location.state.phase not in _UNDER_WAY:
            for waiter in location.waiters:
                if not waiter.done():
                    waiter.set_result(None)

    # --- what everybody may know ---------------------------------------------------------------

    def _announce(
        self, location: Location, event: str, before: State, detail: str | None = None
    ) -> None:
        state = location.state
        entry = self._journal.write(
            event,
            location.name,
            before=before.shown,
            after=state.shown,
            generation=state.generation or None,
            detail=detail,
        )
        data = {"event": entry.as_json(), "location": status.location(location, self.registry)}
        self._hub.publish("status", data)
        if state.phase not in _UNDER_WAY and not (self._ends or location.removed):
            self._entries.keep(location.name, status.left(location, self.registry))

    def tell(self, event: str, detail: str | None, more: Mapping[str, Any]) -> None:
        """Something happened to the daemon itself."""
        entry = self._journal.write(event, detail=detail)
        self._hub.publish("status", {"event": entry.as_json(), "location": None, **more})

    def _published(self, location: Location, running: Running) -> None:
        assert running.snapshot is not None
        running.generation = location.state.generation
        location.snapshot = running.snapshot
        running.timing.published = time.time()
        timing = running.timing.as_json()
        told = {"timing": timing, "start_method": running.handle.start_method}
        self._publish(location, running.snapshot, told)
        self._snapshots.keep(location.name, running.snapshot)

    def _recalled(self, location: Location) -> None:
        """At once: nobody is told of a location without definitions that has some."""
        snapshot = self._snapshots.last(location.name)
        if snapshot is not None:
            self._apply(location, events.Remembered(snapshot))

    def _restored(self, location: Location, snapshot: Snapshot) -> None:
        location.snapshot = snapshot
        self._publish(location, snapshot)

    def _publish(
        self, location: Location, snapshot: Snapshot, told: Mapping[str, Any] = _NOT_LOADED
    ) -> None:
        registry, difference = self.registry.publish(location.name, snapshot.definitions)
        self._list(location, registry, difference, told)

    def _withdrawn(self, location: Location) -> None:
        """Definitions that go with the daemon itself are no news."""
        if self._ends:
            return
        location.snapshot = location.changed_at = None
        registry, difference = self.registry.withdraw(location.name)
        self._list(location, registry, difference)

    def _list(
        self,
        location: Location,
        registry: Registry,
        difference: Difference,
        told: Mapping[str, Any] = _NOT_LOADED,
    ) -> None:
        self.registry = registry
        since = location.changed_at
        data = {
            "location": location.name,
            "generation": location.state.generation,
            "revision": registry.revision,
            "seconds": max(0.0, time.time() - since) if since is not None else None,
            "added": list(difference.added),
            "changed": list(difference.changed),
            "removed": list(difference.removed),
            "fields": difference.fields,
            **told,
        }
        location.changed_at = location.saved_at = None
        self._hub.publish("definitions", data)

    def _progressed(self, location: Location, progress: Mapping[str, Any]) -> None:
        self._hub.publish("builds", {"location": location.name, **progress})
        if progress["phase"] == "replacing":
            self._announce(location, "environment-replaced", location.state, progress["message"])


_BEGINNINGS = (events.Started, events.RestartAsked, events.ReloadAsked)

_UNANNOUNCED = (events.EnvironmentChosen,)
"""What changes nothing that callers are told of without asking."""

_UNDER_WAY = frozenset({Phase.BUILDING, Phase.STARTING, Phase.STOPPING})


def _name(event: events.Event) -> str:
    """`SourcesChanged` as the journal has it: `sources-changed`."""
    return re.sub(r"(?<!^)([A-Z])", r"-\1", type(event).__name__).lower()


def _detail(event: events.Event, before: State) -> str | None:
    """Why, in one line: the files that changed, or what went wrong."""
    match event:
        case events.Exited(runner=runner) if runner in before.leaving:
            return problems.ENDED
        case events.SourcesChanged(paths=paths):
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            return ", ".join(paths[:3]) + more
        case events.Diverged(cold=cold):
            return f"{cold.why}; it is started again on its own"
        case (
            events.EnvironmentFailed(_, problem)
            | events.EnvironmentLost(_, problem)
            | events.LoadFailed(_, problem)
            | events.Condemned(_, problem)
            | events.Exited(_, problem)
        ):
            return problem.summary
        case _:
            return None
