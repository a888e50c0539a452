"""How code servers come to be: in the way that the runners of their location do."""

from __future__ import annotations

from typing import Protocol

from codelocd.dagster.code_server import CodeServer, arguments
from codelocd.dagster.instance import Instance
from codelocd.dagster.sockets import Sockets
from codelocd.dagster.spares import Spares
from codelocd.dagster.words import Words
from codelocd.launchers import Launcher, Program, RunnerSpec
from codelocd.launchers.warm_interpreter import Refused
from codelocd.process import Child, Children
from codelocd.warm import Choice

MODULE = "dagster"


class Warm(Launcher, Protocol):
    """Starts runners, and programs beside them, from warm interpreters."""

    def choice(self, spec: RunnerSpec) -> Choice: ...

    async def program(self, program: Program) -> Child:
        """A fork that is this program. Raises Refused."""
        ...


class Servers:
    """Of all locations; `instance` is what they have in common."""

    def __init__(
        self, children: Children, warm: Warm, sockets: Sockets, instance: Instance
    ) -> None:
        self._children = children
        self._warm = warm
        self._sockets = sockets
        self._instance = instance
        self._spares = Spares(children)

    async def start(self, spec: RunnerSpec) -> CodeServer:
        """In the way that the runner of `spec` would be. Raises OSError."""
        await self._instance.opened(spec)
        path, words = self._sockets.new(), Words(spec.output)
        variables = self._instance.variables(spec)
        program = Program(spec, MODULE, arguments(spec, path), variables, words.heard)
        choice = self._warm.choice(spec)
        child, why = await self._warmly(program, choice)
        if child is None:
            child, choice = self._alone(program), Choice("spawn", why)
        return CodeServer(child, path, words, choice)

    def forget(self, location: str) -> None:
        self._spares.forget(location)

    def close(self) -> None:
        """End what waits to become a server."""
        self._spares.close()

    async def _warmly(self, program: Program, choice: Choice) -> tuple[Child | None, str]:
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
            variables=program.variables,
            directory=spec.working_directory,
            output=program.output,
            pass_fds=spec.held,
        )
