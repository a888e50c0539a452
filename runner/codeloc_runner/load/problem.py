"""An exception of user code as data, and as Python prints it without the runner's frames.

Python's own printer walks causes and groups to their end, and believes what a class says of its
exceptions. So it gets one exception at a time, and that as a twin with the same message.
"""

from __future__ import annotations

import os
import sys

from . import exceptions, hints, summary
from .exceptions import LoadFailure
from .sources import frame_text, is_ours, source_line, source_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Dict, Iterator, List, Optional, Set

    from ..process import LoadTarget


ENDS = 10
"""How many exceptions of a longer chain are told from each end."""
FRAMES = 1000
"""How many frames of a longer traceback are told from each end."""
DEPTH = 3
"""How many groups in groups are told."""
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"


def printer() -> Any:
    """Python's own; None where user code has put something else in its place."""
    try:
        from traceback import TracebackException
    except BaseException:  # noqa: BLE001  it may be anything, and do anything
        return None
    return TracebackException


PRINTER = printer()


def formatted(error: BaseException, depth: int = 0) -> str:
    """The whole chain, what came first first."""
    chain = exceptions.chain_of(error)
    left_out = len(chain) - 2 * ENDS
    if left_out > 0:
        chain = [*chain[:ENDS], *chain[-ENDS:]]
    parts: List[str] = []
    for index, one in reversed(list(enumerate(chain))):
        parts.append(alone(one) + "".join(held(one, depth)))
        if index == ENDS and left_out > 0:
            parts.append(f"[{left_out} more exceptions, each raised from the one before]\n")
        elif index:
            parts.append(f"{CAUSE if exceptions.origin_of(chain[index - 1])[1] else CONTEXT}\n")
    return exceptions.bounded("\n".join(parts))


def alone(error: BaseException) -> str:
    """One exception; told more simply where user code broke what Python needs for it."""
    try:
        made = twin(error)
        whole = exceptions.briefly(lambda: PRINTER(type(made), made, visible(error)))
        notes = [f"{note}\n" for note in exceptions.notes_of(error)]
        return "".join([*whole.format(chain=False), *notes])
    except BaseException:  # noqa: BLE001  a linecache or ast of the user's own may do anything
        return f"{stack(error)}{exceptions.type_name(error)}: {exceptions.message(error)}\n"


def held(error: BaseException, depth: int) -> Iterator[str]:
    """What a group holds, each with a number."""
    members, count = exceptions.members_of(error)
    for number, one in enumerate(members if depth < DEPTH else (), 1):
        yield f"\n  Exception {number} of {count}:\n"
        yield "".join(f"    {line}\n" for line in formatted(one, depth + 1).splitlines())
    if count > len(members) or (count and depth >= DEPTH):
        yield "\n  [the others are left out]\n"


COPIED = {
    SyntaxError: (
        "msg",
        "filename",
        "lineno",
        "offset",
        "text",
        "end_lineno",
        "end_offset",
        "print_file_and_line",
    ),
    NameError: ("name",),
    AttributeError: ("name", "obj"),
    ImportError: ("name", "path", "name_from", "msg"),
    Exception: (),
}
"""By built-in class: what Python prints, or makes its suggestions of."""
TYPES = (str, int, type(None))


def twin(error: BaseException) -> BaseException:
    """Another exception that is printed alike, and is related to none."""
    base = next((kind for kind in COPIED if exceptions.is_a(error, kind)), Exception)
    text = exceptions.message(error)
    module = exceptions.module_of(error) or "builtins"
    kind: Any = type(
        exceptions.type_name(error),
        (base,),
        {"__module__": module, "__str__": lambda _: text},
    )
    kind.__qualname__ = type.__dict__["__qualname__"].__get__(type(error))
    made: BaseException = kind()
    for name in COPIED[base]:
        value = exceptions.attribute(error, base, name)
        if name == "obj" or type(value) in TYPES:
            setattr(made, name, exceptions.bounded(value, 2000) if type(value) is str else value)
    return made


def visible(error: BaseException) -> Optional[TracebackType]:
    """Its traceback without hidden frames, and without the middle of a very long one."""
    shown = [
        one for one in exceptions.entries_of(exceptions.traceback_of(error)) if is_shown(one, error)
    ]
    if len(shown) > 2 * FRAMES:
        shown = [*shown[:FRAMES], *shown[-FRAMES:]]
    made: Optional[TracebackType] = None
    for one in reversed(shown):
        made = type(one)(made, one.tb_frame, one.tb_lasti, one.tb_lineno or 1)
    return made


def is_shown(entry: TracebackType, error: BaseException) -> bool:
    """Not ours; not of the package that found a mistake in the definitions it was given."""
    file = entry.tb_frame.f_code.co_filename
    folders = [
        folder_of(package) for package in exceptions.FAMILIES.get(exceptions.owner_of(error), ())
    ]
    return not is_ours(file) and not any(file.startswith(one) for one in folders if one)


