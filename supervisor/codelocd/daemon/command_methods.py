"""The methods of `codelocd exec`: how a command runs here as a location does, and to run one on a
node."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from codeloc_envs import Environment, EnvironmentProblem
from codeloc_envs.credentials import NoCredential
from codelocd.daemon import params as take
from codelocd.daemon.actions import Method
from codelocd.daemon.locations import Locations
from codelocd.daemon.params import Params
from codelocd.daemon.placed import PlacedLocations
from codelocd.daemon.runner_specs import RunnerSpecs, read_secrets
from codelocd.model import LocationSpec, Stream
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.runners.engine import WAITING, EngineCommand, EngineRefuses

if TYPE_CHECKING:
    from codelocd.documents.answers import CommandDocument, CommandOutcome, Nothing

MOST_GIVEN = 1024 * 1024
"""Bytes of a command's input in one message."""

TELLS = "exec"
"""The notification that tells of a command: `node` where it has begun, `stream` and `data`."""


class CommandMethods:
    """On a node one command at a time runs for each connection, with which it ends."""

    def __init__(
        self, placed: PlacedLocations | None, locations: Locations, specs: RunnerSpecs
    ) -> None:
        self._specs = specs
        self._placed = placed
        self._locations = locations
        self._running: dict[Peer, EngineCommand] = {}
        self.methods: dict[str, tuple[Method, frozenset[str]]] = {
            "command": (self._command, frozenset({"location"})),
            "exec": (self._exec, frozenset({"location", "words", "outside"})),
            "exec_input": (self._input, frozenset({"data", "last"})),
            "exec_signal": (self._signal, frozenset({"number"})),
        }

    async def _command(self, _peer: Peer, params: Params) -> CommandDocument:
        location = self._locations.supervised(take.text(params, "location"))
        if not location.spec.placement.is_local:
            return placed_command(location.spec)
        if location.environment is None:
            state = location.state.shown
            what = f"the environment of {location.name!r} is not ready: {state}"
            raise RpcError("down", f"{what}; `codelocd show {location.name}` says why")
        environment, chosen = location.environment, location.choice
        given = await _given(self._specs, location.spec, environment)
        return {
            "executable": str(environment.executable),
            "prefix": str(environment.path) if environment.path else None,
            "specification": chosen.specification.to_json() if chosen else None,
            "declared_in": location.spec.declared_in,
            "user": location.spec.user,
            "group": location.spec.group,
            "environment": given,
            "working_directory": str(location.spec.working_directory),
            "placed": False,
        }

    async def _exec(self, peer: Peer, params: Params) -> CommandOutcome:
        location = self._locations.supervised(take.text(params, "location"))
        words = take.texts(params, "words")
        outside = take.flag(params, "outside", default=False)
        if not words:
            raise RpcError("usage", "words is missing: the command and what it is told")
        if self._placed is None or location.spec.placement.is_local:
            what = f"{location.name!r} runs on the daemon's machine"
            raise RpcError("usage", f"{what}: `command` says how, and the client runs it")
        if peer in self._running:
            raise RpcError("busy", "this connection runs a command already; open another")
        if location.choice is None:
            what = f"no environment was chosen for {location.name!r} yet: {location.state.shown}"
            raise RpcError("down", f"{what}; `codelocd show {location.name}` says why")

        def output(stream: Stream, data: bytes) -> None:
            if data:
                peer.notify(TELLS, {"stream": stream, "data": data})

        try:
            secrets = await asyncio.to_thread(read_secrets, location.spec, os.environ)
            command, ends = self._placed.command(
                location, secrets, words, output, outside=outside, drained=peer.when_drained
            )
            self._running[peer] = command
            command.began.add_done_callback(lambda began: _tell_node(peer, began))
            end = await ends
        except NoCredential as problem:
            raise RpcError("down", str(problem)) from None
        except EnvironmentProblem as problem:
            raise RpcError("down", f"{location.name}: {problem.summary}") from None
        except EngineRefuses as refusal:
            what = refusal.problem.summary.removeprefix(f"{WAITING}: ")
            raise RpcError("busy" if refusal.passing else "usage", what) from None
        finally:
            self._running.pop(peer, None)
        return {"status": end.status, "signal": end.signal, "why": end.why}

    async def _input(self, peer: Peer, params: Params) -> Nothing:
        """Answered when the command's pipe has taken it: so what is given waits for its reader."""
        data = params.get("data", b"")
        if not isinstance(data, bytes) or len(data) > MOST_GIVEN:
            raise RpcError("usage", f"data must be bytes, {MOST_GIVEN} at most")
        command = self._of(peer)
        await command.give(data, last=take.flag(params, "last", default=False))
        return {}

    async def _signal(self, peer: Peer, params: Params) -> Nothing:
        number = take.number(params, "number")
        if number not in signal.valid_signals():
            raise RpcError("usage", f"there is no signal {number}")
        self._of(peer).signal(number)
        return {}

    def _of(self, peer: Peer) -> EngineCommand:
        command = self._running.get(peer)
        if command is None or not command.began.done():
            raise RpcError("down", "no command runs for this connection")
        return command


def _tell_node(peer: Peer, began: asyncio.Future[str]) -> None:
    if not began.cancelled():
        peer.notify(TELLS, {"node": began.result()})


def placed_command(spec: LocationSpec) -> CommandDocument:
    """The answer to `command` of a location that runs on nodes: what it asks for is there."""
    return {
        "executable": "",
        "prefix": None,
        "specification": None,
        "declared_in": spec.declared_in,
        "user": None,
        "group": None,
        "environment": {},
        "working_directory": str(spec.working_directory),
        "placed": True,
    }


async def _given(
    specs: RunnerSpecs, spec: LocationSpec, environment: Environment
) -> dict[str, str]:
    """The variables of a command in a location. Raises RpcError."""
    try:
        return await asyncio.to_thread(specs.command_variables, spec, environment)
    except NoCredential as problem:
        raise RpcError("down", str(problem)) from None
