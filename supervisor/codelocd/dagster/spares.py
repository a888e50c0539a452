"""Interpreters that have imported Dagster and wait to become code servers.

For locations whose environment cannot be forked. One spare is kept for all of the same environment
and variables, and replaced a while after it was used.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codelocd.dagster.preloaded import MODULES
from codelocd.launchers import Program
from codelocd.launchers.installed import installed
from codelocd.model import Output, Stream
from codelocd.process import Child, Children

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
        kind = _kind(program.beside.executable, program.variables)
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
