"""The methods of the control socket."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from codelocd import __version__
from codelocd.core import registry
from codelocd.daemon import history, status
from codelocd.daemon import params as take
from codelocd.daemon.actions import Actions, Method
from codelocd.daemon.application import Application
from codelocd.daemon.command_methods import CommandMethods
from codelocd.daemon.config_watch import ConfigWatch
from codelocd.daemon.deploys import Deploys
from codelocd.daemon.engine_methods import EngineMethods
from codelocd.daemon.environments import Environments
from codelocd.daemon.listing import Listings
from codelocd.daemon.params import Params
from codelocd.daemon.runs.methods import RunMethods
from codelocd.daemon.subscriptions import State
from codelocd.rpc.errors import RpcError
from codelocd.rpc.packed import Packed
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import HEARD, cut
from codelocd.runners import stacks

if TYPE_CHECKING:
    from codelocd.documents.answers import (
        AppliedConfig,
        EventsDocument,
        Hello,
        LimitsDocument,
        LogsDocument,
        Nothing,
        StacksDocument,
        Subscribed,
    )
    from codelocd.documents.definitions import DefinitionsDocument, Listed, ShownAsset
    from codelocd.documents.locations import LocationStatus, ShownLocation, StatusDocument

    Shown: TypeAlias = ShownLocation | Listed | ShownAsset | Packed

PROTOCOL = 1

SCHEMA = 1
"""The version of `status --json`. It grows when a key is removed or changes its meaning."""


LIMITS: LimitsDocument = {
    "message_bytes": HEARD.message_bytes,
    "in_flight": HEARD.in_flight,
    "depth": HEARD.depth,
    "elements": HEARD.elements,
    "heard_elements": HEARD.heard_elements,
    "heard_text": HEARD.heard_text,
}

SHOWN = 5
"""Wrong parameters that an error names."""

LARGE_ANSWERS = frozenset(
    {"definitions", "show", "logs", "events", "runs", "run_logs", "schedules"}
)
"""Methods of which a connection has one answer at a time made, when it has taken the one before."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this daemon is: `instance` is random per start, `began` is monotonic."""

    instance: str
    socket: str
    began: float


