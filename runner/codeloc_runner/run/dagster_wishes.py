"""Hears that a run shall be cancelled: by a signal, or from Dagster, whose page only marks it."""

from __future__ import annotations

import sys
import threading
from signal import SIGINT, pthread_kill

from ..load.sources import imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .cancelling import CancelGuard

LOOK_SECONDS = 1.0
"""Between two looks: Dagster's instance sends no event."""
ENDED = ("CANCELED", "FAILURE")
"""Marked so by force, where it goes on all the same."""
END_SECONDS = 3.0
"""For a run that has stored its own end to be over."""


class CancelWatch:
    """Looks at a run on a thread, with an instance of its own, and interrupts the main thread once
    where the run shall end. `marked`: it was marked as ended while it went on."""

    def __init__(self, instance: Any, run: str, guard: CancelGuard) -> None:
        self.marked: Optional[str] = None
        self._run = run
        self._guard = guard
        self._over = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._reference = instance.get_ref() if instance.is_persistent else None
        if self._reference is not None:
            self._thread = threading.Thread(target=self._look, name="codelocd-cancel", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        if self._over.wait(LOOK_SECONDS):
            return  # most runs are short, and an instance takes a while to open
        made: Any = sys.modules["dagster"].DagsterInstance
        with made.from_ref(self._reference) as instance:
            while not self._over.wait(LOOK_SECONDS):
                try:
                    found = instance.get_run_by_id(self._run)
                except Exception:  # noqa: BLE001, S112  a database that is away for a while
                    continue
                if found is None or self._is_to_end(found.status.value):
                    return

    def _is_to_end(self, status: str) -> bool:
        """Whether there is no more to look for."""
        if status in ENDED:
            if not self._over.wait(END_SECONDS):
                self.marked = status
                self._interrupt()
            return True
        if status == "CANCELING":
            self._interrupt()
            return True
        return False

    def _interrupt(self) -> None:
        """Unless a signal has come, of which the mark may be a result."""
        main = threading.main_thread().ident
        if main is not None and not self._guard.cancelled and not self._over.is_set():
            pthread_kill(main, SIGINT)

    def stop(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(LOOK_SECONDS)


def note_interrupts(guard: CancelGuard) -> None:
    """Have `guard.cancelled` true once a signal has come, whichever handler Dagster has set."""
    interrupts: Any = imported("dagster._utils.interrupts")
    replace = interrupts._replace_interrupt_signal
    noting = set()

    def replaced(handler: Any) -> None:
        if not callable(handler) or handler in noting:
            replace(handler)
            return

        def noted(number: int, frame: object) -> None:
            guard.cancelled = True
            handler(number, frame)

        noting.add(noted)
        replace(noted)

    interrupts._replace_interrupt_signal = replaced


def mark_when_interrupted(instance: Any, run: str, guard: CancelGuard) -> None:
    """Dagster takes an interrupted run for a failed one, unless it is marked as to be cancelled
    when it looks: it is marked then, if a signal has come."""
    get = instance.get_run_by_id

    def got(number: str) -> Any:
        found = get(number)
        if number != run or found is None or not guard.cancelled:
            return found
        if found.is_finished or found.status.value == "CANCELING":
            return found
        instance.report_run_canceling(found)
        return get(number)

    instance.get_run_by_id = got
