"""SIGTERM: a run is cancelled. What the user's function is doing is broken off, once."""

from __future__ import annotations

import os
import sys
from _signal import (  # type: ignore[import-not-found]
    SIG_BLOCK,
    SIG_DFL,
    SIG_SETMASK,
    SIGINT,
    SIGTERM,
    getsignal,
    pthread_sigmask,
    signal,
)
from _thread import get_ident
from os import getpid

from ..main import leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class CancelledLoad(BaseException):
    """Raised in code that is imported before it has imported `codeloc`."""


class CancelGuard:
    """Through which all code of the user's is called, on the main thread.

    Our own code is never broken off: then the wish is noted, and heard before the next call.
    """

    def __init__(self) -> None:
        self.cancelled = False
        self._is_exposed = False
        self._own_process = getpid()
        self._main_thread = get_ident()
        signal(SIGTERM, self._heard)
        self._masks: dict[int, Any] = {}
        os.register_at_fork(
            before=self._hold, after_in_parent=self._go_on, after_in_child=self._let_go
        )

    def _hold(self) -> None:
        """A signal to a child that still has our handler would be lost: it waits until then."""
        self._masks[get_ident()] = pthread_sigmask(SIG_BLOCK, {SIGTERM})

    def _go_on(self) -> None:
        pthread_sigmask(SIG_SETMASK, self._masks.pop(get_ident(), ()))

    def _let_go(self) -> None:
        """What user code forks ends by the signal as without us."""
        if getsignal(SIGTERM) == self._heard:
            signal(SIGTERM, SIG_DFL)
        self._go_on()

    def _heard(self, number: int, frame: object) -> None:
        first, self.cancelled = not self.cancelled, True
        if first and self._is_exposed:
            self._is_exposed = False
            raise cancellation()

    def hear_interrupts(self) -> None:
        """SIGINT means the same from now on."""
        signal(SIGINT, self._heard)

    def call(self, function: Callable[[], Any]) -> Any:
        """Its result. Raises what it raises, and the cancellation."""
        if get_ident() != self._main_thread:
            return function()
        before = self._is_exposed
        try:
            self._is_exposed = not self.cancelled
            if self.cancelled:
                raise cancellation()
            return function()
        except BaseException as error:
            self._end_fork(error)
            raise
        finally:
            self._is_exposed = before and not self.cancelled
            self._end_fork(None)

    def end(self, function: Callable[[], Any]) -> Any:
        """The same of what ends things in order: it is not broken off, and called in any case."""
        try:
            return function()
        except BaseException as error:
            self._end_fork(error)
            raise
        finally:
            self._end_fork(None)

    def _end_fork(self, error: Any) -> None:
        """A child that user code forked and that came back here runs nothing of ours."""
        if getpid() == self._own_process:
            return
        if error is None:
            leave(0)
        if isinstance(error, SystemExit):
            leave(error.code if isinstance(error.code, int) else int(error.code is not None))
        sys.excepthook(type(error), error, error.__traceback__)
        leave(1)


def cancellation() -> BaseException:
    kind = getattr(sys.modules.get("codeloc"), "Cancelled", CancelledLoad)
    made: BaseException = kind()
    return made
