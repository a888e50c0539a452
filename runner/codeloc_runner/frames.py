"""Which frames of a stack are the runner's own, which are the user's, and how one is told."""

from __future__ import annotations

import os
import re

RUNNER = os.path.dirname(os.path.abspath(__file__)) + os.sep
IMPORT_MACHINERY = "<frozen importlib"
CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
"""https://peps.python.org/pep-0263/"""


def is_ours(file: str) -> bool:
    """The runner's, or the interpreter's import machinery that it set in motion."""
    return file.startswith((RUNNER, IMPORT_MACHINERY))


def told(file: str, line: int, name: str) -> str:
    """One frame as Python's tracebacks tell it, the source line below it where it can be read."""
    text = source_line(file, line)
    return f'File "{file}", line {line}, in {name}' + (f"\n  {text}" if text else "")


def source_line(file: str, number: int) -> str:
    """In the coding that the file declares in one of its first two lines."""
    coding = "utf-8-sig"
    if not os.path.isfile(file):  # not a device that never ends
        return ""
    try:
        with open(file, "rb") as source:
            for count, line in enumerate(source, 1):
                declared = CODING.match(line) if count <= 2 else None
                if declared:
                    coding = declared.group(1).decode()
                if count == number:
                    return decoded(line, coding).strip()
    except OSError:
        pass
    return ""


def decoded(line: bytes, coding: str) -> str:
    try:
        return line.decode(coding, "replace")
    except (LookupError, ValueError):  # no coding, or none of texts: Python refuses the file
        return line.decode("utf-8", "replace")
