"""What the result of a check's function means."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import type_of

if TYPE_CHECKING:
    from typing import Any, Callable

    from codeloc.outcomes import CheckOutcome


FORM = "True or False, or a pair of it and a text"


def judge(check: CheckOutcome, ask: Callable[[], Any]) -> None:
    """Fill in the state. A failed assertion is a failure, any other exception is not caught."""
    try:
        result = ask()
    except AssertionError as error:
        check.state, check.error = "failed", error
        check.summary = str(error).strip().partition("\n")[0] or None
        return
    passed, summary = result, None
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], str):
        passed, summary = result
    if isinstance(passed, bool) or type(passed).__name__ in ("bool_", "bool"):  # numpy's
        check.state = "passed" if passed else "failed"
        check.summary = summary.strip().partition("\n")[0] if summary else None
    else:
        check.summary = f"it returned {type_of(passed)}, expected {FORM}"
