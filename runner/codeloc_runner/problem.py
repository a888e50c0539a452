"""An exception of user code as data: one line, the traceback without our frames, its causes."""

from __future__ import annotations

from . import hints, printed, raised, summary
from .frames import source_line
from .importing import LoadFailure
from .printed import printer as printer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set

    from .settings import Settings

MESSAGE_CHARACTERS = 20_000
EXCEPTIONS = 20
"""How many exceptions of all chains and groups are kept."""


def describe(
    error: BaseException, settings: Settings, gone: List[str], files: List[str]
) -> Dict[str, Any]:
    """The contract's problem, without the time; `missing` is a module that nothing here has,
    `variable` an environment variable that is not set. `gone`: what the code took away from
    Python; `files`: what was read of it.
    """
    if raised.is_a(error, LoadFailure):
        said = detail = str(error)
        hint = hints.Hint()
        variable = None
    else:
        said = summary.summarize(error, settings.working_directory)
        detail = first_frame(error) + printed.formatted(error)
        hint = hints.of(error, settings)
        variable = variable_of(error)
    if "os.environ" in gone:
        variable = None  # it was set
    if gone:
        hint = hints.Hint(hints.about_damage(gone, files, settings))
    if gone and raised.is_a(error, LoadFailure):
        said = f"{hint.remedy}; {said}"
    elif hint.remedy:
        said, detail = f"{said}; {hint.remedy}", f"{detail}\n{hint.remedy}\n"
    return {
        "kind": "load",
        "summary": raised.bounded(" ".join(said.splitlines()), 2 * summary.CHARACTERS),
        "detail": raised.bounded(detail),
        "error": as_data(error, set()),
        "missing": hint.missing,
        "variable": variable,
    }


def variable_of(error: BaseException) -> Optional[str]:
    found = (summary.variable_of(one) for one in summary.told_of(error))
    return next((name for name in found if name), None)


def first_frame(error: BaseException) -> str:
    """The user's own line, where the traceback ends in a library's."""
    places = summary.places_of(error)
    own = summary.own_place(error)
    if own is None or places[-1] == own:
        return ""
    file, line = own
    return f'File "{file}", line {line}\n  {source_line(file, line)}\n\n'


def as_data(error: BaseException, seen: Set[int]) -> Dict[str, Any]:
    """Each exception once, and no more than EXCEPTIONS of them."""
    seen.add(id(error))
    causes: List[Dict[str, Any]] = []
    for one in (raised.origin_of(error)[0], *raised.members_of(error)[0]):
        if one is not None and id(one) not in seen and len(seen) < EXCEPTIONS:
            causes.append(as_data(one, seen))  # noqa: PERF401  each call adds to `seen`
    return {
        "type": raised.type_name(error),
        "message": raised.bounded(raised.message(error), MESSAGE_CHARACTERS),
        "traceback": raised.bounded(printed.stack(error), MESSAGE_CHARACTERS),
        "causes": causes,
    }
