"""Two ends of a connection that ask each other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgpack
import pytest

from codelocd import rpc, unix
from codelocd.rpc import Limits, Peer, RpcError
from codelocd.rpc import peer as peer_module

DEADLINE = 20.0


class World:
    """A server with some methods, and what became of them."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str]] = []
        self.told: list[Mapping[str, Any]] = []
        self.cancelled = asyncio.Event()
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.peers: list[Peer] = []

    async def handle(self, peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
        self.peers.append(peer)
        found = getattr(self, f"do_{method}", None)
        if found is None:
            raise RpcError("unknown", f"no method {method!r}", {"methods": ["echo"]})
        return await found(peer, **params)

    def report(self, where: str, error: Exception) -> None:
        self.reports.append((where, str(error)))

    async def do_echo(self, peer: Peer, value: Any = None) -> Any:
        return value

    async def do_whoami(self, peer: Peer) -> Any:
        who = peer.credentials
        return [who.pid, who.uid, who.gid]

    async def do_ask_back(self, peer: Peer) -> Any:
        return await peer.call("question", {"n": 1}, timeout=DEADLINE)

    async def do_hang(self, peer: Peer) -> Any:
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "released"

    async def do_break(self, peer: Peer, kind: str) -> Any:
        if kind == "bug":
            raise ZeroDivisionError("first line\nsecond line")
        if kind == "unpackable":
            return object()
        if kind == "unpackable error":
            raise RpcError("busy", "later", object())
        if kind == "huge":
            return "x" * 200_000
        raise asyncio.CancelledError

    async def do_tell(self, peer: Peer, **params: Any) -> None:
        self.told.append(params)

    async def do_flood(self, peer: Peer, events: int) -> str:
        for number in range(events):
            peer.notify("event", {"number": number, "filler": "x" * 1000})
        return "flooded"


Start = Callable[..., "asyncio.Future[rpc.Server]"]


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def serve(tmp_path: Path, world: World) -> AsyncIterator[Start]:
    path = tmp_path / "s"
    servers: list[rpc.Server] = []

    async def start(**options: Any) -> rpc.Server:
        options = {"allowed": lambda _who: True, "report": world.report, **options}
        servers.append(await rpc.serve(unix.listen(path), world.handle, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
        async with asyncio.timeout(DEADLINE):
            await server.wait_closed()


@pytest.fixture
async def dial(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    opened: list[Peer] = []

    async def connect(*arguments: Any, **options: Any) -> Peer:
        opened.append(await rpc.connect(tmp_path / "s", *arguments, **options))
        return opened[-1]

    yield connect
    for peer in opened:
        peer.close()
        async with asyncio.timeout(DEADLINE):
            await peer.closed


@pytest.fixture
def raw(tmp_path: Path):
    """A connection of a client that follows no rules."""
    with contextlib.ExitStack() as stack:

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            stack.callback(writer.close)
            return reader, writer

        yield connect


async def messages(reader: asyncio.StreamReader, number: int) -> list[Any]:
    """The next messages."""
    unpacker, found = msgpack.Unpacker(), []
    async with asyncio.timeout(DEADLINE):
        while len(found) < number:
            unpacker.feed(await reader.read(1 << 16))
            found += unpacker
    return found


async def everything(reader: asyncio.StreamReader) -> list[Any]:
    """All messages until the other end closes."""
    async with asyncio.timeout(DEADLINE):
        unpacker = msgpack.Unpacker()
        with contextlib.suppress(ConnectionResetError):
            while data := await reader.read(1 << 16):
                unpacker.feed(data)
        return list(unpacker)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


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
        ("huge", "limit", "larger than 100000 bytes", False),
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
    writer.write(msgpack.packb([0, 1, "echo", [1, 2]]) + msgpack.packb([0, 2, "echo", []]))
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
        writer.write(msgpack.packb([2, method, [{"kind": "bug"}]]))
    writer.write(msgpack.packb([0, 1, "echo", []]))
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


async def test_what_is_no_message_closes_that_connection_and_no_other(
    serve, dial, raw, world: World
) -> None:
    await serve()
    peer = await dial()
    reader, writer = await raw()
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    ((kind, method, (why,)),) = await everything(reader)
    assert (kind, method, why["kind"]) == (2, "error", "protocol")
    assert world.reports == [("connection", why["message"])]
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1


@pytest.mark.parametrize(
    ("limits", "request_", "kind"),
    [
        (Limits(message_bytes=1000), [0, 8, "echo", [{"value": "x" * 100_000}]], "limit"),
        (Limits(elements=100), [0, 8, "echo", [{"value": [1] * 1000}]], "limit"),
        (Limits(depth=3), [0, 8, "echo", [{"value": [[[]]]}]], "limit"),
        (Limits(), [0, 8, b"echo", []], "protocol"),
    ],
)
async def test_a_bad_request_with_an_id_is_answered_before_the_end(
    limits: Limits, request_: Any, kind: str, serve, raw
) -> None:
    await serve(limits=limits)
    reader, writer = await raw()
    writer.write(msgpack.packb(request_))
    ((_, msgid, error, result),) = await everything(reader)
    assert (msgid, error["kind"], result) == (8, kind, None)


async def test_too_many_requests_in_flight_close_the_connection(serve, dial, raw) -> None:
    await serve(limits=Limits(in_flight=3))
    other = await dial()
    reader, writer = await raw()
    for msgid in range(4):
        writer.write(msgpack.packb([0, msgid, "hang", []]))
    ((_, msgid, error, _),) = await everything(reader)
    assert (msgid, error["kind"]) == (3, "limit")
    assert await other.call("echo", {"value": 1}, timeout=DEADLINE) == 1


async def test_a_caller_keeps_the_bound_on_requests_in_flight_itself(
    serve, dial, world: World
) -> None:
    await serve()
    peer = await dial(limits=Limits(in_flight=2))
    calls = [asyncio.ensure_future(peer.call("hang")) for _ in range(2)]
    await eventually(lambda: len(world.peers) == 2)
    with pytest.raises(RpcError, match="2 requests are already in flight") as caught:
        await peer.call("echo")
    assert caught.value.kind == "limit"
    world.release.set()
    await asyncio.wait_for(asyncio.gather(*calls), DEADLINE)
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1


async def test_a_call_that_cannot_be_sent_takes_no_place(serve, dial) -> None:
    await serve()
    peer = await dial(limits=Limits(in_flight=1, message_bytes=1000))
    for _ in range(2):
        with pytest.raises(RpcError, match="larger than 1000 bytes"):
            await peer.call("echo", {"value": "x" * 1000})
        with pytest.raises(TypeError):
            await peer.call("echo", {"value": object()})
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1


async def test_an_answer_to_nothing_is_ignored(serve, raw) -> None:
    await serve()
    reader, writer = await raw()
    writer.write(msgpack.packb([1, 77, None, "?"]) + msgpack.packb([0, 1, "echo", [{"value": 3}]]))
    assert await messages(reader, 1) == [[1, 1, None, 3]]


async def test_the_server_knows_who_is_at_the_other_end(serve, dial) -> None:
    await serve()
    who = await (await dial()).call("whoami", timeout=DEADLINE)
    assert who == [os.getpid(), os.getuid(), os.getgid()]


async def test_who_is_not_allowed_is_told_so_and_served_nothing(serve, dial, world: World) -> None:
    asked: list[rpc.Credentials] = []
    await serve(allowed=lambda who: bool(asked.append(who)))
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


async def test_an_end_that_does_not_read_is_not_read_from(serve, raw, world: World) -> None:
    await serve()
    reader, writer = await raw()
    reader._transport.pause_reading()
    for msgid in range(1000):
        writer.write(msgpack.packb([0, msgid, "echo", [{"value": "x" * 10_000}]]))
        await asyncio.sleep(0)
    await eventually(lambda: bool(world.peers) and world.peers[0].backlog > peer_module.LOW_WATER)
    assert len(world.peers) < 1000
    reader._transport.resume_reading()
    assert {answer[1] for answer in await messages(reader, 1000)} == set(range(1000))
    assert world.peers[0].backlog == 0


async def test_a_slow_end_is_known_by_its_backlog_and_by_when_it_is_drained(
    serve, raw, world: World
) -> None:
    await serve()
    reader, writer = await raw()
    writer.write(msgpack.packb([0, 1, "echo", []]))
    await messages(reader, 1)
    (peer,) = world.peers
    drained = asyncio.Event()
    peer.when_drained(drained.set)
    await asyncio.wait_for(drained.wait(), DEADLINE)

    drained.clear()
    reader._transport.pause_reading()
    peer.send(msgpack.packb([2, "event", [{"data": b"x" * 5_000_000}]]))
    assert peer.backlog > peer_module.HIGH_WATER
    peer.when_drained(drained.set)
    reader._transport.resume_reading()
    async with asyncio.timeout(DEADLINE):
        while not drained.is_set():
            assert await reader.read(1 << 16)
    assert peer.backlog <= peer_module.LOW_WATER


async def test_what_was_said_before_the_end_still_arrives(serve, dial) -> None:
    server = await serve()
    heard: list[Mapping[str, Any]] = []
    peer = await dial(listener=lambda _method, params: heard.append(params))
    await peer.call("echo", timeout=DEADLINE)
    (accepted,) = server.peers
    for number in range(3000):
        accepted.notify("event", {"number": number, "filler": "x" * 1000})
    server.close()
    await asyncio.wait_for(peer.closed, DEADLINE)
    assert len(heard) == 3000


async def test_an_end_that_does_not_read_the_last_words_is_cut_off(
    serve, raw, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_module, "LAST_WORDS", 0.05)
    server = await serve()
    reader, writer = await raw()
    reader._transport.pause_reading()
    writer.write(msgpack.packb([0, 1, "echo", [{"value": "x" * 5_000_000}]]))
    await writer.drain()
    await eventually(lambda: bool(world.peers) and world.peers[0].backlog > 0)
    server.close()
    await asyncio.wait_for(world.peers[0].closed, DEADLINE)
    assert server.peers == set()


async def test_connecting_waits_for_a_listener_that_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "BACKLOG", 0)
    with unix.listen(tmp_path / "s") as listener, unix.connect(tmp_path / "s"):
        waiting = asyncio.ensure_future(rpc.connect(tmp_path / "s"))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        listener.accept()[0].close()
        peer = await asyncio.wait_for(waiting, DEADLINE)
        peer.close()
        await peer.closed
        with pytest.raises(TimeoutError):
            await rpc.connect(tmp_path / "s", timeout=0.05)


async def test_nobody_to_connect_to_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await rpc.connect(tmp_path / "s")
    unix.listen(tmp_path / "s").close()
    with pytest.raises(ConnectionRefusedError):
        await rpc.connect(tmp_path / "s")


async def test_a_peer_works_on_an_inherited_socket(serve, tmp_path: Path) -> None:
    """As under socket activation: the socket came from somebody else."""
    listener = unix.listen(tmp_path / "t")
    inherited = socket.socket(fileno=os.dup(listener.fileno()))
    listener.close()
    server = await rpc.serve(inherited, World().handle, allowed=lambda _who: True)
    peer = await rpc.connect(tmp_path / "t")
    assert await peer.call("echo", {"value": 1}, timeout=DEADLINE) == 1
    peer.close()
    server.close()
    await asyncio.wait_for(server.wait_closed(), DEADLINE)
    await asyncio.wait_for(peer.closed, DEADLINE)
