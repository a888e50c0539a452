"""What one peer can cost: bounds of a connection, and of all together."""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial
from typing import Any

import pytest

from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import HIGH_WATER, UNREAD
from codelocd.rpc.requests import MESSAGE, MOST, FairQueue, Limits, RateLimit, Totals
from codelocd.rpc.server import talk_on
from tests.supervisor.rpc.world import DEADLINE, World, eventually, everything, messages, packed


async def test_an_answer_that_is_not_read_is_the_last_that_is_made(
    serve, raw, world: World
) -> None:
    """All requests come in one piece, before any answer could make the connection slow."""
    await serve()
    reader, writer = await raw()
    reader._transport.pause_reading()
    writer.write(b"".join(packed([0, n, "large", []]) for n in range(100)))
    await eventually(lambda: bool(world.peers) and world.peers[0].backlog > 0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(world.peers) == 1
    reader._transport.resume_reading()
    assert [answer[1] for answer in await messages(reader, 100)] == list(range(100))


async def test_those_who_have_not_read_for_the_longest_go_where_all_is_too_much(
    serve, raw, dial, world: World
) -> None:
    server = await serve(totals=Totals(unsent=2_500_000))
    slow = []
    for count in range(1, 5):
        reader, writer = await raw()
        reader._transport.pause_reading()
        writer.write(packed([0, 1, "large", []]))
        slow.append(reader)
        await eventually(partial(lambda count: len(world.peers) == count, count))
    await eventually(lambda: len(server.peers) < 4)
    assert sum(peer.backlog for peer in server.peers) <= 2_500_000
    assert await (await dial()).call("echo", {"value": 1}, timeout=DEADLINE) == 1
    assert world.reports[0] == ("connection", "it does not read its answers, and others wait")


async def test_an_answer_that_waits_for_many_is_in_memory_once(
    serve, raw, dial, world: World
) -> None:
    server = await serve(totals=Totals(unsent=8_000_000))
    readers = []
    for _ in range(8):
        reader, writer = await raw()
        reader._transport.pause_reading()
        writer.write(packed([0, 1, "shared", []]) + packed([0, 2, "echo", []]))
        readers.append(reader)
    await eventually(lambda: len(world.peers) >= 8)
    await eventually(lambda: sum(peer.backlog > 3_000_000 for peer in server.peers) == 8)
    assert server.unsent.bytes < 4_100_000
    assert max(peer.buffered for peer in server.peers) < 2 * HIGH_WATER
    assert world.reports == []
    quick = await dial()
    assert await quick.call("echo", {"value": 1}, timeout=DEADLINE) == 1
    for reader in readers:
        reader._transport.resume_reading()
        (_, first, _, answer), (_, second, _, _) = await messages(reader, 2)
        assert (first, len(answer["value"]), second) == (1, 4_000_000, 2)
    await eventually(lambda: server.unsent.bytes == 0)


async def test_what_is_cut_off_no_longer_counts(serve, raw, world: World) -> None:
    server = await serve()
    reader, writer = await raw()
    reader._transport.pause_reading()
    writer.write(packed([0, 1, "shared", []]))
    await eventually(lambda: server.unsent.bytes > 0)
    next(iter(server.peers)).cut_off(RpcError("limit", "gone"))
    await eventually(lambda: not server.peers)
    assert server.unsent.bytes == 0


async def test_a_user_has_so_many_connections_and_no_more(serve, raw, dial) -> None:
    await serve(totals=Totals(connections=2))
    first, second = await dial(), await dial()
    for peer in (first, second):
        await peer.call("echo", timeout=DEADLINE)
    reader, _writer = await raw()
    ((_, method, (error,)),) = await everything(reader)
    assert (method, error["kind"]) == ("error", "limit")
    assert error["message"] == f"user {os.getuid()} has 2 connections already; close some"
    second.close()
    await second.closed
    await eventually_answers(dial)


async def eventually_answers(dial: Any) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                assert await (await dial()).call("echo", {"value": 1}) == 1
            except RpcError:
                continue
            return


def test_connections_leave_descriptors_for_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _what: (200, 200))
    assert Totals().connections_of_one() == 50
    assert Totals(connections=3).connections_of_one() == 3


async def test_messages_that_are_not_complete_have_a_bound_together(
    serve, raw, dial, world: World
) -> None:
    server = await serve(totals=Totals(unfinished=3_000_000))
    for _ in range(2):
        _reader, writer = await raw()
        writer.write(packed([0, 1, "echo", [{"value": b"x" * 4_000_000}]])[:2_000_000])
    await eventually(lambda: bool(world.reports))
    await eventually(lambda: len(server.peers) == 1)
    assert world.reports == [("connection", "too much is being sent at once; try again later")]
    assert await (await dial()).call("echo", {"value": 1}, timeout=DEADLINE) == 1


