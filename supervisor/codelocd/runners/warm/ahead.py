"""Forks that wait for the next attempt of a run, made ahead while runs follow each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from codelocd.process.child import Child, shielded
from codelocd.runners.attempts import AttemptStart
from codelocd.runners.warm.ordered import OrderedProcess, Refused

if TYPE_CHECKING:
    from codelocd.runners.warm.interpreter import WarmInterpreter

KEPT = 300.0
"""Seconds without a run after which the one that waits ends."""


class ForksAhead:
    """At most one that waits. There is none before a run is asked for.

    `interpreter`: what to fork now, None for nothing.
    """

    def __init__(self, interpreter: Callable[[], WarmInterpreter | None]) -> None:
        self._interpreter = interpreter
        self.waiting: OrderedProcess | None = None
        self._making: asyncio.Task[OrderedProcess | None] | None = None
        self._end: asyncio.TimerHandle | None = None

    def expect(self, *, at_once: bool) -> None:
        """An attempt is about to be started, or else may be soon: have one."""
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(KEPT, self.close)
        if self.waiting is not None and not self.waiting.lives:
            self.waiting.close()
            self.waiting = None
        if self.waiting is not None:
            if at_once:
                self.waiting.look()
        elif self._making is None:
            self._making = loop.create_task(self._made(rehearses=not at_once))
            self._making.add_done_callback(self._is_made)

    async def attempt(self, start: AttemptStart) -> Child | None:
        """The process of an attempt of a run, from what waits. None where nothing does, or it
        refuses: what it was forked from says why."""
        if not start.is_of_run:
            return None
        waiting = await self._taken()
        try:
            return None if waiting is None else await waiting.attempt(start)
        except Refused:
            return None
        finally:
            if waiting is not None:
                waiting.close()

    async def _taken(self) -> OrderedProcess | None:
        """What waits, or is being made; the caller closes it."""
        making, self._making = self._making, None
        if making is not None:
            return await shielded(making, _end)
        found, self.waiting = self.waiting, None
        return found

    def close(self) -> None:
        """End what there is. Another run has another one made."""
        self._stop_timer()
        making, self._making = self._making, None
        if making is not None:
            making.add_done_callback(_unwanted)
        _end(self.waiting)
        self.waiting = None

    async def _made(self, *, rehearses: bool) -> OrderedProcess | None:
        interpreter = self._interpreter()
        if interpreter is None:
            return None
        interpreter.hold()
        try:
            return await interpreter.forked_ahead(rehearses=rehearses)
        except Refused:
            return None
        finally:
            interpreter.release()

    def _is_made(self, task: asyncio.Task[OrderedProcess | None]) -> None:
        if self._making is task:
            self._making = None
            self.waiting = None if task.cancelled() else task.result()

    def _stop_timer(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None


def _end(process: OrderedProcess | None) -> None:
    if process is not None:
        process.kill()


def _unwanted(making: asyncio.Task[OrderedProcess | None]) -> None:
    if not making.cancelled() and making.exception() is None:
        _end(making.result())
