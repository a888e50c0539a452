"""Publishes what happens to locations: in the registry and the journal, to subscribers, and on
disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.core.registry import (
    NOTHING,
    Difference,
    ListedLocation,
    Prepared,
    Registry,
    Succession,
)
from codelocd.core.state import UNDER_WAY, State
from codelocd.daemon import status
from codelocd.daemon.location import Location, Running
from codelocd.daemon.subscriptions import Hub
from codelocd.model import Snapshot
from codelocd.process.child import shielded
from codelocd.process.garbage import drop, much_is_made
from codelocd.storage.journal import Journal, LoadOutcome
from codelocd.storage.remains import ENTRIES, JOURNAL, SNAPSHOTS
from codelocd.storage.snapshots import Documents, Snapshots

if TYPE_CHECKING:
    from codeloc_envs.documents import ProgressDocument
    from codelocd.documents.events import BuildStep, DefinitionsNews, StatusNews
    from codelocd.documents.locations import ConfigDocument


class Publisher:
    """Holds the registry. `snapshots` keeps the definitions that each location had last, `entries`
    its entry of `status`, for commands that find no daemon.
    """

    def __init__(
        self, journal: Journal, hub: Hub, snapshots: Snapshots, entries: Documents
    ) -> None:
        self.journal = journal
        self.registry = Registry()
        self._hub = hub
        self._snapshots = snapshots
        self._entries = entries
        self.ending: str | None = None
        self._ends = False
        self._outcomes: dict[str, LoadOutcome] = {}
        """By location: of the load that took over in the event that is announced next."""

    def end(self) -> None:
        """The daemon ends: report no more withdrawals, and leave what is on disk as it is."""
        self._ends = True

    # --- what happens --------------------------------------------------------------------------

    def announce(
        self,
        location: Location,
        event: str,
        before: State,
        detail: str | None = None,
        *,
        by: str | None = None,
        failed: Running | None = None,
    ) -> None:
        """An event that has led from the state `before` to the present one.

        `by`: what asked for it. `failed`: the runner whose code did not load.
        """
        state, outcome = location.state, self._outcomes.pop(location.name, None)
        entry = self.journal.write(
            event,
            location.name,
            before=before.shown,
            after=state.shown,
            generation=state.generation or None,
            detail=detail,
            attempt=state.attempt or None,
            by=by,
            load=LoadOutcome(failed.timing.as_json()) if failed is not None else outcome,
        )
        now = status.location(location, self.registry)
        news: StatusNews = {"event": entry, "location": now}
        self._hub.publish("status", news, location.name)
        if state.phase not in UNDER_WAY and not (self._ends or location.removed):
            self._entries.keep(location.name, status.left(location, now, self.registry))

    def tell(
        self,
        event: str,
        detail: str | None,
        config: ConfigDocument | None = None,
        by: str | None = None,
    ) -> None:
        """Something happened to the daemon itself, or to its `config`."""
        entry = self.journal.write(event, detail=detail, by=by)
        news: StatusNews = {"event": entry, "location": None}
        if config is not None:
            news["config"] = config
        self._hub.publish("status", news)

    def ends(self, by: str) -> None:
        """The daemon begins to end. `by`: what asked for that."""
        self.ending = by
        self.tell("ending", None, by=by)

    def told_of_run(self, location: Location, event: str, detail: str, by: str | None) -> None:
        """A run of the location has started or ended; nothing of the location itself is another."""
        shown, generation = location.state.shown, location.state.generation or None
        entry = self.journal.write(
            event,
            location.name,
            before=shown,
            after=shown,
            generation=generation,
            detail=detail,
            by=by,
        )
        news: StatusNews = {"event": entry, "location": status.location(location, self.registry)}
        self._hub.publish("status", news, location.name)

    def progressed(self, location: Location, progress: ProgressDocument) -> None:
        """A build of the location's environment goes on."""
        step: BuildStep = {"location": location.name, **progress}
        self._hub.publish("builds", step, location.name)
        if progress["phase"] == "replacing":
            self.announce(location, "environment-replaced", location.state, progress["message"])

    # --- definitions ---------------------------------------------------------------------------

    async def prepare(self, name: str, snapshot: Snapshot, body: bytes | None) -> Snapshot:
        """A snapshot that can be listed at once. `body`: its JSON, where it is large."""
        if body is None:
            return snapshot
        return await self._prepared(name, lambda: snapshot, body) or snapshot

    async def recall(self, name: str) -> Prepared | None:
        """The same of what `last` gives; read on another thread, too."""
        return await self._prepared(name, lambda: self.last(name))

    async def _prepared(
        self, name: str, given: Callable[[], Snapshot | None], body: bytes | None = None
    ) -> Prepared | None:
        work = asyncio.to_thread(_made, name, given, body, self.registry.entry(name))
        prepared, raw = await shielded(work, lambda made: self.discard(made[0]))
        self._drop(raw)
        return prepared

    def discard(self, snapshot: Snapshot | None) -> None:
        """It will not be listed."""
        if isinstance(snapshot, Prepared):
            found = snapshot.succession
            self._drop(_parts(found.entry, found.difference))

    def publish(self, location: Location, running: Running) -> None:
        """List the definitions of a runner that takes over."""
        snapshot = running.snapshot
        assert snapshot is not None
        running.generation = location.state.generation
        running.snapshot = _plain(snapshot)
        running.timing.published = time.time()
        self._publish(location, snapshot, running)
        if not isinstance(snapshot, Prepared):
            self._snapshots.keep(location.name, snapshot)
        elif snapshot.body is not None:
            self._snapshots.keep_encoded(location.name, snapshot.body)

    def last(self, name: str) -> Snapshot | None:
        """What the location listed under an earlier daemon, if that is kept."""
        return self._snapshots.last(name)

    def last_is_large(self, name: str) -> bool:
        """Whether `recall` has to give it, which takes a while."""
        return self._snapshots.is_large(name)

    def restore(self, location: Location, snapshot: Snapshot) -> None:
        """List what is kept of an earlier daemon."""
        self._publish(location, snapshot)

    def withdraw(self, location: Location) -> None:
        """The location lists nothing any more."""
        if self._ends:
            return
        location.snapshot = location.changed_at = None
        self._list(location, Succession.of(self.registry.entry(location.name), NOTHING))

    def forget_definitions(self, name: str) -> None:
        """Delete the kept definitions of a stopped location, so that the next daemon does not list
        them."""
        self._snapshots.forget(name)

    def forget(self, name: str) -> None:
        """The location is no longer in the config."""
        self._snapshots.forget(name)
        self._entries.forget(name)

    def close(self) -> None:
        """Returns when all is on disk."""
        self._snapshots.close()

    def _publish(
        self, location: Location, snapshot: Snapshot, loaded: Running | None = None
    ) -> None:
        former = self.registry.entry(location.name)
        if not isinstance(snapshot, Prepared):
            found = Succession.of(former, ListedLocation.of(location.name, snapshot.definitions))
        elif snapshot.succession.former is former:
            found = snapshot.succession
        else:  # another was listed while this one was prepared, which hardly happens
            found = Succession.of(former, snapshot.succession.entry)
        location.snapshot = _plain(snapshot)
        self._list(location, found, loaded)

    def _list(self, location: Location, found: Succession, loaded: Running | None = None) -> None:
        """`loaded`: the runner that has just brought the definitions, where one has."""
        before, difference = self.registry, found.difference
        self.registry = before.succeeded(location.name, found)
        since = location.changed_at
        news: DefinitionsNews = {
            "location": location.name,
            "generation": location.state.generation,
            "revision": self.registry.revision,
            "seconds": max(0.0, time.time() - since) if since is not None else None,
            "added": list(difference.added),
            "changed": list(difference.changed),
            "removed": list(difference.removed),
            "fields": difference.fields,
            "timing": loaded.timing.as_json() if loaded is not None else None,
            "start_method": loaded.handle.start_method if loaded is not None else None,
        }
        location.changed_at = location.saved_at = None
        if loaded is not None:
            counts = (len(news["added"]), len(news["changed"]), len(news["removed"]))
            self._outcomes[location.name] = LoadOutcome(loaded.timing.as_json(), *counts)
        if difference.is_large:
            self._hub.publish_in_full("definitions", news, location.name)
        else:
            self._hub.publish("definitions", news, location.name)
        gone = found.entry if self.registry is before else found.former
        if gone.is_large or difference.is_large:
            self._drop(_parts(gone, difference))

    def _drop(self, parts: list[object]) -> None:
        """Let these go in pieces, once all others have forgotten them."""
        loop = asyncio.get_running_loop()
        loop.call_later(FORGOTTEN, loop.run_in_executor, None, drop, parts)


def make_publisher(hub: Hub, state: Path) -> Publisher:
    """Of the daemon whose folder of state that is."""
    return Publisher(
        Journal(state / JOURNAL, time.time),
        hub,
        Snapshots(state / SNAPSHOTS),
        Documents(state / ENTRIES),
    )


FORGOTTEN = 10.0
"""Seconds after which nothing refers to what is no longer listed: answers that were encoded are
kept for half as long."""


def _plain(snapshot: Snapshot) -> Snapshot:
    return snapshot.plain() if isinstance(snapshot, Prepared) else snapshot


def _parts(entry: ListedLocation, difference: Difference) -> list[object]:
    """All that would go with an entry, and takes long to go."""
    return [*entry.listed, *entry.listed.values(), *difference.fields]


def _made(
    name: str, given: Callable[[], Snapshot | None], body: bytes | None, former: ListedLocation
) -> tuple[Prepared | None, list[object]]:
    """On another thread: the snapshot, its entry made; and its definitions as they were."""
    with much_is_made(stays=True):
        snapshot = given()
        if snapshot is None:
            return None, []
        return Prepared.of(name, snapshot, former, body), list(snapshot.definitions)
