"""The loop: an event in, `step`, effects out. The only place where state changes."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from codelocd.core import events, problems
from codelocd.core.state import UNDER_WAY, State
from codelocd.core.transitions import step
from codelocd.daemon import sources
from codelocd.daemon.adoption import HeldRunners
from codelocd.daemon.executor import Executor
from codelocd.daemon.location import Location, Running
from codelocd.daemon.locations import Locations
from codelocd.daemon.metrics.tally import Tally
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.reload_loops import LoopGuard
from codelocd.daemon.usage import MemoryTrimmer, Sampler
from codelocd.model import GrpcServer, LocationSpec, Phase, Policy
from codelocd.storage.desired_state import DesiredState
from codelocd.watch.watch import SourceWatch

if TYPE_CHECKING:
    from codelocd.documents.locations import WatchedApart

CLIENT, CONFIG, FILE = "client", "config", "file"
"""What asks for something: a client that does not say what it is, the config, a saved file."""


class Daemon:
    """Takes the events of every location, one at a time, and has their effects carried out."""

    def __init__(
        self,
        locations: Locations,
        executor: Executor,
        publisher: Publisher,
        watch: SourceWatch,
        desired: DesiredState,
        held: HeldRunners,
        loops: LoopGuard,
        adopt: Callable[[Location], bool],
    ) -> None:
        """`adopt` says whether a runner serves the location that an earlier daemon left."""
        self.locations = locations
        self._executor = executor
        self._publisher = publisher
        self._watch = watch
        self._desired = desired
        self._held = held
        self._loops = loops
        self._adopt = adopt
        self._queue: deque[tuple[Location, events.Event, str | None]] = deque()
        self._recalling: set[asyncio.Task[None]] = set()
        self._draining = False
        self._ends = False
        self.took_over: Callable[[Location, Running], None] = lambda _, __: None
        """Told of each runner that serves a location from now on."""
        self.withdrew: Callable[[Location], None] = lambda _: None
        """Told of each location that was stopped."""
        self.usage = Sampler()
        self.tally = Tally()
        self._memory = MemoryTrimmer()
        self.stirred = asyncio.Event()
        """Set when another runner serves a location, or other rules hold for one."""

    # --- locations come and go -----------------------------------------------------------------

    def add(self, spec: LocationSpec) -> None:
        """A new location; it starts, unless a `stop` holds for it."""
        if isinstance(spec.target, GrpcServer):
            self.locations.external[spec.name] = spec
            return
        location = self.locations.setdefault(spec.name, Location(spec, self.send))
        location.spec, location.removed = spec, False  # one that was removed may still be leaving
        if self._desired.is_wanted(spec.name):
            if not self._adopt(location):
                self.send(location, events.Started(), CONFIG)
        else:
            self._publisher.announce(location, "added", location.state, by=CONFIG)

    def remove(self, name: str) -> None:
        """The location is no longer in the config: it stops and is forgotten."""
        self.locations.external.pop(name, None)
        location = self.locations.get(name)
        if location is not None:
            location.removed = True
            self._publisher.forget(name)
            self.send(location, events.Stopped(), CONFIG)

    def change(self, spec: LocationSpec, *, reload: bool, by: str = CONFIG) -> None:
        """The location's description has changed; `reload`: the present runner does not fit the new
        one."""
        if spec.name in self.locations.external:
            self.locations.external[spec.name] = spec
            return
        location = self.locations[spec.name]
        former = self._described(location, spec)
        for running in location.runners.values():
            if running.retirement is not None:
                running.retirement.last(spec.policy.stop_timeout)
        if reload:
            self.reload(location, by)
            return
        self.stirred.set()
        self._executor.adjust(location, former)
        if location.state.wanted:
            self.send(location, events.PolicyChanged(former), CONFIG)
            sources.follow_if_possible(self._watch, location)
            if former.reload == "manual" and (left := self._watch.pending(spec.name)).paths:
                self.locations.changed(spec.name, left)

    def revert(self, spec: LocationSpec, before: State) -> None:
        """The location's description is again `spec`, by which its state was `before`. Files in
        place that are watched may have changed since then, so they are loaded again."""
        location = self.locations[spec.name]
        self._described(location, spec)
        if spec.policy.reload == "on-change":
            self.send(location, events.ReloadAsked())
        else:
            self.send(location, events.Reverted(before))

    def _described(self, location: Location, spec: LocationSpec) -> Policy:
        """Give it another description; the policy of the former one. What is known of the files of
        one release says nothing of those of another."""
        former, location.spec = location.spec, spec
        if former.release != spec.release:
            self._watch.forget(location.name)
        return former.policy

    # --- wishes --------------------------------------------------------------------------------
    # `by`: the word of the journal for what asks.

    def start(self, location: Location, by: str = CLIENT) -> None:
        self._loops.forgive(location)
        self._desired.want(location.name)
        self.send(location, events.Started(), by)

    def stop(self, location: Location, by: str = CLIENT) -> None:
        self._desired.unwant(location.name)
        self._publisher.forget_definitions(location.name)
        self.send(location, events.Stopped(), by)

    def restart(self, location: Location, by: str = CLIENT) -> None:
        self._loops.forgive(location)
        self._desired.want(location.name)
        self.send(location, events.RestartAsked(), by)

    def reload(self, location: Location, by: str = CLIENT) -> None:
        self._loops.forgive(location)
        self.send(location, events.ReloadAsked(), by)

    def begin_nothing(self) -> None:
        """No location starts or is loaded again from now on."""
        self._ends = True

    def shut_down(self) -> None:
        """Stop everything without remembering it: the next daemon starts it all again."""
        self.begin_nothing()
        self._publisher.end()
        for location in tuple(self.locations.values()):
            self.send(location, events.Stopped())

    def relieve(self) -> None:
        """A connection is gone whose answers waited: they may have been many megabytes."""
        self._memory.stir()

    def watched_files(self, location: Location) -> list[str]:
        """The files whose change means a new runner; none where nothing is watched."""
        if location.spec.policy.reload == "manual":
            return []
        return self._watch.files(location.name)

    def watched_apart(self, location: Location) -> WatchedApart:
        """What is watched in another way than usual: folders that are polled, and files that its
        loads write (a change of those during a load starts no other load)."""
        polled, own_writes = self._watch.apart(location.name)
        return {"polled": polled, "own_writes": own_writes}

    # --- the loop ------------------------------------------------------------------------------

    def send(self, location: Location, event: events.Event, by: str | None = None) -> None:
        """Take an event; effects may send further ones, which wait for their turn.

        A daemon that ends begins nothing any more. `by`: what asked for it, if anything did.
        """
        if self._ends and isinstance(event, _BEGINNINGS):
            return
        self._memory.stir()
        self._queue.append((location, event, by))
        if self._draining:
            return
        self._draining = True
        try:
            while self._queue:
                self._take(*self._queue.popleft())
        finally:
            self._draining = False

    def _take(self, location: Location, event: events.Event, by: str | None) -> None:
        before, failed = location.state, None
        if isinstance(event, events.LoadFailed):
            failed = location.runners.get(event.runner)
        self._apply(location, event)
        location.changed_from(before, time.monotonic())
        self.tally.took(location, event, before)
        if location.state.serving != before.serving:
            self.stirred.set()
        if location.state != before and not isinstance(event, _UNANNOUNCED):
            by = FILE if isinstance(event, events.SourcesChanged) else by
            name, detail = _name(event), _detail(event, before)
            self._publisher.announce(location, name, before, detail, by=by, failed=failed)
        self._wake(location, before)
        if location.removed and location.state.phase is Phase.STOPPED:
            self.locations.pop(location.name, None)
            self._executor.forget(location)
            self.tally.forget(location.name)

    def _apply(self, location: Location, event: events.Event) -> None:
        now, policy = asyncio.get_running_loop().time(), location.spec.policy
        location.state, effects = step(location.state, event, now, policy)
        self._set_alarm(location)
        for effect in effects:
            if isinstance(effect, events.Retire | events.Kill):
                self._held.let_go(location, effect.runner)
            self._executor.carry_out(location, effect)
            self._publish(location, effect)

    def _publish(self, location: Location, effect: events.Effect) -> None:
        """The effects that concern the registry go to the publisher, all others to the executor."""
        match effect:
            case events.Publish(runner):
                self._publisher.publish(location, location.runners[runner])
                self._held.keep(location, location.runners[runner])
                self.took_over(location, location.runners[runner])
            case events.Withdraw():
                self._publisher.withdraw(location)
                self.withdrew(location)
            case events.Restore(snapshot):
                self._publisher.restore(location, snapshot)
            case events.Recall() if self._publisher.last_is_large(location.name):
                recalling = asyncio.get_running_loop().create_task(self._recall(location))
                self._recalling.add(recalling)
                recalling.add_done_callback(self._recalling.discard)
            case events.Recall():  # at once: no subscriber sees the location without definitions
                last = self._publisher.last(location.name)
                if last is not None:
                    self._apply(location, events.Remembered(last))

    async def _recall(self, location: Location) -> None:
        last = await self._publisher.recall(location.name)
        if last is None:
            return
        self.send(location, events.Remembered(last))
        if location.snapshot is None or location.snapshot.sources is not last.sources:
            self._publisher.discard(last)  # meanwhile it was stopped, or another try began

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

    def _wake(self, location: Location, before: State) -> None:
        if location.state.phase not in UNDER_WAY or before.phase is Phase.STOPPING:
            for waiter in location.waiters:
                if not waiter.done():
                    waiter.set_result(None)


_BEGINNINGS = (events.Started, events.RestartAsked, events.ReloadAsked)

_UNANNOUNCED = (events.EnvironmentChosen,)
"""Whether an event changes nothing that subscribers are told."""


def _name(event: events.Event) -> str:
    """The name of an event in the journal: `sources-changed` for `SourcesChanged`."""
    return re.sub(r"(?<!^)([A-Z])", r"-\1", type(event).__name__).lower()


def _detail(event: events.Event, before: State) -> str | None:
    """The reason in one line: the files that changed, or what went wrong."""
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
            | events.MachineLacks(_, problem)
            | events.LoadFailed(_, problem)
            | events.Condemned(_, problem)
            | events.LimitMetBeside(problem)
            | events.Exited(_, problem)
        ):
            return problem.summary
        case _:
            return None
