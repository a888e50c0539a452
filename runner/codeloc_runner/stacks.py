"""What every thread of user code is doing right now; imports nothing, so it works mid-import."""

from __future__ import annotations

import sys
from _thread import get_ident

from .frames import is_ours, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Dict, List, Optional

MAIN_THREAD = get_ident()
"""This module is first imported by the main thread."""


def all_stacks() -> List[Dict[str, Any]]:
    """The outermost frame first. The runner's own threads and frames are left out."""
    stacks = []
    for ident, frame in sys._current_frames().items():
        lines = stack_of(frame)
        if lines or ident == MAIN_THREAD:
            stacks.append({"name": name_of(ident), "stack": lines})
    return stacks


def stack_of(frame: Optional[FrameType]) -> List[str]:
    entries = []
    while frame is not None:
        code = frame.f_code
        if not is_ours(code.co_filename):
            entries.append(told(code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return entries[::-1]


def name_of(ident: int) -> str:
    """As user code called it; its `threading` is looked at, never imported, never locked."""
    if ident == MAIN_THREAD:
        return "MainThread"
    known = getattr(sys.modules.get("threading"), "_active", {})
    return str(getattr(known.get(ident), "name", f"thread {ident}"))
