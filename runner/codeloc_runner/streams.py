"""Standard output and standard error as the daemon reads them: UTF-8, line by line."""

from __future__ import annotations

import faulthandler
import sys


def prepare() -> None:
    """Never fail on a character, never keep a line back; a crash in C code leaves its stack."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    if sys.stderr is not None and not faulthandler.is_enabled():
        faulthandler.enable()


def flush() -> None:
    """What user code may have put in their place is its own business, failures included."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S112  the process is about to end anyway
            continue
