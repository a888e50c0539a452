"""Publishes what happens to locations: in the registry and the journal, to subscribers, and on
disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from codelocd.core.registry import Difference, Registry
from codelocd.core.state import UNDER_WAY, State
from codelocd.daemon import status
from codelocd.daemon.location import Location, Running
from codelocd.daemon.subscriptions import Hub
from codelocd.model import Snapshot
from codelocd.storage.journal import Journal, LoadOutcome
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

    def tell(self, event: str, detail: str | None, config: ConfigDocument | None = None) -> None:
        """Something happened to the daemon itself, or to its `config`."""
        news: StatusNews = {"event": self.journal.write(event, detail=detail), "location": None}
        if config is not None:
            news["config"] = config
        self._hub.publish("status", news)

    def progressed(self, location: Location, progress: ProgressDocument) -> None:
        """A build of the location's environment goes on."""
        step: BuildStep = {"location": location.name, **progress}
        self._hub.publish("builds", step, location.name)
        if progress["phase"] == "replacing":
            self.announce(location, "environment-replaced", location.state, progress["message"])

    # --- definitions ---------------------------------------------------------------------------

    def publish(self, location: Location, running: Running) -> None:
        """List the definitions of a runner that takes over."""
        assert running.snapshot is not None
        running.generation = location.state.generation
        location.snapshot = running.snapshot
        running.timing.published = time.time()
        self._publish(location, running.snapshot, running)
        self._snapshots.keep(location.name, running.snapshot)

    def last(self, location: Location) -> Snapshot | None:
        """What the location listed under an earlier daemon, if that is kept."""
        return self._snapshots.last(location.name)

    def restore(self, location: Location, snapshot: Snapshot) -> None:
        """List what is kept of an earlier daemon."""
        location.snapshot = snapshot
        self._publish(location, snapshot)

    def withdraw(self, location: Location) -> None:
        """The location lists nothing any more."""
        if self._ends:
            return
        location.snapshot = location.changed_at = None
        registry, difference = self.registry.withdraw(location.name)
        self._list(location, registry, difference)

    def forget_definitions(self, name: str) -> None:
        """Delete the kept definitions of a stopped location, so that the next daemon does not list
        them."""
        self._snapshots.forget(name)

    def forget(self, name: str) -> None:
        """The location is no longer in the config."""
        self._snapshots.forget(name)
        self._entries.forget(name)

    def _publish(
        self, location: Location, snapshot: Snapshot, loaded: Running | None = None
    ) -> None:
        registry, difference = self.registry.publish(location.name, snapshot.definitions)
        self._list(location, registry, difference, loaded)

    def _list(
        self,
        location: Location,
        registry: Registry,
        difference: Difference,
        loaded: Running | None = None,
    ) -> None:
        """`loaded`: the runner that has just brought the definitions, where one has."""
        self.registry = registry
        since = location.changed_at
        news: DefinitionsNews = {
            "location": location.name,
            "generation": location.state.generation,
            "revision": registry.revision,
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
        self._hub.publish("definitions", news, location.name)
