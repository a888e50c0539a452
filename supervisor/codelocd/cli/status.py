"""Prints what `codelocd status` shows."""

from __future__ import annotations

from codelocd.cli import output
from codelocd.cli.connection import LONGEST_START, PROMPT_TIMEOUT, Connection, meant, reached
from codelocd.cli.exit_codes import ExitCode, Failure, SilentDaemon
from codelocd.cli.exit_codes import failed as say_failed
from codelocd.render.status import failed, healthy, status

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence

    from codelocd.cli.which import Asked, DaemonAddress
    from codelocd.documents.locations import StatusDocument


def once(
    asked: Asked, locations: Sequence[str], *, as_json: bool, only_failed: bool = False
) -> int:
    """Print the locations, or those that failed; the exit code is that of `verdict`.

    Where no daemon answers, it prints what the last one kept of them, and says so.
    """
    answer = answered(asked, locations)
    if as_json:
        output.document(document(answer, only_failed=only_failed))
    else:
        text = failed if only_failed else status
        output.say(text(answer, output.stdout_screen()))
    return verdict(answer)


def answered(asked: Asked, locations: Sequence[str]) -> StatusDocument:
    """The `status --json` document, by the daemon or, with a word on stderr, by what it left."""
    try:
        return reached(asked, lambda daemon: _asked(daemon, locations, PROMPT_TIMEOUT))
    except Failure as failure:
        if failure.code != ExitCode.NO_DAEMON:
            raise
        from codelocd.cli import unanswered  # seldom: the others need not wait for its imports

        daemon = meant(asked)
        if isinstance(failure, SilentDaemon) and unanswered.is_coming(daemon):
            return _asked(daemon, locations, LONGEST_START)
        left = unanswered.status(daemon, locations)
        if left is None:
            raise
        say_failed(unanswered.told(daemon, left))
        return left


def _asked(daemon: DaemonAddress, locations: Sequence[str], patience: float) -> StatusDocument:
    with Connection(daemon, patience) as connection:
        answer: StatusDocument = connection.call("status", wanted(locations), patience)
        return answer


def document(answer: StatusDocument, *, only_failed: bool) -> StatusDocument:
    """The `status --json` document."""
    if not only_failed:
        return answer
    return {**answer, "locations": [each for each in answer["locations"] if not healthy(each)]}


def wanted(locations: Sequence[str]) -> dict[str, list[str]]:
    """The parameter that names locations; none of them means all."""
    return {"locations": list(locations)} if locations else {}


def verdict(answer: StatusDocument) -> int:
    """FAILED where a wanted location is not serving, or is stale, or the config has mistakes;
    NO_DAEMON where it is not the daemon that says so."""
    if not answer["daemon"]["answers"]:
        return ExitCode.NO_DAEMON
    well = all(healthy(location) for location in answer["locations"])
    well = well and answer["daemon"]["config"]["state"] != "invalid"
    return ExitCode.DONE if well else ExitCode.FAILED
