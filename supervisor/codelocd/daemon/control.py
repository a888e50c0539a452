"""The methods of the control socket."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from codelocd import __version__
from codelocd.core import problems, registry
from codelocd.core.nearest import advice
from codelocd.daemon import params as take
from codelocd.daemon import status
from codelocd.daemon.location import Location
from codelocd.daemon.loop import Daemon
from codelocd.daemon.params import Params
from codelocd.daemon.runners import RunnerSpecs
from codelocd.daemon.subscriptions import Hub
from codelocd.model import Phase
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import Limits
from codelocd.runners.api import CALL_TIMEOUT
from codelocd.storage.logs import Logs

PROTOCOL = 1
CALLABLE = ("hello", "ping", "snapshot", "describe", "stacks")
"""Methods of a runner that anybody may call: none of them changes what runs."""
Method = Callable[[Peer, Params], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this daemon is: `instance` is random per start, `began` is monotonic."""

    instance: str
    socket: str
    began: float


class Control:
    """Answers requests; `shutdown` and `apply` are the service's own."""

    def __init__(
        self,
        daemon: Daemon,
        identity: Identity,
        *,
        logs: Logs,
        runner_specs: RunnerSpecs,
        hub: Hub,
        environments: Callable[[], Awaitable[list[dict[str, Any]]]],
        apply: Callable[[bool], dict[str, Any]],
        shutdown: Callable[[], None],
        dagster: Callable[[], dict[str, Any]],
        config: Callable[[], dict[str, Any]],
    ) -> None:
        self._daemon = daemon
        self._identity = identity
        self._logs = logs
        self._runner_specs = runner_specs
        self._hub = hub
        self._environments = environments
        self._apply = apply
        self._shutdown = shutdown
        self._dagster = dagster
        self._config = config
        self._methods: dict[str, tuple[Method, frozenset[str]]] = {
            "hello": (self._hello, frozenset()),
            "status": (self._status, frozenset({"locations"})),
            "definitions": (self._definitions, frozenset({"locations", "kind"})),
            "show": (self._show, frozenset({"location", "name", "kind", "repository"})),
            "start": (self._order(daemon.start, _is_up, self._addressed), _ORDER),
            "stop": (self._order(daemon.stop, _is_down, self._addressed), _ORDER),
            "restart": (self._order(daemon.restart, _is_up, self._addressed), _ORDER),
            "reload": (
                self._order(daemon.reload, _is_fresh, self._addressed_and_wanted),
                _ORDER,
            ),
            "call": (self._call, frozenset({"location", "method", "params", "timeout"})),
            "command": (self._command, frozenset({"location"})),
            "logs": (self._last_lines, frozenset({"locations", "lines"})),
            "events": (self._events, frozenset({"locations", "lines"})),
            "subscribe": (self._subscribe, frozenset({"topics", "since"})),
            "unsubscribe": (self._unsubscribe, frozenset({"subscription"})),
            "environments": (self._list_environments, frozenset()),
            "apply": (self._apply_config, frozenset({"dry_run"})),
            "shutdown": (self._shut_down, frozenset()),
        }

    async def handle(self, peer: Peer, method: str, params: Params) -> Any:
        """Answer one request. Raises RpcError."""
        if method not in self._methods:
            raise RpcError("unknown", f"there is no method {method!r}")
        answer, known = self._methods[method]
        if unknown := sorted(set(params) - known):
            raise RpcError("usage", f"{method} does not take {', '.join(unknown)}")
        return await answer(peer, params)

    def status(self, locations: Iterable[str] | None = None) -> dict[str, Any]:
        """The `status --json` document."""
        daemon, identity = self._daemon, self._identity
        names = sorted({*daemon.locations, *daemon.external}) if locations is None else locations
        return {
            "daemon": {
                "pid": os.getpid(),
                "version": __version__,
                "uptime": time.monotonic() - identity.began,
                "instance": identity.instance,
                "revision": daemon.registry.revision,
                "socket": identity.socket,
                "dagster": self._dagster() or None,
                "config": self._config(),
            },
            "locations": [self._entry(name) for name in names],
        }

    def full_state(self, topic: str) -> dict[str, Any]:
        """What a subscriber of `topic` starts from, or catches up with."""
        if topic == "status":
            return self.status()
        if topic == "definitions":
            return status.definitions(self._daemon.registry, None, None)
        return {}

    # --- asking --------------------------------------------------------------------------------

    async def _hello(self, _peer: Peer, _params: Params) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "version": __version__,
            "instance": self._identity.instance,
            "pid": os.getpid(),
            "methods": sorted(self._methods),
            "limits": asdict(Limits()),
        }

    async def _status(self, _peer: Peer, params: Params) -> dict[str, Any]:
        names = self._names(take.texts(params, "locations"))
        await self._sample(self._daemon.locations if names is None else names)
        return self.status(names)

    async def _sample(self, names: Iterable[str]) -> None:
        daemon = self._daemon
        serving = [daemon.locations[name].serving for name in names if name in daemon.locations]
        await daemon.usage.sample([each.handle.pid for each in serving if each is not None])

    async def _definitions(self, _peer: Peer, params: Params) -> dict[str, Any]:
        kind = take.choice(params, "kind", registry.KINDS)
        names = self._names(take.texts(params, "locations"))
        return status.definitions(self._daemon.registry, names, kind)

    async def _show(self, _peer: Peer, params: Params) -> dict[str, Any]:
        name, inner = take.text(params, "location"), take.optional_text(params, "name")
        if name not in self._daemon.locations and name not in self._daemon.external:
            status.refuse_definition(self._daemon.registry, name, inner)
        if inner is not None:
            return self._one_definition(name, inner, params)
        if name in self._daemon.external:
            return {**status.shown_external(self._daemon.external[name]), "config": self._config()}
        location = self._location(name)
        await self._sample([name])
        lines = self._lines([name], status.LAST_LINES)
        daemon = self._daemon
        sources = daemon.watched_files(location)
        shown = status.shown(location, daemon.registry, daemon.usage, sources, lines)
        return {**shown, "config": self._config()}

    def _one_definition(self, location: str, name: str, params: Params) -> dict[str, Any]:
        self._names([location])
        kind = take.choice(params, "kind", registry.KINDS)
        repository = take.optional_text(params, "repository")
        return status.definition(self._daemon.registry, location, name, kind, repository)

    async def _last_lines(self, _peer: Peer, params: Params) -> dict[str, Any]:
        names = self._names(take.texts(params, "locations"))
        count = take.number(params, "lines", 100)
        return {"lines": self._lines(names or sorted(self._daemon.locations), count)}

    def _lines(self, names: list[str], count: int) -> list[dict[str, Any]]:
        return [line.document() for line in self._logs.lines(names, count)]

    async def _events(self, _peer: Peer, params: Params) -> dict[str, Any]:
        names = take.texts(params, "locations")
        for name in names or ():
            if not self._daemon.journal.last(1, [name]):  # one that is gone may have a past
                self._names([name])
        entries = self._daemon.journal.last(take.number(params, "lines", 100), names)
        return {"events": [entry.as_json() for entry in entries]}

    async def _list_environments(self, _peer: Peer, _params: Params) -> list[dict[str, Any]]:
        return await self._environments()

    async def _command(self, _peer: Peer, params: Params) -> dict[str, Any]:
        location = self._location(take.text(params, "location"))
        if location.environment is None:
            state = location.state.shown
            what = f"the environment of {location.name!r} is not ready: {state}"
            raise RpcError("down", f"{what}; `codelocd show {location.name}` says why")
        environment, chosen = location.environment, location.choice
        return {
            "executable": str(environment.executable),
            "prefix": str(environment.path) if environment.path else None,
            "specification": chosen.specification.to_json() if chosen else None,
            "declared_in": location.spec.declared_in,
            "environment": self._runner_specs.command_variables(location, environment),
            "working_directory": str(location.spec.working_directory),
        }

    # --- ordering ------------------------------------------------------------------------------

    def _order(
        self,
        act: Callable[[Location], None],
        succeeded: Callable[[Location], bool],
        addressed: Callable[[Params], list[Location]],
    ) -> Method:
        async def order(_peer: Peer, params: Params) -> dict[str, Any]:
            wait, timeout = take.flag(params, "wait", default=True), take.seconds(params, "timeout")
            locations = addressed(params)
            for location in locations:
                act(location)
            if wait:
                await self._outcomes(locations, timeout)
            outcomes = [_outcome(each, ok=not wait or succeeded(each)) for each in locations]
            return {"locations": outcomes}

        return order

    async def _outcomes(self, locations: list[Location], timeout: float | None) -> None:
        settled = asyncio.gather(*(self._daemon.settled(location) for location in locations))
        try:
            await asyncio.wait_for(settled, timeout)
        except TimeoutError:
            waiting = [each.name for each in locations if not each.state.settled]
            message = f"no outcome within {timeout:g} s: {', '.join(waiting)}"
            raise RpcError("timeout", message) from None

    def _addressed(self, params: Params) -> list[Location]:
        names = take.texts(params, "locations") or []
        if take.flag(params, "all", default=False) == bool(names):
            raise RpcError("usage", "name locations, or say all")
        if not names:
            return list(self._daemon.locations.values())
        return [self._location(name) for name in names]

    def _addressed_and_wanted(self, params: Params) -> list[Location]:
        """A stopped one among the names is a mistake, among all it is left as it is."""
        locations = self._addressed(params)
        stopped = [each.name for each in locations if not each.state.wanted]
        if stopped and take.texts(params, "locations"):
            raise RpcError("usage", f"stopped, so `start` first: {', '.join(stopped)}")
        return [each for each in locations if each.state.wanted]

    async def _call(self, _peer: Peer, params: Params) -> dict[str, Any]:
        location = self._location(take.text(params, "location"))
        method, given = take.text(params, "method"), take.mapping(params, "params")
        timeout = take.seconds(params, "timeout")
        _refuse_what_is_not_asking(location.name, method)
        running = location.serving
        if running is None:
            raise RpcError("down", f"no runner serves {location.name!r}: {location.state.shown}")
        patience = CALL_TIMEOUT if timeout is None else timeout
        result = await running.handle.call(method, given, patience)
        return {"result": result, "generation": running.generation}

    async def _apply_config(self, _peer: Peer, params: Params) -> dict[str, Any]:
        return self._apply(take.flag(params, "dry_run", default=False))

    async def _shut_down(self, _peer: Peer, _params: Params) -> dict[str, Any]:
        asyncio.get_running_loop().call_soon(self._shutdown)
        return {}

    # --- subscribing ---------------------------------------------------------------------------

    async def _subscribe(self, peer: Peer, params: Params) -> dict[str, Any]:
        return self._hub.subscribe(peer, params.get("topics", ()), params.get("since"))

    async def _unsubscribe(self, peer: Peer, params: Params) -> dict[str, Any]:
        return self._hub.unsubscribe(peer, take.number(params, "subscription"))

    # --- names ---------------------------------------------------------------------------------

    def _entry(self, name: str) -> dict[str, Any]:
        daemon = self._daemon
        if name in daemon.external:
            return status.external(daemon.external[name])
        return status.measured(self._location(name), daemon.registry, daemon.usage)

    def _names(self, names: Iterable[str] | None) -> list[str] | None:
        """The names as asked for, each of which exists."""
        if names is None:
            return None
        chosen = list(names)
        for name in chosen:
            if name not in self._daemon.external:
                self._location(name)
        return chosen

    def _location(self, name: str) -> Location:
        """One that is supervised here."""
        daemon = self._daemon
        if name in daemon.external:
            raise RpcError("usage", f"location {name!r} is a code server of its own: ask that one")
        location = daemon.locations.get(name)
        if location is None:
            known = advice(name, sorted({*daemon.locations, *daemon.external}))
            raise RpcError("unknown", f"there is no location {name!r}; {known}")
        return location


def _refuse_what_is_not_asking(location: str, method: str) -> None:
    """Only the daemon ends a runner: to one that ended otherwise it would start another."""
    if method == "stop":
        what = f"call only asks; `codelocd stop {location}` (method stop) stops a location"
        raise RpcError("usage", what)
    if method not in CALLABLE:
        raise RpcError("unknown", f"no method {method!r} to call; {advice(method, CALLABLE)}")


_ORDER = frozenset({"locations", "all", "wait", "timeout"})


def _is_up(location: Location) -> bool:
    return location.state.serving is not None


def _is_down(location: Location) -> bool:
    return location.state.phase is Phase.STOPPED


def _is_fresh(location: Location) -> bool:
    return location.state.serving is not None and not location.state.stale


def _outcome(location: Location, *, ok: bool) -> dict[str, Any]:
    return {
        "name": location.name,
        "ok": ok,
        "state": location.state.shown,
        "problem": problems.as_json(location.state.problem, location.name),
    }
