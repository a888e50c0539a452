"""Two ends of a connection that ask each other."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codelocd.rpc import unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import Limits
from codelocd.rpc.server import open_peer, start_server
from codelocd.rpc.unix import Credentials
from tests.supervisor.rpc.world import DEADLINE, World, eventually, everything, messages, packed


async def test_a_call_gets_its_result(serve, dial) -> None:
    await serve()
    peer = await dial()
    for value in (None, True, -1, 1 << 63, 1.5, "é", b"\xff", [1, [2]], {"a": {"b": None}}):
        assert await peer.call("echo", {"value": value}, timeout=DEADLINE) == value
    assert await peer.call("echo", timeout=DEADLINE) is None


async def test_answers_may_come_in_another_order(serve, dial, world: World) -> None:
    await serve()
    peer = await dial()
    slow = asyncio.ensure_future(peer.call("hang"))
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1
    assert not slow.done()
    world.release.set()
    assert await asyncio.wait_for(slow, DEADLINE) == "released"


async def test_both_ends_may_ask(serve, dial) -> None:
    async def answer(_peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
        return [method, params]

    await serve()
    peer = await dial(answer)
    assert await peer.call("ask_back", timeout=DEADLINE) == ["question", {"n": 1}]


async def test_an_end_without_methods_says_so(serve, dial) -> None:
    await serve()
    with pytest.raises(RpcError, match="this end only asks") as caught:
        await (await dial()).call("ask_back", timeout=DEADLINE)
    assert caught.value.kind == "unknown"


async def test_an_error_goes_out_as_it_is(serve, dial, world: World) -> None:
    await serve()
    with pytest.raises(RpcError) as caught:
        await (await dial()).call("nonsense", timeout=DEADLINE)
    error = caught.value
    assert (error.kind, error.message) == ("unknown", "no method 'nonsense'")
    assert error.data == {"methods": ["echo"]}
    assert world.reports == []


@pytest.mark.parametrize(
    ("kind", "error", "message", "reported"),
    [
        ("bug", "internal", "ZeroDivisionError: first line", True),
        ("unpackable", "internal", "TypeError: can not serialize", True),
        ("unpackable error", "busy", "later", False),
        (
            "huge",
            "limit",
            "(a message is larger than 100000 bytes): ask for less, such as one",
            False,
        ),
        ("cancelled", "down", "break was cancelled", False),
    ],
)
async def test_a_failure_of_a_handler_is_an_error_of_one_call(
    kind: str, error: str, message: str, reported: bool, serve, dial, world: World
) -> None:
    await serve(limits=Limits(message_bytes=100_000))
    peer = await dial()
    with pytest.raises(RpcError) as caught:
        await peer.call("break", {"kind": kind}, timeout=DEADLINE)
    assert caught.value.kind == error
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert [where for where, _ in world.reports] == ["break"] * reported
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1


async def test_wrong_parameters_are_an_error_of_one_call(serve, raw) -> None:
    await serve()
    reader, writer = await raw()
    writer.write(packed([0, 1, "echo", [1, 2]]) + packed([0, 2, "echo", []]))
    wrong, right = await messages(reader, 2)
    assert (wrong[1], wrong[2]["kind"], wrong[3]) == (1, "usage", None)
    assert right == [1, 2, None, None]


async def test_a_call_that_takes_too_long_times_out_and_its_answer_is_ignored(
    serve, dial, world: World
) -> None:
    await serve()
    peer = await dial()
    with pytest.raises(RpcError, match=r"no answer to hang within 0\.01 s") as caught:
        await peer.call("hang", timeout=0.01)
    assert caught.value.kind == "timeout"
    world.release.set()
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1


async def test_notifications_come_in_order_and_get_no_answer(
    serve, dial, raw, world: World
) -> None:
    await serve()
    heard: list[int] = []
    peer = await dial(listener=lambda _method, params: heard.append(params["number"]))
    assert await peer.call("flood", {"events": 2000}, timeout=DEADLINE) == "flooded"
    assert heard == list(range(2000))
    reader, writer = await raw()
    for method in ("tell", "nonsense", "break"):
        writer.write(packed([2, method, [{"kind": "bug"}]]))
    writer.write(packed([0, 1, "echo", []]))
    await eventually(lambda: len(world.reports) == 1)
    assert world.told == [{"kind": "bug"}]
    writer.write(b"\xc1")
    assert [message[:2] for message in await everything(reader)] == [[1, 1], [2, "error"]]


async def test_a_connection_that_ends_cancels_what_was_asked_on_it(
    serve, dial, world: World
) -> None:
    await serve()
    peer = await dial()
    call = asyncio.ensure_future(peer.call("hang"))
    async with asyncio.timeout(DEADLINE):
        await world.begun.wait()
        peer.close()
        await world.cancelled.wait()
        with pytest.raises(RpcError, match="closed at this end") as caught:
            await call
    assert caught.value.kind == "down"


async def test_calls_on_a_connection_that_the_other_end_closed_are_down(
    serve, dial, world: World
) -> None:
    server = await serve()
    peer = await dial()
    call = asyncio.ensure_future(peer.call("hang"))
    async with asyncio.timeout(DEADLINE):
        await world.begun.wait()
        server.close()
        await peer.closed
    for failed in (call, peer.call("echo")):
        with pytest.raises(RpcError, match="the other end closed") as caught:
            await failed
        assert caught.value.kind == "down"
    peer.notify("tell")
    assert peer.backlog == 0


async def test_the_server_knows_who_is_at_the_other_end(serve, dial) -> None:
    await serve()
    who = await (await dial()).call("whoami", timeout=DEADLINE)
    assert who == [os.getpid(), os.getuid(), os.getgid()]


async def test_who_is_not_allowed_is_told_so_and_served_nothing(serve, dial, world: World) -> None:
    asked: list[Credentials] = []

    def allowed(who: Credentials) -> bool:
        asked.append(who)
        return False

    await serve(allowed=allowed)
    with pytest.raises(RpcError, match=f"user {os.getuid()} may not use this socket"):
        await (await dial()).call("echo", timeout=DEADLINE)
    assert [who.uid for who in asked] == [os.getuid()]
    assert world.peers == []


async def test_the_server_hears_of_connections_that_ended(serve, dial) -> None:
    ended: list[Peer] = []
    server = await serve(disconnected=ended.append)
    peer = await dial()
    await peer.call("echo", timeout=DEADLINE)
    (accepted,) = server.peers
    peer.close()
    await eventually(lambda: ended == [accepted])
    assert server.peers == set()


async def test_connecting_waits_for_a_listener_that_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "BACKLOG", 0)
    with unix.listen(tmp_path / "s") as listener, unix.connect(tmp_path / "s"):
        waiting = asyncio.ensure_future(open_peer(tmp_path / "s"))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        listener.accept()[0].close()
        peer = await asyncio.wait_for(waiting, DEADLINE)
        peer.close()
        await peer.closed
        with pytest.raises(TimeoutError):
            await open_peer(tmp_path / "s", timeout=0.05)


async def test_nobody_to_connect_to_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await open_peer(tmp_path / "s")
    unix.listen(tmp_path / "s").close()
    with pytest.raises(ConnectionRefusedError):
        await open_peer(tmp_path / "s")


async def test_a_peer_works_on_an_inherited_socket(serve, tmp_path: Path) -> None:
    """As under socket activation: the socket came from another process."""
    listener = unix.listen(tmp_path / "t")
    inherited = socket.socket(fileno=os.dup(listener.fileno()))
    listener.close()
    server = await start_server(inherited, World().handle, allowed=lambda _who: True)
    peer = await open_peer(tmp_path / "t")
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1
    peer.close()
    server.close()
    await asyncio.wait_for(server.wait_closed(), DEADLINE)
    await asyncio.wait_for(peer.closed, DEADLINE)
