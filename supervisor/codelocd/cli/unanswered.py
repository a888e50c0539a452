"""The status of a daemon that does not answer: what it kept last, compared with the processes that
are there."""

from __future__ import annotations

from pathlib import Path

from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.core.nearest import advice
from codelocd.process import identity
from codelocd.render.text import duration
from codelocd.storage import last_status

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence

    from codelocd.cli.which import DaemonAddress
    from codelocd.documents.locations import (
        Condition,
        LocationStatus,
        ProblemDocument,
        StatusDocument,
    )
    from codelocd.model import ProblemKind
    from codelocd.storage.last_status import LastStatus

UNDER_WAY = ("building", "starting", "backoff", "stopping", "serving")
"""States that end with the daemon, unless a runner serves on."""


def status(daemon: DaemonAddress, locations: Sequence[str]) -> StatusDocument | None:
    """The `status --json` document by what is on disk and in /proc; None where nothing is kept.

    Its part `daemon` says that the daemon did not answer, in what condition its process is, and
    how old the rest is. Raises Failure for a location that it did not have.
    """
    kept = last_status.read(daemon.socket)
    if kept is None:
        return None
    condition = _condition(kept.process(kept.daemon))
    entries = {each["name"]: each for each in kept.status["locations"]}
    for name in locations:
        if name not in entries:
            known = advice(name, entries, "there were")
            raise Failure(f"there was no location {name!r}; {known}", ExitCode.UNKNOWN)
    uptime = None if condition == "gone" else _later(kept.status["daemon"]["uptime"], kept)
    ending = None if condition == "gone" else kept.status["daemon"]["ending"]
    wanted = [entries[name] for name in locations or entries]
    return {
        "schema": kept.status["schema"],
        "daemon": {
            **kept.status["daemon"],
            "answers": False,
            "condition": condition,
            "as_of": kept.at,
            "age": kept.age,
            "uptime": uptime,
            "ending": ending,
        },
        "locations": [_entry(each, kept, condition) for each in wanted],
    }


LONGEST_UPGRADE = 30.0
"""Seconds; an upgrade that takes longer has failed."""


def is_coming(daemon: DaemonAddress) -> bool:
    """Whether one that listens and does not answer does so in a moment: it takes up other code, or
    there is no process yet, since a service manager holds the socket and starts it."""
    kept = last_status.read(daemon.socket)
    if kept is not None and kept.upgrade and kept.age < LONGEST_UPGRADE:
        return True
    gone = kept is None or kept.process(kept.daemon) == identity.GONE
    return gone and _is_held_by_manager(daemon.socket)


def _is_held_by_manager(path: str) -> bool:
    """Whether another process than a daemon keeps the socket there: of those that wait at it, the
    kernel says who listened last, which is systemd, or a daemon that has ended."""
    from codelocd.rpc import unix

    try:
        with unix.connect(Path(path), timeout=1) as connection:
            peer = unix.of_peer(connection)
        listened = Path("/proc", str(peer.pid), "comm") if peer and peer.pid else None
        return listened is not None and listened.read_text().strip() == "systemd"
    except FileNotFoundError:
        return True
    except OSError:
        return False


def is_stopped(daemon: DaemonAddress) -> str | None:
    """In one line that its process was stopped by a signal; None where it was not."""
    kept = last_status.read(daemon.socket)
    if kept is None or kept.process(kept.daemon) not in identity.STOPPED:
        return None
    what, remedy = _SAID["stopped"]
    return f"{daemon.name}, process {kept.daemon}, {what}; {remedy.format(pid=kept.daemon)}"


def waited_for(daemon: DaemonAddress, seconds: float) -> str:
    """In one line: that a command waits for the daemon to answer, why, and what to do."""
    kept, wait = last_status.read(daemon.socket), f"waiting up to {seconds:g} s for {daemon.name}"
    if is_coming(daemon) and not (kept is not None and kept.upgrade):
        return f"{wait}, which is started just now"
    if kept is None:
        return f"{wait}, which does not answer"
    if kept.upgrade and kept.age < LONGEST_UPGRADE:
        return f"{wait}, which takes up its new version"
    pid = kept.daemon
    what, remedy = _SAID[_condition(kept.process(kept.daemon))]
    return f"{wait}, process {pid}, which {what}; {remedy.format(pid=pid)}"


_SAID: dict[Condition, tuple[str, str]] = {
    "stopped": ("is stopped", "`kill -CONT {pid}` lets it go on"),
    "silent": ("runs but does not answer", "see its log, or `kill {pid}`"),
    "gone": ("is gone", "start it again"),
}


def told(daemon: DaemonAddress, document: StatusDocument) -> str:
    """In one line: that the daemon does not answer, why, how old the answer is, what to do."""
    about = document["daemon"]
    pid, condition = about["pid"], about.get("condition", "silent")
    what, remedy = _SAID[condition]
    kept = f"what follows is from its file of {duration(about.get('age'))} ago and its processes"
    return f"{daemon.name}, process {pid}, {what}: {kept}; {remedy.format(pid=pid)}"


def _condition(letter: str) -> Condition:
    if letter == identity.GONE:
        return "gone"
    return "stopped" if letter in identity.STOPPED else "silent"


def _entry(entry: LocationStatus, kept: LastStatus, condition: Condition) -> LocationStatus:
    """As it was kept, less what no longer holds."""
    past: LocationStatus = {
        **entry,
        "memory": None,
        "cpu": None,
        "uptime": _later(entry["uptime"], kept),
        "phase_seconds": _later(entry["phase_seconds"], kept),
        "last_answer": _later(entry["last_answer"], kept),
    }
    if condition == "gone":
        past["reloading"] = None
    pid = entry["pid"]
    letter = identity.GONE if pid is None else kept.process(pid)
    if letter != identity.GONE:
        if letter in identity.STOPPED:
            summary = f"the runner is stopped; `kill -CONT {pid}` lets it go on"
            past["problem"] = _problem("unresponsive", summary, kept)
        return past
    past["pid"] = past["uptime"] = past["last_answer"] = None
    past["generation"] = past["start_method"] = None
    if pid is not None:
        past["problem"] = _problem("crash", f"its runner, process {pid}, is gone", kept)
    if pid is not None or (condition == "gone" and entry["state"] in UNDER_WAY):
        past["state"], past["phase_seconds"] = "stopped", None
    return past


def _problem(kind: ProblemKind, summary: str, kept: LastStatus) -> ProblemDocument:
    return {
        "kind": kind,
        "summary": summary,
        "detail": "",
        "at": kept.at,
        "frames": [],
        "remedy": None,
    }


def _later(seconds: float | None, kept: LastStatus) -> float | None:
    return None if seconds is None else seconds + kept.age
