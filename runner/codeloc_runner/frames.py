"""Which frames of a stack are the runner's own, which are the user's, and how one is told."""

from __future__ import annotations

import os

RUNNER = os.path.dirname(os.path.abspath(__file__)) + os.sep
IMPORT_MACHINERY = "<frozen importlib"


def is_ours(file: str) -> bool:
    """The runner's, or the interpreter's import machinery that it set in motion."""
    return file.startswith((RUNNER, IMPORT_MACHINERY))


def told(file: str, line: int, name: str) -> str:
    """One frame as Python's tracebacks tell it, the source line below it where it can be read."""
    text = source_line(file, line)
    return f'File "{file}", line {line}, in {name}' + (f"\n  {text}" if text else "")


def source_line(file: str, number: int) -> str:
    if not os.path.isfile(file):  # not a device that never ends
        return ""
    try:
        with open(file, "rb") as source:
            for count, line in enumerate(source, 1):
                if count == number:
                    return line.decode("utf-8", "replace").strip()
    except OSError:
        pass
    return ""