class Control:
    """`shutdown` begins the end of the daemon, `upgrade` that of its code: RpcError where not."""

    def __init__(
        self,
        application: Application,
        config: ConfigWatch,
        identity: Identity,
        shutdown: Callable[[str], None],
        upgrade: Callable[[], Awaitable[None]],
    ) -> None:
        self._application = application
        self._locations = application.locations
        self._config = config
        self._identity = identity
        self._shutdown = shutdown
        self._upgrade = upgrade
        self._actions = Actions(application.daemon)
        self._listings = Listings()
        self.methods: dict[str, tuple[Method, frozenset[str]]] = {
            "hello": (self._hello, frozenset()),
            "status": (self._status, frozenset({"locations"})),
            "definitions": (self._definitions, frozenset({"locations", "kind"})),
            "show": (self._show, frozenset({"location", "name", "kind", "repository"})),
            "stacks": (self._stacks, frozenset({"location", "warm"})),
            "call": (self._actions.call, frozenset({"location", "method", "params", "timeout"})),
            "logs": (self._last_lines, history.LOG_PARAMS),
            "events": (self._events, history.EVENT_PARAMS),
            "subscribe": (self._subscribe, frozenset({"topics", "since", "blocks", "locations"})),
            "unsubscribe": (self._unsubscribe, frozenset({"subscription"})),
            **Environments(application.store, application.locations).methods,
            **Deploys(application.releases, application.daemon, application.publisher).methods,
            **EngineMethods(application.placed, application.daemon).methods,
            **RunMethods(application.runs, application.locations).methods,
            **CommandMethods(
                application.placed, application.locations, application.runner_specs
            ).methods,
            "apply": (self._apply, frozenset({"dry_run"})),
            "shutdown": (self._shut_down, frozenset({"by"})),
            "upgrade": (self._upgrade_daemon, frozenset()),
        }
        for name, action in self._actions.by_name.items():
            self.methods[name] = (action, frozenset({"locations", "all", "wait", "timeout", "by"}))

    async def handle(self, peer: Peer, method: str, params: Params) -> Any:
        """Answer one request. Raises RpcError."""
        if method not in self.methods:
            raise RpcError("unknown", f"there is no method {method!r}")
        answer, known = self.methods[method]
        if unknown := [cut(name) for name in params if name not in known]:
            raise RpcError("usage", f"{method} does not take {', '.join(unknown[:SHOWN])}")
        if method in LARGE_ANSWERS:
            return await _in_turn(peer, partial(answer, peer, params))
        return await answer(peer, params)

    def names(self) -> list[str]:
        """All locations that there are."""
        return self._locations.names()

    def status(self, locations: Iterable[str] | None = None) -> StatusDocument:
        """The `status --json` document."""
        identity, application = self._identity, self._application
        dagster, placed = application.dagster, application.placed
        names = self.names() if locations is None else locations
        return {
            "schema": SCHEMA,
            "daemon": {
                "pid": os.getpid(),
                "at": time.time(),
                "answers": True,
                "version": __version__,
                "uptime": time.monotonic() - identity.began,
                "instance": identity.instance,
                "revision": self._registry.revision,
                "socket": identity.socket,
                "dagster": dagster.about() if dagster is not None else None,
                "engine": placed.about() if placed is not None else None,
                "config": self._config.state.as_json(),
                "events": application.publisher.journal.last_number,
                "dropped": application.logs.dropped,
                "warnings": application.warnings.lines(),
                "ending": application.publisher.ending,
            },
            "locations": [self._entry(name) for name in names],
        }

    def full_state(self, topic: str, names: Collection[str] | None = None) -> State:
        """What a subscriber of `topic` starts from or catches up with; of these, or of all."""
        if topic == "status":
            there = self.names()
            return self.status(None if names is None else [n for n in names if n in there])
        if topic == "definitions":
            return self._listings.whole(self._registry, names)
        if topic == "runs":
            return self._application.runs.full_state(names)
        return self._application.usage.last() if topic == "usage" else {}

    # --- asking --------------------------------------------------------------------------------

    async def _hello(self, _peer: Peer, _params: Params) -> Hello:
        return {
            "protocol": PROTOCOL,
            "version": __version__,
            "instance": self._identity.instance,
            "pid": os.getpid(),
            "methods": sorted(self.methods),
            "limits": LIMITS,
        }

    async def _status(self, _peer: Peer, params: Params) -> StatusDocument:
        names = self._locations.known(take.texts(params, "locations"))
        await self._sample(self._locations if names is None else names)
        return self.status(names)

    async def _sample(self, names: Iterable[str]) -> None:
        runners = self._locations.runners()
        serving = [its for name in names if (its := runners.get(name)) is not None]
        await self._application.daemon.usage.sample_runners(serving)

    async def _definitions(self, _peer: Peer, params: Params) -> DefinitionsDocument | Packed:
        kind = take.choice(params, "kind", registry.KINDS)
        names = self._locations.known(take.texts(params, "locations"))
        packed = await self._listings.packed(self._registry, names, kind)
        return packed or status.definitions(self._registry, names, kind)

    async def _show(self, _peer: Peer, params: Params) -> Shown:
        name, inner = take.text(params, "location"), take.optional_text(params, "name")
        listed = self._registry
        if name not in self._locations and name not in self._locations.external:
            refuse = partial(status.refuse_definition, listed, name, inner)
            await self._listings.searched(listed, refuse)
        if inner is not None:
            return await self._one_definition(name, inner, params)
        config = self._config.state.as_json()
        if name in self._locations.external:
            return status.shown_external(self._locations.external[name], config)
        location = self._locations.supervised(name)
        await self._sample([name])
        lines = await history.last_lines(self._application.logs, name, status.LAST_LINES)
        daemon = self._application.daemon
        sources, apart = daemon.watched_files(location), daemon.watched_apart(location)
        found = status.shown(location, listed, daemon.usage, sources, apart, lines, config)
        return await self._listings.encoded(found) if listed.is_large([name]) else found

    async def _stacks(self, _peer: Peer, params: Params) -> StacksDocument:
        """The stacks of the runner that serves, or else of the newest; on request also those of a
        warm interpreter."""
        location = self._locations.supervised(take.text(params, "location"))
        running = location.serving or next(reversed(location.runners.values()), None)
        if running is None:
            raise RpcError("down", f"{location.name!r} has no runner: {location.state.shown}")
        found = await stacks.of_runner(running.handle, running.order.output, ask=True)
        warm = None
        if take.flag(params, "warm", default=False):
            warm = await self._application.warm_stacks(location.name)
        return {"location": location.name, **found.as_json(running.handle.pid), "warm": warm}

    async def _one_definition(self, location: str, name: str, params: Params) -> Shown:
        self._locations.known([location])
        kind = take.choice(params, "kind", registry.KINDS)
        repository = take.optional_text(params, "repository")
        listed = self._registry
        find = partial(status.definition, listed, location, name, kind, repository)
        return await self._application.runs.with_last_made(self._listings.searched(listed, find))

    async def _last_lines(self, _peer: Peer, params: Params) -> LogsDocument:
        names = self._locations.known(take.texts(params, "locations"))
        return await history.logs(self._application.logs, names or sorted(self._locations), params)

    async def _events(self, _peer: Peer, params: Params) -> EventsDocument:
        journal = self._application.publisher.journal
        names = take.texts(params, "locations")
        for name in names or ():
            if not journal.last(1, [name]):  # one that is gone may have a past
                self._locations.known([name])
        return await history.events(journal, names, params)

    # --- the daemon itself ---------------------------------------------------------------------

    async def _apply(self, _peer: Peer, params: Params) -> AppliedConfig:
        """A config that is broken changes nothing."""
        dry_run = take.flag(params, "dry_run", default=False)
        if not self._config.has_files:
            raise RpcError("usage", "this daemon has no config file")
        config = await self._config.read_apart()
        if config is None:
            problem = self._config.state.problem or ""
            raise RpcError("usage", problem, {"problems": problem.splitlines()})
        await self._application.changes.done()
        if dry_run:
            change = self._application.apply(config, dry_run=True)
        else:
            change = self._config.take(config)
        return {**change.as_json(), "pending": self._config.pending(config)}

    async def _shut_down(self, _peer: Peer, params: Params) -> Nothing:
        by = take.optional_text(params, "by") or "client"
        asyncio.get_running_loop().call_soon(self._shutdown, by)
        return {}

    async def _upgrade_daemon(self, _peer: Peer, _params: Params) -> Nothing:
        await self._upgrade()
        return {}

    # --- subscribing ---------------------------------------------------------------------------

    async def _subscribe(self, peer: Peer, params: Params) -> Subscribed:
        topics = params.get("topics", ())
        names = self._locations.known(take.texts(params, "locations"))
        if isinstance(topics, list) and "definitions" in topics and names is None:
            await self._listings.packed(self._registry)
        return self._application.hub.subscribe(
            peer,
            topics,
            params.get("since"),
            self.full_state if names is None else partial(self.full_state, names=names),
            blocks=take.flag(params, "blocks", default=False),
            locations=names,
        )

    async def _unsubscribe(self, peer: Peer, params: Params) -> Nothing:
        return self._application.hub.unsubscribe(peer, take.number(params, "subscription"))

    def _entry(self, name: str) -> LocationStatus:
        if name in self._locations.external:
            return status.external(self._locations.external[name])
        location, daemon = self._locations.supervised(name), self._application.daemon
        return status.measured(location, self._registry, daemon.usage)

    @property
    def _registry(self) -> registry.Registry:
        return self._application.publisher.registry


async def _in_turn(peer: Peer, answer: Callable[[], Awaitable[Any]]) -> Any:
    """The one before is sent by the time that another has its turn."""
    async with peer.turn:
        await peer.ready()
        return await answer()
