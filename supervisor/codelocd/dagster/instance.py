"""Dagster's instance, whose databases are made once, by one process alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from codelocd.dagster.home import CONFIG, VARIABLE
from codelocd.launchers import RunnerSpec
from codelocd.model import Exit, Stream
from codelocd.process import Children

MAKE_SECONDS = 60.0
"""For what takes two seconds on an idle machine."""


class Instance:
    """Code servers that start at the same moment in a new DAGSTER_HOME spoil it for ever: each
    enters the newest revision into a database that the other has just made, and Dagster then
    finds two heads.
    """

    def __init__(self, path: Path, children: Children) -> None:
        self._path = path
        self._children = children
        self._alone = asyncio.Lock()
        self._open = False

    def variables(self, spec: RunnerSpec) -> dict[str, str]:
        """All variables of a location's code server: a home of its own counts."""
        return {VARIABLE: str(self._path), **spec.variables}

    async def opened(self, spec: RunnerSpec) -> None:
        """Returns when no server is needed any more to make its databases.

        Where they cannot be made, the servers will tell why. Raises OSError.
        """
        variables = self.variables(spec)
        if variables[VARIABLE] != str(self._path):
            return
        async with self._alone:
            self._open = self._open or self._was_used() or await self._made(spec, variables)

    def _was_used(self) -> bool:
        return any(each.name != CONFIG for each in self._path.iterdir())

    async def _made(self, spec: RunnerSpec, variables: Mapping[str, str]) -> bool:
        """By Dagster's own command line, which opens all of them."""
        child = self._children.start(
            [str(spec.executable), "-m", "dagster", "instance", "info"],
            variables=variables,
            directory=Path("/"),
            output=_unheard,
            pass_fds=spec.held,
        )
        if not await child.gone(MAKE_SECONDS):
            child.kill()
        return await child.exited == Exit(status=0)


def _unheard(_stream: Stream, _data: bytes) -> None:
    """The instance described, or what the servers will say again."""
