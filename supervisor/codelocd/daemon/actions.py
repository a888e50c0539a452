"""The methods of the control socket that change what runs, or ask a runner."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from codelocd.core import problems, shapes
from codelocd.core.nearest import advice
from codelocd.daemon import params as take
from codelocd.daemon.location import Location
from codelocd.daemon.loop import CLIENT, Daemon
from codelocd.daemon.params import Params
from codelocd.model import Phase
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.runners.api import CALL_TIMEOUT, RunnerHandle

if TYPE_CHECKING:
    from codelocd.documents.answers import ActionOutcome, ActionOutcomes, CallResult

CALLABLE = ("hello", "ping", "snapshot", "describe", "stacks")
"""Methods of a runner that every client may call: none of them changes what runs."""
NEARLY = 0.9
"""The part of a time limit after which it counts as used up. The client measures the same limit by
its own clock."""
Method = Callable[[Peer, Params], Awaitable[Any]]


class Actions:
    """The orders of clients. Each is carried out for the locations that the request names."""

    def __init__(self, daemon: Daemon) -> None:
        self._locations = daemon.locations
        self.by_name: dict[str, Method] = {
            "start": self._action(daemon.start, _is_up, self._addressed),
            "stop": self._action(daemon.stop, _is_down, self._addressed, stops=True),
            "restart": self._action(daemon.restart, _is_up, self._addressed),
            "reload": self._action(daemon.reload, _is_fresh, self._addressed_and_wanted),
        }

    def _action(
        self,
        act: Callable[[Location, str], None],
        succeeded: Callable[[Location], bool],
        addressed: Callable[[Params], list[Location]],
        *,
        stops: bool = False,
    ) -> Method:
        """`stops`: the order is done once every process of the location has ended, even if another
        order starts new ones."""

        async def carried_out(_peer: Peer, params: Params) -> ActionOutcomes:
            wait, timeout = take.flag(params, "wait", default=True), take.seconds(params, "timeout")
            began, by = time.time(), asker(params)
            locations = [(each, each.stops if stops else None) for each in addressed(params)]
            for location, _ in locations:
                act(location, by)
            if wait:
                await self._outcomes(locations, timeout)
            return {
                "locations": [
                    _was_stopped(each, began)
                    if before is not None and each.stops > before
                    else _outcome(each, began, not wait or succeeded(each), stops)
                    for each, before in locations
                ]
            }

        return carried_out

    async def _outcomes(
        self, locations: list[tuple[Location, int | None]], timeout: float | None
    ) -> None:
        settled = asyncio.gather(*(each.settled_or_stopped(stops) for each, stops in locations))
        try:
            async with asyncio.timeout(timeout):
                await settled
        except TimeoutError:
            waiting = [each.name for each, _ in locations if not each.state.settled]
            message = f"no outcome within {timeout:g} s: {', '.join(waiting)}"
            raise RpcError("timeout", message) from None

    def _addressed(self, params: Params) -> list[Location]:
        names = take.texts(params, "locations") or []
        if take.flag(params, "all", default=False) == bool(names):
            raise RpcError("usage", "name locations, or say all")
        if not names:
            return list(self._locations.values())
        return [self._locations.supervised(name) for name in dict.fromkeys(names)]

    def _addressed_and_wanted(self, params: Params) -> list[Location]:
        """A stopped location that the request names is a mistake. Where the request means all, it
        stays stopped."""
        locations = self._addressed(params)
        stopped = [each.name for each in locations if not each.state.wanted]
        if stopped and take.texts(params, "locations"):
            raise RpcError("usage", f"stopped, so `start` first: {', '.join(stopped)}")
        return [each for each in locations if each.state.wanted]

    async def call(self, _peer: Peer, params: Params) -> CallResult:
        """Ask the runner that serves a location."""
        location = self._locations.supervised(take.text(params, "location"))
        method, given = take.text(params, "method"), take.mapping(params, "params")
        timeout = take.seconds(params, "timeout")
        _refuse_what_is_not_asking(location.name, method)
        running = location.serving
        if running is None:
            raise RpcError("down", f"no runner serves {location.name!r}: {location.state.shown}")
        patience = CALL_TIMEOUT if timeout is None else timeout
        if method == "snapshot":
            result = await _whole_snapshot(running.handle, given, patience)
        else:
            result = await running.handle.call(method, given, patience)
        return {"result": result, "generation": running.generation}


async def _whole_snapshot(handle: RunnerHandle, given: Params, patience: float) -> Any:
    """As a runner would send it in one piece, which may be too large for one message to us."""
    try:
        said = await handle.call("snapshot", {**given, "lists": True}, patience)
    except RpcError as failure:
        if failure.kind != "usage" or "lists" in given:
            raise
        return await handle.call("snapshot", given, patience)  # one of an earlier release
    lists = said.get("definitions") if isinstance(said, dict) else None
    if given.get("lists") or not isinstance(lists, list):
        return said
    if not all(isinstance(each, bytes) for each in (said["body"], *lists)):
        raise RpcError("protocol", "the runner sent no snapshot")
    del said["definitions"]
    return {**said, "body": await asyncio.to_thread(shapes.joined, said["body"], lists)}


ASKER = re.compile(r"[a-z][a-z0-9._-]{0,31}")


def asker(params: Params) -> str:
    """The word by which the client calls itself in the journal. Raises RpcError."""
    by = take.optional_text(params, "by")
    if by is not None and not ASKER.fullmatch(by):
        raise RpcError("usage", "by must be one word of at most 32 small letters, digits and `._-`")
    return by or CLIENT


def _refuse_what_is_not_asking(location: str, method: str) -> None:
    """Refuse to end a runner by a call: the daemon would take its end for a crash and start
    another."""
    if method == "stop":
        what = f"call only asks; `codelocd stop {location}` (method stop) stops a location"
        raise RpcError("usage", what)
    if method not in CALLABLE:
        raise RpcError("unknown", f"no method {method!r} to call; {advice(method, CALLABLE)}")


def _is_up(location: Location) -> bool:
    return location.state.serving is not None


def _is_down(location: Location) -> bool:
    return location.state.phase is Phase.STOPPED


def _is_fresh(location: Location) -> bool:
    return location.state.serving is not None and not location.state.stale


def _was_stopped(location: Location, began: float) -> ActionOutcome:
    """The outcome of this order, even if another one has begun since."""
    return {
        "name": location.name,
        "ok": True,
        "superseded": None,
        "state": "stopped",
        "problem": None,
        "note": _note(location, began),
    }


def _outcome(location: Location, began: float, ok: bool, stops: bool) -> ActionOutcome:
    """`superseded`: the order was not carried out, because a later request stopped the location."""
    return {
        "name": location.name,
        "ok": ok,
        "superseded": "stop" if not ok and not stops and not location.state.wanted else None,
        "state": location.state.shown,
        "problem": problems.as_json(location.state.problem, location.name),
        "note": _note(location, began),
    }


def _note(location: Location, began: float) -> str | None:
    """Says that its runner had to be killed since then, so its exit handlers may not have run. A
    candidate is always killed at once and is not mentioned: it had not served."""
    last = location.state.last_exit
    if last is None or not last.asked or last.ended.at < began:
        return None
    if last.ended.exit.signal != signal.SIGKILL:
        return None
    limit = location.spec.policy.stop_timeout
    if last.ended.at - began < NEARLY * limit:
        return None
    return f"its runner did not leave within stop_timeout = {limit:g} s, and was killed"
