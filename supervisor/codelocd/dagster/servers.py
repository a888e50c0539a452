"""How code servers start: in the way that the runners of their location do."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codelocd.dagster.code_server import MODULES, CodeServer, ServerOutput, arguments
from codelocd.dagster.instance import Instance
from codelocd.dagster.workspace import Sockets
from codelocd.model import Cold, Output, Stream
from codelocd.process.child import Child, Children
from codelocd.runners.api import Launcher, Program, RunnerSpec
from codelocd.runners.warm.interpreter import Refused, installed
from codelocd.runners.warm.method import MethodChoice

SCRIPT = Path(__file__).with_name("spare_process.py")
QUIET = 1.0
"""Seconds after a start before the next spare is made: never in the way of what is loading."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What spares must have in common with the server that one of them becomes."""

    executable: Path
    variables: tuple[tuple[str, str], ...]
    installed: int


class Spares:
    """`quiet`: seconds after a start before the next spare is made."""

    def __init__(self, children: Children, quiet: float = QUIET) -> None:
        self._children = children
        self._quiet = quiet
        self._kinds: dict[str, _Kind] = {}
        self._waiting: dict[_Kind, _Spare] = {}
        self._alarms: dict[_Kind, asyncio.TimerHandle] = {}

    def become(self, program: Program) -> Child | None:
        """A process that waited and now is this program, None if there is none; the next is made
        in a while."""
        kind = _kind(program.beside.executable, program.environ)
        self._kinds[program.beside.location] = kind
        self._tidy()
        self._make_later(kind)
        spare = self._waiting.pop(kind, None)
        return spare.become(program) if spare is not None else None

    def forget(self, location: str) -> None:
        self._kinds.pop(location, None)
        self._tidy()

    def close(self) -> None:
        self._kinds.clear()
        self._tidy()

    def _make_later(self, kind: _Kind) -> None:
        if kind in self._alarms:
            self._alarms[kind].cancel()
        loop = asyncio.get_running_loop()
        self._alarms[kind] = loop.call_later(self._quiet, self._make, kind)

    def _make(self, kind: _Kind) -> None:
        del self._alarms[kind]
        former = self._waiting.get(kind)
        if former is not None and not former.child.exited.done():
            return
        if former is not None:
            self._waiting.pop(kind).close()
        try:
            self._waiting[kind] = _Spare(self._children, kind)
        except OSError:
            return  # there is no spare then: the next server starts without one

    def _tidy(self) -> None:
        """End the spares that no location is of the kind of any more."""
        used = set(self._kinds.values())
        for kind in [kind for kind in self._waiting if kind not in used]:
            self._waiting.pop(kind).close()
        for kind in [kind for kind in self._alarms if kind not in used]:
            self._alarms.pop(kind).cancel()


class _Spare:
    """One process, and the pipe that its order comes through."""

    def __init__(self, children: Children, kind: _Kind) -> None:
        self._output: Output = _unheard
        reading, self._pipe = os.pipe()
        try:
            self.child = children.start(
                [str(kind.executable), str(SCRIPT), "dagster", *MODULES],
                variables=dict(kind.variables),
                directory=Path("/"),
                output=lambda stream, data: self._output(stream, data),
                stdin=reading,
            )
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(reading)

    def become(self, program: Program) -> Child | None:
        """None when it has ended."""
        self._output = program.output
        order = {
            "module": program.module,
            "arguments": program.arguments,
            "directory": str(program.beside.working_directory),
        }
        try:
            os.write(self._pipe, json.dumps(order).encode() + b"\n")
        except BrokenPipeError:
            return None
        finally:
            os.close(self._pipe)
        return self.child if not self.child.exited.done() else None

    def close(self) -> None:
        os.close(self._pipe)
        self.child.kill()


def _unheard(_stream: Stream, _data: bytes) -> None:
    """A spare that was never used has said nothing of interest."""


def _kind(executable: Path, variables: Mapping[str, str]) -> _Kind:
    """Another one as soon as something is installed: what was imported may be outdated."""
    return _Kind(executable, tuple(sorted(variables.items())), installed(executable))


MODULE = "dagster"


class ProgramLauncher(Launcher, Protocol):
    """Starts runners, and programs beside them, from warm interpreters."""

    def choice(self, spec: RunnerSpec) -> MethodChoice: ...

    async def program(self, program: Program) -> Child:
        """A fork that is this program. Raises Refused."""
        ...


class Servers:
    """Of all locations; `instance` is what they have in common.

    `codeloc`: the folder that makes `codeloc` importable for a server, and for its runs, as it is
    for the runner beside it; None to do without.
    """

    def __init__(
        self,
        children: Children,
        warm: ProgramLauncher,
        sockets: Sockets,
        instance: Instance,
        codeloc: Path | None = None,
    ) -> None:
        self._children = children
        self._codeloc = codeloc
        self._warm = warm
        self._sockets = sockets
        self._instance = instance
        self._spares = Spares(children)

    async def start(self, spec: RunnerSpec) -> CodeServer:
        """In the way that the runner of `spec` would be. Raises OSError."""
        await self._instance.opened(spec)
        path, words = self._sockets.new(), ServerOutput(spec.output)
        variables = self._instance.variables(spec)
        words_of = arguments(spec, path)
        program = Program(spec, MODULE, words_of, variables, words.heard, self._codeloc)
        choice = self._warm.choice(spec)
        child, why = await self._warmly(program, choice)
        if child is None:
            child, choice = self._alone(program), MethodChoice("spawn", why)
        return CodeServer(child, spec.executable, path, words, choice)

    def suspect(self, spec: RunnerSpec, cold: Cold) -> None:
        """A load failed after a fork, and then went well without one."""
        self._warm.suspect(spec, cold.suspicion)

    def forget(self, location: str) -> None:
        self._spares.forget(location)

    def close(self) -> None:
        """End what waits to become a server."""
        self._spares.close()

    async def _warmly(self, program: Program, choice: MethodChoice) -> tuple[Child | None, str]:
        """The process, or none and why."""
        if choice.method == "spare":
            return self._spares.become(program), "no spare was ready"
        self._spares.forget(program.beside.location)
        if choice.method == "spawn":
            return None, choice.why
        try:
            return await self._warm.program(program), choice.why
        except Refused as refusal:
            return None, str(refusal)

    def _alone(self, program: Program) -> Child:
        spec = program.beside
        return self._children.start(
            [str(spec.executable), "-m", program.module, *program.arguments],
            variables=program.environ,
            directory=spec.working_directory,
            output=program.output,
            pass_fds=spec.held,
        )
