"""Reading is not acting: which user may ask the daemon what."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon.control import Control
from codelocd.daemon.rights import NEEDED, PERIOD, Gate, Refusals, Right, Trusted
from codelocd.rpc import unix
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import start_server
from codelocd.rpc.unix import Credentials

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
READERS, OPERATORS, OTHER = 4001, 4002, 4003
TRUSTED = Trusted(1000, READERS, OPERATORS)

ASK = """
import json, os, sys
from codelocd.client import Client, DaemonUnreachable, RpcError
user, groups, path, *methods = sys.argv[1:]
os.setgroups([int(each) for each in groups.split(",")]); os.setgid(int(user)); os.setuid(int(user))
def answer(method):
    try:
        with Client(path, foreign=True) as client:
            return client.call(method)
    except (RpcError, DaemonUnreachable) as error:
        return str(error)
print(json.dumps([answer(method) for method in methods]))
"""


def of(uid: int, *groups: int) -> Credentials:
    return Credentials(uid, groups[0] if groups else uid, 1, frozenset(groups))


@pytest.mark.parametrize(
    ("who", "right"),
    [
        (of(0), Right.OWN),
        (of(1000), Right.OWN),
        (of(1001, READERS), Right.READ),
        (of(1001, OTHER, OPERATORS), Right.OPERATE),
        (of(1001, READERS, OPERATORS), Right.OPERATE),
        (of(1001, OTHER), Right.NONE),
        (of(1001), Right.NONE),
    ],
)
def test_a_right_comes_from_the_user_and_the_groups(who: Credentials, right: Right) -> None:
    assert TRUSTED.right(who) is right
    assert Trusted(1000).right(who) in (Right.OWN, Right.NONE)


def test_a_socket_is_of_the_group_that_has_to_reach_it() -> None:
    assert [Trusted(0).group, Trusted(0, None, 7).group, Trusted(0, 6, 7).group] == [None, 7, 6]


def test_every_method_needs_a_right_and_the_protocol_tells_which() -> None:
    rows = re.findall(r"^\| ((?:`\w+` )+)\| `(read|operate|own)` \|", DOCUMENT, flags=re.MULTILINE)
    told = {name: Right[right.upper()] for cell, right in rows for name in re.findall(r"\w+", cell)}
    assert told == NEEDED


def test_refused_requests_are_told_at_once_and_then_counted() -> None:
    told: list[str] = []
    later: list[tuple[float, Callable[[], None]]] = []
    refusals = Refusals(told.append, lambda *call: later.append(call))
    for _ in range(1000):
        refusals.add(1001, "stop")
    refusals.add(1002, "stop")
    assert told == ["stop was refused to user 1001", "stop was refused to user 1002"]
    for seconds, sum_up in later:
        assert seconds == PERIOD
        sum_up()
    assert told[2:] == ["stop was refused to user 1001; 999 more such requests since"]
    refusals.add(1001, "stop")
    assert len(told) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERGROUPS is Linux's")
def test_the_kernel_tells_all_groups_of_a_peer() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        found = unix.of_peer(here)
        assert found is not None
        assert found.groups == {os.getegid(), *os.getgroups()}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can pass through; those that pytest makes are closed."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two other users")
async def test_another_user_may_what_their_groups_may(open_folder: Path) -> None:
    told: list[str] = []

    async def answer(_peer: Peer, method: str, _params: Mapping[str, Any]) -> str:
        return f"did {method}"

    gate = Gate(Trusted(0, READERS, OPERATORS), Refusals(told.append, lambda *_: None))
    listening = unix.listen(open_folder / "s", mode=0o666)
    server = await start_server(listening, gate.guard(answer), allowed=gate.admits)
    no_right = "; only operator_group may"
    for user, groups, expected in (
        (5001, [READERS], ["did status", f"stop was refused to user 5001{no_right}"]),
        (5002, [READERS, OPERATORS], ["did status", "did stop"]),
    ):
        found = await ask(open_folder / "s", user, groups, "status", "stop", "command")
        owns = f"command was refused to user {user}; only the daemon's own user and root may"
        assert found == [*expected, owns]
    (denied,) = await ask(open_folder / "s", 5003, [OTHER], "status")
    assert denied.endswith("user 5003 may not use this socket")
    assert told == [f"{what} was refused to user {who}" for what, who in REFUSED]
    server.close()


REFUSED = [("stop", 5001), ("command", 5001), ("command", 5002)]


async def ask(path: Path, user: int, groups: list[int], *methods: str) -> list[str]:
    """What another user gets as answers."""
    listed = ",".join(map(str, groups))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ASK, str(user), listed, str(path), *methods),
        stdout=subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    answers: list[str] = json.loads(printed)
    return answers


def test_control_has_no_method_without_a_right() -> None:
    source = Path(sys.modules[Control.__module__].__file__ or "").read_text()
    assert set(re.findall(r'^            "(\w+)": \(self', source, flags=re.MULTILINE)) <= {*NEEDED}
