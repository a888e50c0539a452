"""The store of environments, as a command of the user finds it."""

from __future__ import annotations

from codelocd.cli import local
from codelocd.cli.connection import ask
from codelocd.cli.failures import ExitCode, Failure
from codelocd.cli.which import Asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from codeloc_envs import Store


def listed(asked: Asked) -> list[dict[str, Any]]:
    """The environments; which locations use them is known only where a daemon answers."""
    try:
        found: list[dict[str, Any]] = ask(asked, "environments")
    except Failure as failure:
        if failure.code != ExitCode.NO_DAEMON or asked.socket or asked.service:
            raise
        return [{**environment, "used_by": []} for environment in store(asked).list()]
    return found


def one_of(found: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """The one with that key, the beginning of it, or a location of that name; Failure."""
    matches = [each for each in found if each["key"].startswith(key) or key in each["used_by"]]
    if not matches:
        what = f"no environment {key!r} in the store; `codelocd env list` shows them"
        raise Failure(what, ExitCode.UNKNOWN)
    if len(matches) > 1:
        keys = ", ".join(match["key"][:12] for match in matches)
        raise Failure(f"{key!r} is ambiguous: {keys}", ExitCode.USAGE)
    return matches[0]


def store(asked: Asked) -> Store:
    """The store that a daemon started here would use."""
    from codeloc_envs import Store

    kind = asked.service or "user"
    return Store(local.places(kind, local.settings(), asked).store)