async def test_a_request_of_very_many_values_is_refused(serve, raw) -> None:
    await serve()
    reader, writer = await raw()
    writer.write(packed([0, 9, "echo", [{"value": [0] * 100_000}]]))
    ((_, msgid, error, _),) = await everything(reader)
    assert (msgid, error["kind"]) == (9, "limit")


async def test_an_error_repeats_no_more_than_a_part_of_what_was_sent(serve, dial) -> None:
    await serve()
    with pytest.raises(RpcError) as caught:
        await (await dial()).call("x" * 1_000_000, timeout=DEADLINE)
    assert len(caught.value.message) == MESSAGE + 1


async def test_a_connection_with_much_to_say_lets_others_speak(serve, raw, dial) -> None:
    await serve()
    quick = await dial()
    await quick.call("echo", timeout=DEADLINE)
    reader, writer = await raw()
    writer.write(b"".join(packed([0, n, "echo", []]) for n in range(1000)))
    first, _ = await asyncio.gather(messages(reader, 1), quick.call("echo", timeout=DEADLINE))
    assert first[0][1] == 0
    rest = await messages(reader, 1000 - len(first))
    assert [each[1] for each in (*first, *rest)] == list(range(1000))


class Talker:
    """Has so much to say."""

    def __init__(self, name: str, count: int, heard: list[str]) -> None:
        self._name, self._count, self._heard = name, count, heard

    def take_next(self) -> bool:
        self._heard.append(self._name)
        self._count -= 1
        return self._count > 0


async def test_connections_are_heard_in_turn() -> None:
    heard: list[str] = []
    queue = FairQueue()
    queue.add(Talker("a", 3 * MOST, heard))
    queue.add(Talker("b", 2, heard))
    queue.add(Talker("c", 1, heard))
    await eventually(lambda: len(heard) == 3 * MOST + 3)
    assert "".join(heard[:6]) == "aabcab"
    quick = FairQueue()
    quick.add(Talker("d", 1, heard))
    assert heard[-1] == "d"


def test_a_rate_lets_a_second_pass_at_once_and_then_its_share() -> None:
    limit = RateLimit(10)
    assert [limit.wait(100.0) for _ in range(11)] == [0.0] * 11
    assert limit.wait(100.0) == pytest.approx(0.1)
    assert limit.wait(100.15) == 0.0
    assert limit.wait(100.15) > 0


async def test_a_connection_that_is_too_fast_is_slowed_down_and_loses_nothing(serve, raw) -> None:
    await serve(totals=Totals(rate=200))
    reader, writer = await raw()
    writer.write(b"".join(packed([0, n, "echo", []]) for n in range(300)))
    assert [each[1] for each in await messages(reader, 300)] == list(range(300))


async def test_an_end_that_does_not_read_what_it_is_asked_is_asked_little() -> None:
    """A runner that does not read: a ping still goes out, and nothing grows."""
    here, there = socket.socketpair(socket.AF_UNIX)
    here.setblocking(False)
    peer = await talk_on(here, patient=True)
    waiting = [asyncio.ensure_future(peer.call("call", {"x": "x" * UNREAD})) for _ in range(8)]
    ping = asyncio.ensure_future(peer.call("ping"))
    done, _ = await asyncio.wait(waiting, timeout=0)
    while not done:
        done, _ = await asyncio.wait(waiting, timeout=1, return_when="FIRST_COMPLETED")
    for each in done:
        error = each.exception()
        assert isinstance(error, RpcError)
        assert error.kind == "busy"
    assert peer.backlog < 3 * UNREAD
    assert not ping.done()
    peer.close()
    there.close()
    await asyncio.gather(*waiting, ping, return_exceptions=True)


async def test_an_end_that_asks_and_does_not_read_is_answered_no_further() -> None:
    """A runner that asks its daemon, which has no methods, and reads none of the errors."""
    here, there = socket.socketpair(socket.AF_UNIX)
    here.setblocking(False)
    there.setblocking(False)
    peer = await talk_on(here, limits=Limits(in_flight=10_000), patient=True)
    request = b"".join(packed([0, n, "status", []]) for n in range(500))
    sent, stuck = 0, 0
    while stuck < 100:
        try:
            sent += there.send(request[sent % len(request) :])
            stuck = 0
        except BlockingIOError:
            stuck += 1
        await asyncio.sleep(0)
    assert peer.backlog < UNREAD
    peer.close()
    there.close()
    await peer.closed


async def test_an_answer_that_is_packed_already_arrives_like_any_other(serve, dial) -> None:
    await serve()
    peer = await dial()
    answer = await peer.call("packed", {"count": 500}, timeout=DEADLINE)
    assert answer == {"revision": 1, "definitions": [{"n": n} for n in range(500)]}
