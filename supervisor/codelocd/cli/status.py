"""What `codelocd status` prints, however its command line was read."""

from __future__ import annotations

from codelocd.cli import output
from codelocd.cli.connection import ask
from codelocd.cli.guard import ExitCode
from codelocd.render.status import failed, healthy, status

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Mapping, Sequence
    from typing import Any

    from codelocd.cli.which import Asked


def once(
    asked: Asked, locations: Sequence[str], *, as_json: bool, only_failed: bool = False
) -> int:
    """Print the locations, or those that failed; the exit code is that of `verdict`."""
    answer = ask(asked, "status", wanted(locations))
    if as_json:
        output.document(document(answer, only_failed=only_failed))
    else:
        text = failed if only_failed else status
        output.say(text(answer, output.stdout_screen()))
    return verdict(answer)


def document(answer: Mapping[str, Any], *, only_failed: bool) -> Mapping[str, Any]:
    """The `status --json` document."""
    if not only_failed:
        return answer
    return {**answer, "locations": [each for each in answer["locations"] if not healthy(each)]}


def wanted(locations: Sequence[str]) -> dict[str, list[str]]:
    """The parameter that names locations; none of them means all."""
    return {"locations": list(locations)} if locations else {}


def verdict(answer: Mapping[str, Any]) -> int:
    """FAILED where a wanted location is not serving, or is stale, or the config has mistakes."""
    config = answer["daemon"].get("config") or {}
    well = all(healthy(location) for location in answer["locations"])
    well = well and config.get("state") != "invalid"
    return ExitCode.DONE if well else ExitCode.FAILED
