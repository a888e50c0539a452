"""Who hears of what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgpack
import pytest

from codelocd import rpc, unix
from codelocd.history import History
from codelocd.rpc import RpcError
from codelocd.subscriptions import BACKLOG, SUBSCRIPTIONS, Hub


class Connection:
    """A connection that takes what it is sent when told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.backlog = 0
        self._waiting: list[Callable[[], None]] = []

    def send(self, message: bytes) -> None:
        kind, method, (event,) = msgpack.unpackb(message)
        assert (kind, method) == (2, "event")
        self.events.append(event)

    def when_drained(self, callback: Callable[[], None]) -> None:
        self._waiting.append(callback)

    def drain(self) -> None:
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def clog(self) -> None:
        self.backlog = BACKLOG + 1

    def clear(self) -> None:
        self.backlog = 0
        self.drain()

    def take(self) -> list[tuple[str, int, Any]]:
        taken = [(event["topic"], event["seq"], event["data"]) for event in self.events]
        self.events.clear()
        return taken


class Recorder:
    """Keeps the events that a real connection brings."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self._more = asyncio.Event()

    def hear(self, _method: str, event: Mapping[str, Any]) -> None:
        self.events.append(event)
        self._more.set()

    async def until(self, seq: int) -> None:
        while not self.events or self.events[-1]["seq"] < seq:
            self._more.clear()
            await self._more.wait()


class State:
    """What the full state of a topic is, and how often it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, topic: str) -> dict[str, Any]:
        self.asked.append(topic)
        return {"state": topic}


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def hub(state: State) -> Hub:
    return Hub("me", state, history=10)


@pytest.fixture
def connection() -> Connection:
    return Connection()


def full(topic: str, seq: int, *, missed: bool) -> tuple[str, int, Any]:
    return (topic, seq, {"full": True, "missed": missed, "state": topic})


def listen(hub: Hub, connection: Connection, *topics: str) -> int:
    subscription = hub.subscribe(connection, topics)["subscription"]
    connection.drain()
    connection.take()
    return subscription


def test_events_of_all_topics_are_numbered_from_one(hub: Hub) -> None:
    assert [hub.publish(topic, {}) for topic in ("status", "logs", "status")] == [1, 2, 3]


def test_a_newcomer_gets_the_answer_then_the_full_state_then_events(
    hub: Hub, connection: Connection
) -> None:
    hub.publish("status", {"n": 1})
    answer = hub.subscribe(connection, ["logs", "status"])
    assert answer == {"subscription": 1, "instance": "me", "seq": 1}
    assert connection.events == []
    connection.drain()
    hub.publish("status", {"n": 2})
    hub.publish("builds", {"n": 3})
    hub.publish("logs", {"n": 4})
    assert connection.take() == [
        full("status", 1, missed=False),
        full("logs", 1, missed=False),
        ("status", 2, {"n": 2}),
        ("logs", 4, {"n": 4}),
    ]


def test_an_event_before_the_first_full_state_is_part_of_it(
    hub: Hub, connection: Connection
) -> None:
    hub.subscribe(connection, ["status"])
    hub.publish("status", {"n": 1})
    connection.drain()
    assert connection.take() == [full("status", 1, missed=False)]


def test_each_subscription_has_its_own_number(hub: Hub, connection: Connection) -> None:
    first, second = listen(hub, connection, "status"), listen(hub, connection, "status")
    hub.publish("status", {})
    assert [event["subscription"] for event in connection.events] == [first, second]


def test_who_comes_back_in_time_gets_what_happened_meanwhile(
    hub: Hub, connection: Connection, state: State
) -> None:
    for number in range(1, 7):
        hub.publish("status" if number % 2 else "builds", {"n": number})
    hub.subscribe(connection, ["status"], {"instance": "me", "seq": 2})
    connection.drain()
    hub.publish("status", {"n": 7})
    assert connection.take() == [("status", number, {"n": number}) for number in (3, 5, 7)]
    assert state.asked == []


def test_who_missed_nothing_gets_nothing(hub: Hub, connection: Connection) -> None:
    last = hub.publish("status", {})
    hub.subscribe(connection, ["status"], {"instance": "me", "seq": last})
    connection.drain()
    assert connection.take() == []


@pytest.mark.parametrize(
    "since",
    [
        {"instance": "another", "seq": 15},
        {"instance": "me", "seq": 1},
        {"instance": "me", "seq": -1},
        {"instance": "me", "seq": 99},
    ],
    ids=["another instance", "too old", "nonsense", "of the future"],
)
def test_who_comes_back_too_late_is_told_and_gets_the_full_state(
    since: dict[str, Any], hub: Hub, connection: Connection
) -> None:
    for _ in range(15):
        hub.publish("status", {})
    hub.subscribe(connection, ["status"], since)
    connection.drain()
    assert connection.take() == [full("status", 15, missed=True)]


def test_events_of_other_topics_that_are_forgotten_are_not_missed(
    hub: Hub, connection: Connection
) -> None:
    hub.publish("status", {"n": 1})
    for _ in range(9):
        hub.publish("logs", {})
    hub.publish("status", {"n": 2})
    for _ in range(8):
        hub.publish("logs", {})
    hub.subscribe(connection, ["status"], {"instance": "me", "seq": 1})
    connection.drain()
    assert connection.take() == [("status", 11, {"n": 2})]


