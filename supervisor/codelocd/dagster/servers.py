"""How code servers start: in the way that the runners of their location do."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from codelocd.dagster.code_server import MODULE, CodeServer, ServerOutput, arguments
from codelocd.dagster.instance import Instance
from codelocd.dagster.workspace import Sockets
from codelocd.model import Cold
from codelocd.process.child import Child
from codelocd.runners.api import Launcher, Program, RunnerSpec
from codelocd.runners.warm.method import MethodChoice


class ProgramLauncher(Launcher, Protocol):
    """Starts runners, and programs beside them, from warm interpreters where there are any."""

    async def program(self, program: Program) -> tuple[Child, MethodChoice]:
        """It, and how it was started. Raises OSError."""
        ...


class Servers:
    """Of all locations; `instance` is what they have in common.

    `codeloc`: the folder that makes `codeloc` importable for a server, and for its runs, as it is
    for the runner beside it; None to do without.
    """

    def __init__(
        self,
        launcher: ProgramLauncher,
        sockets: Sockets,
        instance: Instance,
        codeloc: Path | None = None,
    ) -> None:
        self._launcher = launcher
        self._codeloc = codeloc
        self._sockets = sockets
        self._instance = instance

    async def start(self, spec: RunnerSpec) -> CodeServer:
        """In the way that the runner of `spec` would be. Raises OSError."""
        await self._instance.opened(spec)
        path, output = self._sockets.new(), ServerOutput(spec.output)
        variables = self._instance.variables(spec)
        asked = arguments(spec, path)
        program = Program(spec, MODULE, asked, variables, output.heard, self._codeloc)
        child, choice = await self._launcher.program(program)
        return CodeServer(child, spec.executable, path, output, choice)

    def suspect(self, spec: RunnerSpec, cold: Cold) -> None:
        """A load failed after a fork, and then went well without one."""
        self._launcher.suspect(spec, cold.suspicion)
