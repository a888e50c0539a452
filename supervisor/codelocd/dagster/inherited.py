"""Code servers outlive the daemon, with the runs that they have: the next one goes on with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from codelocd.dagster.code_server import LEAVING, SERVER, CodeServer, Hold, Kind, ServerOutput
from codelocd.model import Output
from codelocd.process.child import Children
from codelocd.process.inheritance import RUNNER, Inheritance, Left
from codelocd.runners.warm.method import MethodChoice


def holding(children: Children, home: Path) -> Hold:
    """`home`: the DAGSTER_HOME of the daemon; one with another cannot go on with the server."""

    def hold(server: CodeServer, kind: Kind) -> None:
        record = {
            "kind": kind,
            "location": server.location,
            "generation": None,
            "path": str(server.path),
            "executable": str(server.executable),
            "start_method": server.choice.method,
            "why": server.choice.why,
            "group": server.group,
            "since": server.since,
            "home": str(home),
        }
        children.hold(server.pid, record)

    return hold


def paths(inheritance: Inheritance) -> set[Path]:
    """Where the servers listen that were left."""
    return {
        Path(left.record["path"]) for left in inheritance.left if left.kind in (SERVER, LEAVING)
    }


class InheritedServers:
    """Those that were left: `serving` are the ones that Dagster was led to, the newest last;
    `leaving` take no more runs."""

    def __init__(
        self,
        inheritance: Inheritance,
        children: Children,
        output: Callable[[str, int | None], Output],
        home: Path,
    ) -> None:
        """`output(location, generation)`: where what a server prints goes."""
        runners = [left.record for left in inheritance.left if left.kind == RUNNER]
        generations = {each["location"]: each["generation"] for each in runners}
        self.serving: list[CodeServer] = []
        self.leaving: list[CodeServer] = []
        for left in (*inheritance.of(LEAVING), *inheritance.of(SERVER)):
            name = left.record["location"]
            goes_on = left.kind == SERVER and left.record["home"] == str(home)
            server = _taken(left, children, output(name, generations.get(name)))
            if server is not None:
                (self.serving if goes_on else self.leaving).append(server)


def _taken(left: Left, children: Children, output: Output) -> CodeServer | None:
    """The server; None where it is gone, and with it all that it had."""
    record, words = left.record, ServerOutput(output)
    words.pass_on()
    left.tell(words)
    try:
        child = left.child(children, words)
    except ProcessLookupError:
        left.end()
        return None
    choice = MethodChoice(record["start_method"], record["why"])
    executable, path = Path(record["executable"]), Path(record["path"])
    group, since = record.get("group"), record.get("since")  # an older daemon noted neither
    return CodeServer(record["location"], child, executable, path, words, choice, group, since)
