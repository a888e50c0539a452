"""Notes which of the suspected files this process writes, to find locations that start their own
reloads."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

WRITES = os.O_WRONLY | os.O_RDWR
TARGET = {"open": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0}
"""By audit event (https://docs.python.org/3/library/audit_events.html): which argument is written.

`os.replace` and `shutil` come down to these; what other programs write is not seen.
"""


def note_writes(notes: str, suspects: List[str]) -> None:
    """From now on a line in the file `notes` for each suspect that this process opens to write.

    Only asked for where a file has started several loads: each event of the interpreter costs a
    call then.
    """
    known: Dict[str, str] = {os.path.realpath(path): path for path in suspects}

    def heard(event: str, arguments: Tuple[Any, ...]) -> None:
        at = TARGET.get(event)
        if at is None or not known:
            return
        try:
            if event == "open" and not arguments[2] & WRITES:
                return
            path = os.path.realpath(os.fsdecode(arguments[at]))
            if path in known:
                note(notes, known.pop(path))
        except Exception:  # noqa: BLE001, S110  never in the way of what user code does
            pass

    try:  # noqa: SIM105  contextlib would cost milliseconds
        sys.addaudithook(heard)
    except RuntimeError:
        pass  # another hook does not allow it


def note(notes: str, path: str) -> None:
    descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, os.fsencode(path) + b"\n")
    finally:
        os.close(descriptor)
