"""What `codelocd status` prints, however its command line was read."""

from __future__ import annotations

from codelocd.cli import output
from codelocd.cli.connection import ask
from codelocd.cli.failures import ExitCode
from codelocd.render.status import healthy, status

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Mapping, Sequence
    from typing import Any

    from codelocd.cli.which import Asked


def once(asked: Asked, locations: Sequence[str], *, as_json: bool) -> int:
    """Print the locations; FAILED where a wanted one is not serving, or is stale."""
    answer = ask(asked, "status", wanted(locations))
    if as_json:
        output.document(answer)
    else:
        output.say(status(answer, output.stdout_screen()))
    return verdict(answer)


def wanted(locations: Sequence[str]) -> dict[str, list[str]]:
    """The parameter that names locations; none of them means all."""
    return {"locations": list(locations)} if locations else {}


def verdict(answer: Mapping[str, Any]) -> int:
    """FAILED where a wanted location is not serving, or is stale."""
    well = all(healthy(location) for location in answer["locations"])
    return ExitCode.DONE if well else ExitCode.FAILED
