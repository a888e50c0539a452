"""An exception of user code as data: one line, the traceback without our frames, its causes."""

from __future__ import annotations

import os
import re
import sys

from . import hints
from .frames import is_ours, told
from .importing import LoadFailure
from .sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from traceback import TracebackException
    from types import TracebackType
    from typing import Any, Dict, List, Optional

    from .settings import Settings

SUMMARY_CHARACTERS = 500
TEXT_CHARACTERS = 200_000
DAGSTER = ("dagster", "dagster_shared")
FAMILIES = {"codeloc": ("codeloc",), "dagster": DAGSTER, "dagster_shared": DAGSTER}
"""By the package that reports a mistake: those whose own frames say nothing about it."""
GENERATED = "<string>"
CAUSES = 20
"""How many exceptions of one chain or group are kept."""


def printer() -> Any:
    """Python's own; None where user code has put something else in its place."""
    try:
        from traceback import TracebackException
    except BaseException:  # noqa: BLE001  it may be anything, and do anything
        return None
    return TracebackException


PRINTER = printer()
VALIDATION = re.compile(r"\d+ validation errors? for ")
"""How a message of pydantic's begins; the next two lines have a field and what is wrong with it."""


def describe(error: BaseException, settings: Settings) -> Dict[str, Any]:
    """The contract's problem, without the time; `missing` is a module that nothing here has."""
    if isinstance(error, LoadFailure):
        summary = detail = str(error)
        hint = missing = None
    else:
        summary, detail = summarize(error, settings.working_directory), formatted(error)
        hint, missing = hints.of(error, settings)
    if hint:
        summary, detail = f"{summary}; {hint}", f"{detail}\n{hint}\n"
    return {
        "kind": "load",
        "summary": bounded(summary.splitlines()[0], SUMMARY_CHARACTERS),
        "detail": bounded(detail),
        "error": as_data(error, CAUSES),
        "missing": missing,
    }


def summarize(error: BaseException, working_directory: str) -> str:
    """`ImportError: No module named 'foo' (defs.py:3)`."""
    place, said = where(error), told_with_cause(error)
    if place is None:
        return said
    file, line = place
    if file.startswith(working_directory + os.sep):
        file = os.path.relpath(file, working_directory)
    return f"{said} ({file}:{line})"


def told_with_cause(error: BaseException) -> str:
    """Dagster wraps an error in another; the one inside often is the one with the name in it."""
    cause = error.__cause__
    if cause is None or owner_of(error) not in DAGSTER:
        return one_line(error)
    return f"{one_line(error)}, because {told_with_cause(cause)}"


def one_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        status = message(error)
        return f"SystemExit: sys.exit({status}) was called while the code was imported"
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    said = headline(message(error))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def headline(text: str) -> str:
    """The first line, and what it only announces: of Dagster a list, of pydantic the field."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    if first.endswith(":"):
        return " ".join(lines[:2])
    return ": ".join([first, " ".join(lines[1:3])]) if VALIDATION.match(first) else first


def where(error: BaseException) -> Optional[tuple[str, int]]:
    """The innermost line of the location's own code, else of any code but the reporter's."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    places = [
        (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        for frame in frames_of(error.__traceback__)
    ]
    own = next((place for place in reversed(places) if is_users(place[0])), None)
    if own is not None or not places or owner_of(error) in FAMILIES:
        return own
    return places[-1]


def is_users(file: str) -> bool:
    return file != GENERATED and is_source(file)


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
        whole = PRINTER.from_exception(error)
        hide_frames(whole, error, CAUSES)
        return "".join(whole.format())
    except BaseException:  # noqa: BLE001  a linecache or ast of the user's own may do anything
        return f"{own_stack(error)}{one_line(error)}\n"


def hide_frames(whole: TracebackException, error: BaseException, depth: int) -> None:
    whole.stack[:] = [one for one in whole.stack if not is_hidden(one.filename, error)]
    related = [(whole.__cause__, error.__cause__), (whole.__context__, error.__context__)]
    related += zip(getattr(whole, "exceptions", None) or (), getattr(error, "exceptions", ()))
    for told_one, one in related:
        if told_one is not None and one is not None and depth:
            hide_frames(told_one, one, depth - 1)


def is_hidden(file: str, error: BaseException) -> bool:
    """Ours; and those of the package that found a mistake in the definitions it was given."""
    family = FAMILIES.get(owner_of(error), ())
    folders = [folder_of(package) for package in family]
    return is_ours(file) or any(file.startswith(folder) for folder in folders if folder)


def folder_of(package: str) -> Optional[str]:
    file = getattr(sys.modules.get(package), "__file__", None)
    return os.path.dirname(file) + os.sep if file else None


def owner_of(error: BaseException) -> str:
    """The top-level package that the class of an exception comes from."""
    return type(error).__module__.partition(".")[0]


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