def folder_of(package: str) -> Optional[str]:
    file = getattr(sys.modules.get(package), "__file__", None)
    return os.path.dirname(file) + os.sep if file else None


def stack(error: BaseException) -> str:
    """Every frame but ours, as text."""
    shown = [
        one
        for one in exceptions.entries_of(exceptions.traceback_of(error))
        if not is_ours(one.tb_frame.f_code.co_filename)
    ]
    if len(shown) > 2 * FRAMES:
        shown = [*shown[:FRAMES], *shown[-FRAMES:]]
    told = []
    for one in shown:
        code = one.tb_frame.f_code
        told.append(f"  {frame_text(code.co_filename, one.tb_lineno, code.co_name)}\n")
    return "".join(told)


MESSAGE_CHARACTERS = 20_000
EXCEPTIONS = 20
"""How many exceptions of all chains and groups are kept."""


def describe(
    error: BaseException, settings: LoadTarget, gone: List[str], files: List[str]
) -> Dict[str, Any]:
    """The contract's problem, without the time; `missing` is a module that nothing here has,
    `variable` an environment variable that is not set. `gone`: what the code took away from
    Python; `files`: what was read of it.
    """
    if exceptions.is_a(error, LoadFailure):
        said = detail = str(error)
        hint = hints.Hint()
        variable = None
    else:
        said = summary.summarize(error, settings.working_directory)
        detail = first_frame(error) + formatted(error)
        hint = hints.of(error, settings)
        variable = variable_of(error)
    if "os.environ" in gone:
        variable = None  # it was set
    if gone:
        hint = hints.Hint(hints.about_damage(gone, files, settings))
    if gone and exceptions.is_a(error, LoadFailure):
        said = f"{hint.remedy}; {said}"
    elif hint.remedy:
        said, detail = f"{said}; {hint.remedy}", f"{detail}\n{hint.remedy}\n"
    return {
        "kind": "load",
        "summary": exceptions.bounded(" ".join(said.splitlines()), 2 * summary.CHARACTERS),
        "detail": exceptions.bounded(detail),
        "error": as_data(error, set()),
        "frames": frames(error),
        "missing": hint.missing,
        "variable": variable,
    }


TOLD_FRAMES = 12
"""How many frames are told as data, from the innermost on."""
AROUND = 3
"""Lines of code before and after the one that was running."""
LINE_CHARACTERS = 300


def frames(error: BaseException) -> List[Dict[str, Any]]:
    """What was running, outermost first, with the code as it is now; of the exception, of those
    that are told of, that a line of the user's own led to. A mistake of syntax is the last frame.
    """
    if exceptions.is_a(error, LoadFailure):
        return []
    told = list(reversed(summary.told_of(error)))
    meant = next((one for one in told if summary.own_place(one) is not None), error)
    entries = exceptions.entries_of(exceptions.traceback_of(meant))
    shown = [one for one in entries if is_shown(one, meant)][-TOLD_FRAMES:]
    made = []
    for one in shown:
        code = one.tb_frame.f_code
        made.append(frame(code.co_filename, one.tb_lineno or 0, None, code.co_name))
    if exceptions.is_a(meant, SyntaxError):
        file, line, offset = (
            exceptions.attribute(meant, SyntaxError, name)
            for name in ("filename", "lineno", "offset")
        )
        if type(file) is str and type(line) is int:
            made.append(frame(file, line, offset - 1 if type(offset) is int else None, ""))
    return made


def frame(file: str, line: int, column: Optional[int], function: str) -> Dict[str, Any]:
    """`column`: where in the line the mistake is, from 0; None where that is not known."""
    own = summary.is_users(file)
    first = max(1, line - AROUND)
    lines = source_lines(file, first, line + AROUND) if own and line > 0 else []
    code = [[first + at, text[:LINE_CHARACTERS]] for at, text in enumerate(lines)]
    return {
        "file": exceptions.bounded(file, 4096),
        "line": line,
        "column": column if column is not None and column >= 0 else None,
        "function": exceptions.bounded(function, LINE_CHARACTERS),
        "own": own,
        "code": code,
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
    for one in (exceptions.origin_of(error)[0], *exceptions.members_of(error)[0]):
        if one is not None and id(one) not in seen and len(seen) < EXCEPTIONS:
            causes.append(as_data(one, seen))  # noqa: PERF401  each call adds to `seen`
    return {
        "type": exceptions.type_name(error),
        "message": exceptions.bounded(exceptions.message(error), MESSAGE_CHARACTERS),
        "traceback": exceptions.bounded(stack(error), MESSAGE_CHARACTERS),
        "causes": causes,
    }
