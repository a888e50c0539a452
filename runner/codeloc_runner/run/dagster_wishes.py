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
ENDING = ("CANCELING", "CANCELED", "FAILURE")
"""The second and third: the run was marked by force."""


class CancelWatch:
    """Looks at a run on a thread, with an instance of its own, and interrupts the main thread once
    where the run shall end."""

    def __init__(self, instance: Any, run: str) -> None:
        self._run = run
        self._over = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._reference = instance.get_ref() if instance.is_persistent else None
        if self._reference is not None:
            self._thread = threading.Thread(target=self._look, name="codelocd-cancel", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        made: Any = sys.modules["dagster"].DagsterInstance
        with made.from_ref(self._reference) as instance:
            while not self._over.wait(LOOK_SECONDS):
                try:
                    found = instance.get_run_by_id(self._run)
                except Exception:  # noqa: BLE001, S112  a database that is away for a while
                    continue
                if found is None:
                    return
                if found.status.value in ENDING and not self._over.is_set():
                    main = threading.main_thread().ident
                    assert main is not None
                    pthread_kill(main, SIGINT)
                    return

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
        is_ours = number == run and guard.cancelled and found is not None
        if not is_ours or found.is_finished or found.status.value == "CANCELING":
            return found
        instance.report_run_canceling(found)
        return get(number)

    instance.get_run_by_id = got