def test_a_slow_subscriber_gets_what_is_kept_when_it_has_caught_up(
    hub: Hub, connection: Connection, state: State
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
    hub: Hub, connection: Connection
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


def test_a_slow_subscriber_goes_on_a_little_at_a_time(hub: Hub, connection: Connection) -> None:
    listen(hub, connection, "status")
    connection.clog()
    for number in range(1, 6):
        hub.publish("status", {"n": number})
    for number in range(1, 6):
        assert connection.take() == [("status", number, {"n": number})]
        connection.drain()
    assert connection.take() == []


def test_a_full_state_that_fills_a_connection_is_sent_whole(
    hub: Hub, connection: Connection
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


def test_a_slow_subscriber_keeps_nobody_waiting(hub: Hub, connection: Connection) -> None:
    quick = Connection()
    listen(hub, connection, "status")
    listen(hub, quick, "status")
    connection.clog()
    for number in range(1, 31):
        hub.publish("status", {"n": number})
    assert len(quick.take()) == 30
    assert len(connection.take()) == 1


def test_the_history_is_bounded_in_bytes(state: State, connection: Connection) -> None:
    hub = Hub("me", state, history=1000, history_bytes=10_000)
    for _ in range(30):
        hub.publish("logs", {"text": "x" * 1000})
    hub.subscribe(connection, ["logs"], {"instance": "me", "seq": 25})
    connection.drain()
    assert [seq for _, seq, _ in connection.take()] == [26, 27, 28, 29, 30]
    hub.subscribe(connection, ["logs"], {"instance": "me", "seq": 15})
    connection.drain()
    assert connection.take() == [full("logs", 30, missed=True)]


def test_many_events_at_once_arrive_one_by_one(hub: Hub, connection: Connection) -> None:
    listen(hub, connection, "logs")
    hub.publish_all("logs", ["a", "b"], lambda text: {"text": text})
    assert connection.take() == [("logs", 1, {"text": "a"}), ("logs", 2, {"text": "b"})]


def test_many_events_that_nobody_hears_have_numbers_and_cost_nothing(
    hub: Hub, connection: Connection
) -> None:
    hub.publish("status", {"n": 1})
    hub.publish_all("logs", ["a", "b"], lambda _text: pytest.fail("nobody asked"))
    assert hub.publish("status", {"n": 4}) == 4
    for topics in (["status"], ["logs"]):
        hub.subscribe(connection, topics, {"instance": "me", "seq": 1})
        connection.drain()
    assert connection.take() == [("status", 4, {"n": 4}), full("logs", 4, missed=True)]


def test_who_unsubscribed_hears_nothing_more(hub: Hub, connection: Connection) -> None:
    first, _second = listen(hub, connection, "status"), listen(hub, connection, "status")
    assert hub.unsubscribe(connection, first) == {}
    hub.publish("status", {})
    assert len(connection.events) == 1
    with pytest.raises(RpcError, match="no subscription 1 on this connection"):
        hub.unsubscribe(connection, first)


def test_nobody_ends_the_subscription_of_another(hub: Hub, connection: Connection) -> None:
    subscription = listen(hub, connection, "status")
    for wrong in (subscription, None, "x", []):
        with pytest.raises(RpcError) as caught:
            hub.unsubscribe(Connection(), wrong)
        assert caught.value.kind == "unknown"
    hub.publish("status", {})
    assert len(connection.events) == 1


def test_a_connection_that_is_gone_is_sent_nothing(hub: Hub, connection: Connection) -> None:
    listen(hub, connection, "status")
    hub.subscribe(connection, ["status"])
    hub.drop(connection)
    connection.drain()
    hub.publish("status", {})
    assert connection.events == []


@pytest.mark.parametrize("topics", [[], "status", ["status", "weather"], None, 5, [[]]])
def test_unknown_topics_are_an_error_that_lists_the_known(topics: Any, hub: Hub) -> None:
    with pytest.raises(RpcError, match="status, definitions, logs, builds") as caught:
        hub.subscribe(Connection(), topics)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize("since", [5, {}, {"instance": "me"}, {"instance": "me", "seq": "1"}, []])
def test_a_wrong_place_to_go_on_from_is_an_error(since: Any, hub: Hub) -> None:
    with pytest.raises(RpcError, match="since must be") as caught:
        hub.subscribe(Connection(), ["status"], since)
    assert caught.value.kind == "usage"


def test_subscriptions_of_one_connection_are_bounded(hub: Hub, connection: Connection) -> None:
    for _ in range(SUBSCRIPTIONS):
        hub.subscribe(connection, ["status"])
    with pytest.raises(RpcError) as caught:
        hub.subscribe(connection, ["status"])
    assert caught.value.kind == "limit"
    assert hub.subscribe(Connection(), ["status"])["subscription"] == SUBSCRIPTIONS + 1


def test_a_history_finds_its_place_among_numbers_with_gaps() -> None:
    history = History(events=10, size=1000)
    history.add("status", b"a")
    history.skip("logs", 5)
    history.add("status", b"b")
    assert [event.seq for event in history.after(0, {"status"})] == [1, 7]
    assert [event.seq for event in history.after(3, {"status", "logs"})] == [7]
    assert history.reaches(3, {"status"})
    assert not history.reaches(3, {"status", "logs"})


async def test_a_real_subscriber_that_sleeps_slows_nobody_and_catches_up(tmp_path: Path) -> None:
    """One connection reads nothing while 40 MB of events pass; the other sees each of them."""
    count = 4000
    hub = Hub("me", lambda _topic: {}, history=100)

    async def handle(peer: rpc.Peer, _method: str, params: Any) -> Any:
        return hub.subscribe(peer, **params)

    server = await rpc.serve(
        unix.listen(tmp_path / "s"), handle, allowed=lambda _who: True, disconnected=hub.drop
    )
    seen, late = Recorder(), Recorder()
    quick = await rpc.connect(tmp_path / "s", listener=seen.hear)
    sleeper = await rpc.connect(tmp_path / "s", listener=late.hear)
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
