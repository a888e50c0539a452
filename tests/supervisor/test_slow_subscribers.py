"""Who reads slowly: what is kept for them, and whom they do not hold up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codelocd.daemon.event_history import Event, EventHistory
from codelocd.daemon.subscriptions import BACKLOG
from codelocd.rpc import unix
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import open_peer, start_server
from tests.supervisor.subscribing import Connection, Recorder, State, StatefulHub, full, listen


def test_a_slow_subscriber_gets_what_is_kept_when_it_has_caught_up(
    hub: StatefulHub, connection: Connection, state: State
) -> None:
    listen(hub, connection, "status")
    connection.clog()
    for number in range(1, 6):
        hub.publish("status", {"n": number})
    assert connection.take() == [("status", 1, {"n": 1})]
    connection.clear()
    assert connection.take() == [("status", number, {"n": number}) for number in (2, 3, 4, 5)]
    hub.publish("status", {"n": 6})
    assert connection.take() == [("status", 6, {"n": 6})]
    assert state.asked == ["status"]


def test_a_slow_subscriber_that_missed_something_is_told_and_gets_the_full_state(
    hub: StatefulHub, connection: Connection
) -> None:
    listen(hub, connection, "status", "builds")
    connection.clog()
    for number in range(1, 31):
        hub.publish("status", {"n": number})
    assert connection.take() == [("status", 1, {"n": 1})]
    connection.clear()
    assert connection.take() == [
        full("status", 30, missed=True),
        full("builds", 30, missed=True),
    ]
    hub.publish("status", {"n": 31})
    assert connection.take() == [("status", 31, {"n": 31})]


def test_a_slow_subscriber_goes_on_a_little_at_a_time(
    hub: StatefulHub, connection: Connection
) -> None:
    listen(hub, connection, "status")
    connection.clog()
    for number in range(1, 6):
        hub.publish("status", {"n": number})
    for number in range(1, 6):
        assert connection.take() == [("status", number, {"n": number})]
        connection.drain()
    assert connection.take() == []


def test_a_full_state_that_fills_a_connection_is_sent_whole(
    hub: StatefulHub, connection: Connection
) -> None:
    connection.clog()
    hub.subscribe(connection, ["status", "definitions", "logs", "builds"])
    connection.drain()
    assert [topic for topic, _, _ in connection.take()] == [
        "status",
        "definitions",
        "logs",
        "builds",
    ]
    hub.publish("status", {"n": 1})
    assert connection.take() == []
    connection.clear()
    assert connection.take() == [("status", 1, {"n": 1})]


def test_a_slow_subscriber_keeps_nobody_waiting(hub: StatefulHub, connection: Connection) -> None:
    quick = Connection()
    listen(hub, connection, "status")
    listen(hub, quick, "status")
    connection.clog()
    for number in range(1, 31):
        hub.publish("status", {"n": number})
    assert len(quick.take()) == 30
    assert len(connection.take()) == 1


def test_the_history_is_bounded_in_bytes(state: State, connection: Connection) -> None:
    hub = StatefulHub("me", state, history=1000, history_bytes=10_000)
    for _ in range(30):
        hub.publish("logs", {"text": "x" * 1000})
    hub.subscribe(connection, ["logs"], {"instance": "me", "seq": 25})
    connection.drain()
    assert [seq for _, seq, _ in connection.take()] == [26, 27, 28, 29, 30]
    hub.subscribe(connection, ["logs"], {"instance": "me", "seq": 15})
    connection.drain()
    assert connection.take() == [full("logs", 30, missed=True)]


def test_a_history_finds_its_place_among_numbers_with_gaps() -> None:
    history = EventHistory(events=10, size=1000)
    history.add("status", b"a")
    history.skip("logs", 5)
    history.add("status", b"b")
    assert [event.seq for event in history.after(0, {"status"})] == [1, 7]
    assert [event.seq for event in history.after(3, {"status", "logs"})] == [7]
    assert history.reaches(3, {"status"})
    assert not history.reaches(3, {"status", "logs"})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["status", "logs"]),
            st.sampled_from([None, "one", "two"]),
            st.sampled_from([0, 10, 1000, 50_000]),
            st.integers(1, 80),
        ),
        max_size=12,
    ),
    st.integers(0, 400),
)
@settings(deadline=None, max_examples=30)
def test_a_history_keeps_the_last_events_whole_however_it_packs_them(
    added: Any, since: int
) -> None:
    history = EventHistory(events=300, size=1_000_000)
    every = [
        history.add(topic, bytes(size), location=location)
        for topic, location, size, times in added
        for _ in range(times)
    ]
    kept: list[Event] = []
    for topic in ("status", "logs"):
        left = 1_000_000
        for event in [each for each in every if each.topic == topic][:-301:-1]:
            left -= len(event.data)
            if left < 0:
                break
            kept.append(event)
    kept.sort(key=lambda event: event.seq)
    assert list(history.after(since, {"status", "logs"})) == [e for e in kept if e.seq > since]
    oldest = [each.seq for each in kept if each.topic == "status"]
    assert history.reaches(0, {"status"}) == (
        len(oldest) == sum(times for topic, *_, times in added if topic == "status")
    )


async def test_a_real_subscriber_that_sleeps_slows_nobody_and_catches_up(tmp_path: Path) -> None:
    """One connection reads nothing while 40 MB of events pass; the other sees each of them."""
    count = 4000
    hub = StatefulHub("me", lambda _topic: {}, history=100)

    async def handle(peer: Peer, _method: str, params: Any) -> Any:
        return hub.subscribe(peer, **params)

    server = await start_server(
        unix.listen(tmp_path / "s"), handle, allowed=lambda _who: True, disconnected=hub.drop
    )
    seen, late = Recorder(), Recorder()
    quick = await open_peer(tmp_path / "s", listener=seen.hear)
    sleeper = await open_peer(tmp_path / "s", listener=late.hear)
    async with asyncio.timeout(30):
        for peer in (quick, sleeper):
            await peer.call("subscribe", {"topics": ["logs"]})
        await asyncio.gather(seen.until(0), late.until(0))
        sleeper.read(False)
        for number in range(1, count + 1):
            hub.publish("logs", {"filler": "x" * 10_000})
            await seen.until(number)
        assert max(peer.backlog for peer in server.peers) < BACKLOG + 20_000
        sleeper.read(True)
        await late.until(count)
        assert [event["seq"] for event in seen.events] == list(range(count + 1))
        assert late.events[-1]["data"] == {"full": True, "missed": True}
        server.close()
        await server.wait_closed()
        await asyncio.gather(quick.closed, sleeper.closed)
