"""An exception of user code as data: one line, the traceback without our frames, its causes."""

from __future__ import annotations

import os
from traceback import TracebackException

from .frames import is_ours, told
from .importing import LoadFailure
from .sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from traceback import FrameSummary
    from types import TracebackType
    from typing import Any, Dict, List, Optional

SUMMARY_CHARACTERS = 500
TEXT_CHARACTERS = 200_000
CAUSES = 20
"""How many exceptions of one chain or group are kept."""


def describe(error: BaseException, working_directory: str) -> Dict[str, Any]:
    """The contract's problem, without the time."""
    if isinstance(error, LoadFailure):
        summary = detail = str(error)
    else:
        summary, detail = summarize(error, working_directory), formatted(error)
    return {
        "kind": "load",
        "summary": bounded(summary.splitlines()[0], SUMMARY_CHARACTERS),
        "detail": bounded(detail),
        "error": as_data(error, CAUSES),
    }


def summarize(error: BaseException, working_directory: str) -> str:
    """`ImportError: No module named 'foo' (defs.py:3)`."""
    place = where(error)
    if place is None:
        return one_line(error)
    file, line = place
    if file.startswith(working_directory + os.sep):
        file = os.path.relpath(file, working_directory)
    return f"{one_line(error)} ({file}:{line})"


def one_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"SystemExit: sys.exit({message(error)}) was called while the code was imported"
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    lines = message(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def where(error: BaseException) -> Optional[tuple[str, int]]:
    """The innermost line of the location's own code, else of any code but ours."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    places = [
        (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        for frame in frames_of(error.__traceback__)
    ]
    return next((p for p in reversed(places) if is_source(p[0])), places[-1] if places else None)


def frames_of(traceback: Optional[TracebackType]) -> List[TracebackType]:
    frames = []
    while traceback is not None:
        if not is_ours(traceback.tb_frame.f_code.co_filename):
            frames.append(traceback)
        traceback = traceback.tb_next
    return frames


def formatted(error: BaseException) -> str:
    """As Python prints it; told more simply where user code broke what Python needs for it."""
    try:
        whole = TracebackException.from_exception(error)
        hide_ours(whole, CAUSES)
        return "".join(whole.format())
    except BaseException:  # noqa: BLE001  a linecache or ast of the user's own may do anything
        return f"{own_stack(error)}{one_line(error)}\n"


def hide_ours(whole: TracebackException, depth: int) -> None:
    whole.stack[:] = [frame for frame in whole.stack if not hidden(frame)]
    related = [whole.__cause__, whole.__context__, *(getattr(whole, "exceptions", None) or ())]
    for one in related:
        if one is not None and depth:
            hide_ours(one, depth - 1)


def hidden(frame: FrameSummary) -> bool:
    return is_ours(frame.filename)


def own_stack(error: BaseException) -> str:
    return "".join(
        f"  {told(one.tb_frame.f_code.co_filename, one.tb_lineno, one.tb_frame.f_code.co_name)}\n"
        for one in frames_of(error.__traceback__)
    )


def as_data(error: BaseException, depth: int) -> Dict[str, Any]:
    causes = related_to(error) if depth else []
    return {
        "type": type(error).__name__,
        "message": bounded(message(error)),
        "traceback": bounded(own_stack(error)),
        "causes": [as_data(one, depth - 1) for one in causes[:CAUSES]],
    }


def related_to(error: BaseException) -> List[BaseException]:
    """What it came from, then, for an ExceptionGroup, what it holds."""
    context = None if error.__suppress_context__ else error.__context__
    origin = error.__cause__ or context
    return [one for one in (origin, *getattr(error, "exceptions", ())) if one is not None]


def message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001  its __str__ is user code
        return "<its message cannot be had: __str__ failed>"


def bounded(text: str, limit: int = TEXT_CHARACTERS) -> str:
    """Both ends of a text that is too long: what began it and what it came to."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} […] {text[-half:]}"
