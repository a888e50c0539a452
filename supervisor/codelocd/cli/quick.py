"""`codelocd status` without the command line library, whose import takes longer than the rest."""

from __future__ import annotations

import os

from codelocd.cli.which import Asked

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Callable, Sequence

COMPLETION = "_CODELOCD_COMPLETE"
"""Set by a shell that asks what could be typed next (click's name for it)."""


def parsed(arguments: Sequence[str]) -> Callable[[], int] | None:
    """The command that these arguments ask for, or None: then click decides.

    Takes the usual forms alone; click has the last word on every other, and on all errors.
    """
    if COMPLETION in os.environ:
        return None
    before, asked = _asked(arguments)
    if arguments[before : before + 1] != ["status"]:
        return None
    after, late = _asked(arguments[before + 1 :])
    rest = arguments[before + 1 + after :]
    as_json, only_failed = "--json" in rest, "--failed" in rest
    locations = [word for word in rest if word not in ("--json", "--failed")]
    if (before and after) or not all(word[:1] not in ("", "-") for word in locations):
        return None
    return _order(late if after else asked, locations, as_json, only_failed)


def _asked(arguments: Sequence[str]) -> tuple[int, Asked]:
    """How many words at the front say which daemon is meant, and what they say."""
    match list(arguments[:2]):
        case ["--socket", path] if path[:1] not in ("", "-"):
            return 2, Asked(socket=path)
        case ["--user", *_]:
            return 1, Asked(service="user")
        case ["--system", *_]:
            return 1, Asked(service="system")
    return 0, Asked()


def _order(
    asked: Asked, locations: Sequence[str], as_json: bool, only_failed: bool
) -> Callable[[], int]:
    from codelocd.cli import status

    return lambda: status.once(asked, locations, as_json=as_json, only_failed=only_failed)
