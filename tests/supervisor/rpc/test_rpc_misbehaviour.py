"""Ends that send what is none, too much, or do not read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from codelocd.rpc import peer as peer_module
from codelocd.rpc.errors import RpcError
from codelocd.rpc.requests import Limits
from tests.supervisor.rpc.world import DEADLINE, World, eventually, everything, messages, packed


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
    writer.write(packed(request_))
    ((_, msgid, error, result),) = await everything(reader)
    assert (msgid, error["kind"], result) == (8, kind, None)


async def test_too_many_requests_in_flight_close_the_connection(serve, dial, raw) -> None:
    await serve(limits=Limits(in_flight=3))
    other = await dial()
    reader, writer = await raw()
    for msgid in range(4):
        writer.write(packed([0, msgid, "hang", []]))
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
    writer.write(packed([1, 77, None, "?"]) + packed([0, 1, "echo", [{"value": 3}]]))
    assert await messages(reader, 1) == [[1, 1, None, 3]]


async def test_an_end_that_does_not_read_is_not_read_from(serve, raw, world: World) -> None:
    await serve()
    reader, writer = await raw()
    reader._transport.pause_reading()
    for msgid in range(1000):
        writer.write(packed([0, msgid, "echo", [{"value": "x" * 10_000}]]))
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
    writer.write(packed([0, 1, "echo", []]))
    await messages(reader, 1)
    (peer,) = world.peers
    drained = asyncio.Event()
    peer.when_drained(drained.set)
    await asyncio.wait_for(drained.wait(), DEADLINE)

    drained.clear()
    reader._transport.pause_reading()
    peer.send(packed([2, "event", [{"data": b"x" * 4_000_000}]]))
    assert peer.backlog > peer_module.HIGH_WATER
    peer.when_drained(drained.set)
    reader._transport.resume_reading()
    async with asyncio.timeout(DEADLINE):
        while not drained.is_set():
            assert await reader.read(1 << 16)
    assert peer.backlog <= peer_module.HIGH_WATER


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
    writer.write(packed([0, 1, "echo", [{"value": "x" * 4_000_000}]]))
    await writer.drain()
    await eventually(lambda: bool(world.peers) and world.peers[0].backlog > 0)
    server.close()
    await asyncio.wait_for(world.peers[0].closed, DEADLINE)
    assert server.peers == set()
