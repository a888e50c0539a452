"""The clients, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codelocd.client import AsyncClient, Client, DaemonUnreachable, RpcError
from codelocd.rpc import unix
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import Limits
from codelocd.rpc.server import Server, start_server
from tests.supervisor.subscribing import StatefulHub

DEADLINE = 60.0


class Daemon:
    """A control socket with a few methods, in a thread of its own."""

    def __init__(self, path: Path, limits: Limits, allowed: bool) -> None:
        self.hub = StatefulHub("instance", lambda topic: {"state of": topic})
        self._path = path
        self._limits = limits
        self._allowed = allowed
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self.do(self._serve())

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    def publish(self, topic: str, *data: dict[str, Any]) -> None:
        async def tell() -> None:
            for one in data:
                self.hub.publish(topic, one)

        self.do(tell())

    def hang_up(self) -> None:
        self.do(self._close())

    def stop(self) -> None:
        self.hang_up()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    async def _serve(self) -> Server:
        return await start_server(
            unix.listen(self._path),
            self._handle,
            allowed=lambda _who: self._allowed,
            limits=self._limits,
            disconnected=self.hub.drop,
        )

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _handle(self, peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
        match method:
            case "echo":
                return dict(params)
            case "run":
                return {"id": 17, "run": {"id": 17, **params}}
            case "runs":
                return {"runs": [dict(params)], "more": False}
            case "hang":
                return await asyncio.get_running_loop().create_future()
            case "subscribe":
                return self.hub.subscribe(peer, **params)
            case "unsubscribe":
                return self.hub.unsubscribe(peer, **params)
        raise RpcError("unknown", f"no method {method!r}", ["echo"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def start(path: Path) -> Iterator[Callable[..., Daemon]]:
    with contextlib.ExitStack() as stack:

        def serve(limits: Limits | None = None, allowed: bool = True) -> Daemon:
            daemon = Daemon(path, limits or Limits(), allowed)
            stack.callback(daemon.stop)
            return daemon

        yield serve


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    return start()


def why(ask: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(DaemonUnreachable) as caught:
        ask()
    assert "\n" not in str(caught.value)
    return caught.value.reason, str(caught.value)


@pytest.mark.usefixtures("daemon")
def test_a_client_gets_results_and_errors(path: Path) -> None:
    with Client(path) as client:
        assert client.call("echo", {"a": [1, "é", b"\xff"]}) == {"a": [1, "é", b"\xff"]}
        with pytest.raises(RpcError) as caught:
            client.call("nonsense")
        assert (caught.value.kind, caught.value.data) == ("unknown", ["echo"])
        assert client.call("echo", timeout=None) == {}


@pytest.mark.usefixtures("daemon")
def test_a_large_message_goes_both_ways(path: Path) -> None:
    with Client(path) as client:
        assert client.call("echo", {"a": "x" * 20_000_000}, timeout=60) == {"a": "x" * 20_000_000}


@pytest.mark.usefixtures("daemon")
async def test_both_clients_run_and_list_runs(path: Path) -> None:
    asked = {"location": "sales", "names": ["nightly"], "wait": True, "params": {"day": "x"}}
    with Client(path) as client:
        ended = client.run("sales", "nightly", wait=True, params={"day": "x"})
        assert ended == {"id": 17, **asked}
        assert client.runs(states=["failed"], limit=1) == [{"states": ["failed"], "limit": 1}]
    async with await AsyncClient.connect(path) as other:
        assert await other.run("sales", "nightly", wait=True, params={"day": "x"}) == ended
        assert await other.runs(limit=1) == [{"limit": 1}]


def test_a_client_takes_a_path_of_any_length(tmp_path: Path, start, monkeypatch) -> None:
    folder = tmp_path / ("d" * 200)
    folder.mkdir()
    long = Daemon(folder / ("s" * 200), Limits(), allowed=True)
    try:
        with Client(str(folder / ("s" * 200))) as client:
            assert client.call("echo") == {}
    finally:
        long.stop()


def test_events_follow_each_other(path: Path, daemon: Daemon) -> None:
    with Client(path) as client:
        events = client.subscribe(["status", "logs"])
        first = [next(events), next(events)]
        daemon.publish("status", {"n": 1}, {"n": 2})
        assert client.call("echo", {"in": "between"}) == {"in": "between"}
        daemon.publish("builds", {"not": "asked for"})
        daemon.publish("logs", {"n": 3})
        then = [next(events) for _ in range(3)]
    assert [event["topic"] for event in first] == ["status", "logs"]
    assert first[0]["data"] == {"state of": "status", "full": True, "missed": False}
    assert [(event["seq"], event["data"]) for event in then] == [
        (1, {"n": 1}),
        (2, {"n": 2}),
        (4, {"n": 3}),
    ]


def test_two_subscriptions_on_one_connection_do_not_mix(path: Path, daemon: Daemon) -> None:
    with Client(path) as client:
        status, logs = client.subscribe(["status"]), client.subscribe(["logs"])
        daemon.publish("logs", {"n": 1})
        daemon.publish("status", {"n": 2})
        assert [next(status)["topic"], next(status)["data"]] == ["status", {"n": 2}]
        assert [next(logs)["topic"], next(logs)["data"]] == ["logs", {"n": 1}]


def test_a_subscription_goes_on_where_an_earlier_one_ended(path: Path, daemon: Daemon) -> None:
    daemon.publish("status", {"n": 1}, {"n": 2}, {"n": 3})
    with Client(path) as client:
        events = client.subscribe(["status"], since={"instance": "instance", "seq": 1})
        assert [next(events)["data"], next(events)["data"]] == [{"n": 2}, {"n": 3}]


def test_no_socket_is_said(path: Path) -> None:
    reason, message = why(lambda: Client(path))
    assert (reason, message) == ("absent", f"there is no socket at {path}: no daemon runs there")


def test_a_socket_that_nobody_listens_on_is_said(path: Path) -> None:
    unix.listen(path).close()
    reason, message = why(lambda: Client(path))
    assert reason == "refused"
    assert f"no daemon listens on the socket {path}" in message


def test_missing_permission_is_said(path: Path) -> None:
    with unix.listen(path):
        program = (
            "import os, sys; from codelocd.client import Client, DaemonUnreachable\n"
            "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "try: Client(sys.argv[1])\n"
            "except DaemonUnreachable as error: print(error.reason, error)"
        )
        path.chmod(0)
        answer = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=DEADLINE
        )
    assert answer.stdout == f"denied no permission to use the socket {path}\n", answer.stderr


@pytest.mark.usefixtures("daemon")
def test_no_answer_in_time_is_said(path: Path) -> None:
    with Client(path) as client:
        reason, message = why(lambda: client.call("hang", timeout=0.05))
        assert reason == "silent"
        assert message == f"the daemon at {path} did not answer within 0.05 s"
        assert client.call("echo") == {}


def test_a_listener_that_accepts_nobody_is_said(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(unix, "BACKLOG", 0)
    with unix.listen(path), unix.connect(path):
        reason, message = why(lambda: Client(path, timeout=0.05))
    assert (reason, message) == ("silent", f"the daemon at {path} accepts no connection")


def test_a_daemon_that_stops_reading_is_silent(path: Path) -> None:
    with unix.listen(path), Client(path) as client:
        ask = lambda: client.call("echo", {"a": "x" * 30_000_000}, timeout=0.2)  # noqa: E731
        assert why(ask)[0] == "silent"
        assert why(lambda: client.call("echo"))[0] == "lost"


def test_a_daemon_that_goes_away_is_said(path: Path, daemon: Daemon) -> None:
    with Client(path) as client:
        events = client.subscribe(["status"])
        next(events)
        daemon.hang_up()
        reason, message = why(lambda: next(events))
        assert reason == "lost"
        assert message.startswith(f"the daemon at {path} closed the connection")
        assert why(lambda: client.call("echo"))[0] == "lost"


def test_who_may_not_use_the_daemon_is_told_so(path: Path, start) -> None:
    start(allowed=False)
    with Client(path) as client:
        _, message = why(lambda: client.call("echo"))
    assert message.endswith(f"user {os.getuid()} may not use this socket")


def test_a_request_beyond_the_limits_gets_the_daemons_reason(path: Path, start) -> None:
    start(limits=Limits(message_bytes=10_000))
    with Client(path) as client:
        with pytest.raises(RpcError, match="larger than 10000 bytes") as caught:
            client.call("echo", {"a": "x" * 10_000_000})
        assert caught.value.kind == "limit"


def test_what_is_no_daemon_is_said(path: Path) -> None:
    with unix.listen(path) as listener:

        def answer_in_http() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(1000)
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        other = threading.Thread(target=answer_in_http)
        other.start()
        with Client(path) as client:
            reason, message = why(lambda: client.call("echo"))
        other.join(DEADLINE)
    assert reason == "lost"
    assert "not MessagePack-RPC" in message


def test_the_client_imports_little() -> None:
    program = (
        "import sys; before = set(sys.modules); from codelocd.client import Client\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    imported = set(answer.stdout.split())
    assert "codelocd.client.sync" in imported
    heavy = {"asyncio", "typing", "socket", "enum", "re", "dataclasses", "pathlib", "json"}
    assert imported & heavy == set()


# --- under asyncio -------------------------------------------------------------------------------


@pytest.mark.usefixtures("daemon")
async def test_an_async_client_gets_results_and_errors(path: Path) -> None:
    async with await AsyncClient.connect(path) as client:
        assert await client.call("echo", {"a": 1}) == {"a": 1}
        with pytest.raises(RpcError, match="no method 'nonsense'"):
            await client.call("nonsense")


async def test_an_async_client_gets_events(path: Path, daemon: Daemon) -> None:
    async with await AsyncClient.connect(path) as client, asyncio.timeout(DEADLINE):
        events = client.subscribe(["status"])
        first: Any = (await anext(events))["data"]
        assert first["full"] is True
        daemon.publish("status", {"n": 1}, {"n": 2})
        assert [(await anext(events))["seq"], (await anext(events))["seq"]] == [1, 2]
        await client.call("echo")


async def test_an_async_subscription_that_is_left_is_ended(path: Path, daemon: Daemon) -> None:
    async with await AsyncClient.connect(path) as client, asyncio.timeout(DEADLINE):
        events = client.subscribe(["status"])
        await anext(events)
        await events.aclose()
        with pytest.raises(RpcError) as caught:
            await client.call("unsubscribe", {"subscription": 1})
        assert caught.value.kind == "unknown"


async def test_an_async_client_reads_no_more_events_than_it_may_hold(
    path: Path, daemon: Daemon, monkeypatch
) -> None:
    monkeypatch.setattr("codelocd.client.aio.READ_AHEAD", 100)
    async with await AsyncClient.connect(path) as client, asyncio.timeout(DEADLINE):
        events = client.subscribe(["status"])
        first: Any = (await anext(events))["data"]
        assert first["missed"] is False
        for number in range(200):
            daemon.publish("status", *({"n": number, "filler": "x" * 1000} for _ in range(100)))
        assert await client.call("echo", {"still": "answered"}) == {"still": "answered"}
        taken = 0
        event: Any = await anext(events)
        while not event["data"].get("full"):
            event = await anext(events)
            taken += 1
        assert taken < 20_000
        assert event["data"]["missed"] is True
        assert event["seq"] == 20_000


async def test_an_async_client_says_why_there_is_no_answer(path: Path, start) -> None:
    async def reason(ask: Any) -> str:
        with pytest.raises(DaemonUnreachable) as caught:
            await ask
        return caught.value.reason

    assert await reason(AsyncClient.connect(path)) == "absent"
    daemon = start()
    async with await AsyncClient.connect(path) as client, asyncio.timeout(DEADLINE):
        assert await reason(client.call("hang", timeout=0.05)) == "silent"
        events = client.subscribe(["status"])
        await anext(events)
        await asyncio.to_thread(daemon.hang_up)
        assert await reason(anext(events)) == "lost"
        assert await reason(client.call("echo")) == "lost"
