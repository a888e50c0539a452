"""Reads an exception without trusting the code of its class.

Python's own slots are read, not the attributes: a class may have given them another meaning.
Everything is bounded, for user code may have built anything: rings, long chains, large groups.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Callable, Iterator, List, Optional, Set, Tuple


TEXT_CHARACTERS = 200_000
CHAIN = 10_000
"""How many exceptions of one chain are looked at."""
MEMBERS = 10
"""How many exceptions of one group are looked at."""
ALL = 50
"""How many exceptions are looked at in all: of chains, and of groups in groups."""
FRAMES = 1_000_000
SECONDS = 5.0
"""How long a method of user code may take to say something of an exception."""
DAGSTER = ("dagster", "dagster_shared")
FAMILIES = {
    "codeloc": ("codeloc",),
    "_codeloc_runner": ("codeloc",),
    "dagster": DAGSTER,
    "dagster_shared": DAGSTER,
}
"""By the package that reports a mistake: those whose own frames say nothing about it."""
LIBRARY = os.path.dirname(os.__file__) + os.sep
ENDLESS: Set[type] = set()
"""Classes whose `__str__` did not end in time; none is waited for twice."""


class LoadFailure(Exception):
    """What is wrong with a location, where no exception of user code says it already."""


def is_a(error: BaseException, kind: Any) -> bool:
    """`isinstance` asks the object itself what it is."""
    return issubclass(type(error), kind)


def type_name(error: BaseException) -> str:
    name: str = type.__dict__["__name__"].__get__(type(error))
    return name


def module_of(error: BaseException) -> str:
    """The module of its class; "" where something else stands in its place."""
    try:
        found = type.__dict__["__module__"].__get__(type(error))
    except AttributeError:
        return ""
    return found if type(found) is str else ""


def owner_of(error: BaseException) -> str:
    """The top-level package that the class of an exception comes from."""
    return module_of(error).partition(".")[0]


def message(error: BaseException) -> str:
    if any(kind is type(error) for kind in ENDLESS):
        return "<its message cannot be had: __str__ does not end>"
    try:
        return bounded("".join((briefly(lambda: str(error)),)))  # plain, whatever kind of str came
    except TooLong:
        ENDLESS.add(type(error))
        return "<its message cannot be had: __str__ does not end>"
    except BaseException:  # noqa: BLE001  its __str__ is user code
        return "<its message cannot be had: __str__ failed>"


class TooLong(BaseException):
    """Raised within user code that has had its time; it should catch no such thing."""


def briefly(call: Callable[[], Any]) -> Any:
    """What `call` returns. Raises TooLong within Python code that goes on after SECONDS."""
    end = monotonic() + SECONDS

    def watch(frame: Any, event: str, argument: Any) -> Any:
        if monotonic() > end:
            raise TooLong
        return None if frame.f_code.co_filename.startswith(LIBRARY) else watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        return call()
    finally:
        sys.settrace(before)


def attribute(error: BaseException, kind: type, name: str) -> Any:
    """Of a built-in exception, what its own slot holds; None where this Python has none."""
    slot = kind.__dict__.get(name)
    return slot.__get__(error) if slot is not None else None


def traceback_of(error: BaseException) -> Optional[TracebackType]:
    found: Optional[TracebackType] = attribute(error, BaseException, "__traceback__")
    return found


def notes_of(error: BaseException) -> List[str]:
    """What `add_note` left; a class that has notes of its own kind has none."""
    try:
        found = object.__getattribute__(error, "__dict__").get("__notes__")
    except Exception:  # noqa: BLE001  whatever stands in its place
        return []
    notes = found[:MEMBERS] if type(found) is list else []
    return [bounded(note, 2000) for note in notes if type(note) is str]


def origin_of(error: BaseException) -> Tuple[Optional[BaseException], bool]:
    """What it came from, and whether its author said so."""
    cause = attribute(error, BaseException, "__cause__")
    if cause is not None:
        return cause, True
    if attribute(error, BaseException, "__suppress_context__"):
        return None, False
    return attribute(error, BaseException, "__context__"), False


def chain_of(error: BaseException) -> List[BaseException]:
    """The error, what it came from, and so on; a ring once."""
    found: List[BaseException] = []
    seen = set()
    one: Optional[BaseException] = error
    while one is not None and id(one) not in seen and len(found) < CHAIN:
        seen.add(id(one))
        found.append(one)
        one = origin_of(one)[0]
    return found


def members_of(error: BaseException) -> Tuple[List[BaseException], int]:
    """The first exceptions that an ExceptionGroup holds, and how many there are."""
    if owner_of(error) not in ("builtins", "exceptiongroup") and not is_group(error):
        return [], 0
    try:
        held = error.exceptions  # type: ignore[attr-defined]
        if type(held) is not tuple:
            return [], 0
        return [one for one in held[:MEMBERS] if is_a(one, BaseException)], len(held)
    except BaseException:  # noqa: BLE001  a class of the user's own
        return [], 0


def is_group(error: BaseException) -> bool:
    """Python's own from 3.11 on, before that the backport's, by the names of their classes."""
    names = [base.__name__ for base in type.__dict__["__mro__"].__get__(type(error))]
    return "BaseExceptionGroup" in names


def all_of(error: BaseException) -> Iterator[BaseException]:
    """It and what it came from or holds, each once, the nearest first."""
    waiting, seen = [error], {id(error)}
    while waiting and len(seen) < CHAIN:
        one = waiting.pop(0)
        yield one
        for other in (origin_of(one)[0], *members_of(one)[0]):
            if other is not None and id(other) not in seen and len(seen) < ALL:
                seen.add(id(other))
                waiting.append(other)


def entries_of(traceback: Optional[TracebackType]) -> Iterator[TracebackType]:
    """Outermost first."""
    count = 0
    while traceback is not None and count < FRAMES:
        yield traceback
        traceback, count = traceback.tb_next, count + 1


def bounded(text: str, limit: int = TEXT_CHARACTERS) -> str:
    """Both ends of a text that is too long: what began it and what it came to."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} […] {text[-half:]}"
