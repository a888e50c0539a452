"""Who hears of what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from codelocd.daemon.event_history import Event
from codelocd.daemon.subscriptions import SUBSCRIPTIONS, InProcessSubscriber
from codelocd.rpc.errors import RpcError
from codelocd.rpc.packed import Packed
from codelocd.rpc.requests import Limits
from tests.supervisor.subscribing import Connection, State, StatefulHub, full, listen


def test_events_of_all_topics_are_numbered_from_one(hub: StatefulHub) -> None:
    assert [hub.publish(topic, {}) for topic in ("status", "logs", "status")] == [1, 2, 3]


def test_a_newcomer_gets_the_answer_then_the_full_state_then_events(
    hub: StatefulHub, connection: Connection
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
    hub: StatefulHub, connection: Connection
) -> None:
    hub.subscribe(connection, ["status"])
    hub.publish("status", {"n": 1})
    connection.drain()
    assert connection.take() == [full("status", 1, missed=False)]


def test_each_subscription_has_its_own_number(hub: StatefulHub, connection: Connection) -> None:
    first, second = listen(hub, connection, "status"), listen(hub, connection, "status")
    hub.publish("status", {})
    assert [event["subscription"] for event in connection.events] == [first, second]


def test_who_comes_back_in_time_gets_what_happened_meanwhile(
    hub: StatefulHub, connection: Connection, state: State
) -> None:
    for number in range(1, 7):
        hub.publish("status" if number % 2 else "builds", {"n": number})
    hub.subscribe(connection, ["status"], {"instance": "me", "seq": 2})
    connection.drain()
    hub.publish("status", {"n": 7})
    assert connection.take() == [("status", number, {"n": number}) for number in (3, 5, 7)]
    assert state.asked == []


def test_who_missed_nothing_gets_nothing(hub: StatefulHub, connection: Connection) -> None:
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
    since: dict[str, Any], hub: StatefulHub, connection: Connection
) -> None:
    for _ in range(15):
        hub.publish("status", {})
    hub.subscribe(connection, ["status"], since)
    connection.drain()
    assert connection.take() == [full("status", 15, missed=True)]


def test_events_of_other_topics_that_are_forgotten_are_not_missed(
    hub: StatefulHub, connection: Connection
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


def block(seq: int, *texts: str) -> Any:
    return {"seq": seq, "location": "sales", "texts": list(texts)}


def line(seq: int, text: str) -> dict[str, Any]:
    return {"seq": seq, "location": "sales", "text": text}


def test_lines_that_come_together_arrive_one_by_one_or_as_a_block(hub: StatefulHub) -> None:
    singly, together = Connection(), Connection()
    listen(hub, singly, "logs")
    listen(hub, together, "logs", blocks=True)
    hub.publish_block("logs", 2, lambda: block(7, "a", "b"))
    hub.publish_block("logs", 1, lambda: block(9, "c"))
    assert singly.take() == [
        ("logs", 1, line(7, "a")),
        ("logs", 2, line(8, "b")),
        ("logs", 3, line(9, "c")),
    ]
    assert together.take() == [("logs", 2, block(7, "a", "b")), ("logs", 3, block(9, "c"))]


def test_who_comes_back_within_a_block_gets_the_rest_of_it(hub: StatefulHub) -> None:
    listen(hub, Connection(), "logs")
    hub.publish_block("logs", 3, lambda: block(1, "a", "b", "c"))
    for blocks, expected in (
        (False, [("logs", 2, line(2, "b")), ("logs", 3, line(3, "c"))]),
        (True, [("logs", 3, block(1, "a", "b", "c"))]),
    ):
        back = Connection()
        hub.subscribe(back, ["logs"], {"instance": "me", "seq": 1}, blocks=blocks)
        back.drain()
        assert back.take() == expected


def test_lines_that_nobody_hears_have_numbers_and_cost_nothing(
    hub: StatefulHub, connection: Connection
) -> None:
    hub.publish("status", {"n": 1})
    hub.publish_block("logs", 2, lambda: pytest.fail("it was not asked for"))
    assert hub.publish("status", {"n": 4}) == 4
    for topics in (["status"], ["logs"]):
        hub.subscribe(connection, topics, {"instance": "me", "seq": 1})
        connection.drain()
    assert connection.take() == [("status", 4, {"n": 4}), full("logs", 4, missed=True)]


def heard_at(connection: Connection) -> list[int]:
    return [seq for _, seq, data in connection.take() if not data.get("full")]


def test_who_asked_for_one_location_hears_of_it_and_of_the_daemon(
    hub: StatefulHub, connection: Connection
) -> None:
    hub.subscribe(connection, ["status", "logs"], locations=["shop"], blocks=True)
    connection.drain()
    hub.publish("status", {}, "shop")
    hub.publish("status", {}, "mill")
    hub.publish("status", {})
    hub.publish_block("logs", 1, lambda: block(1, "of the mill"), "mill")
    hub.publish_block("logs", 1, lambda: block(1, "of the shop"), "shop")
    assert heard_at(connection) == [1, 3, 5]


def test_what_others_did_meanwhile_is_not_missed_by_who_asked_for_one_location(
    hub: StatefulHub, connection: Connection
) -> None:
    hub.publish("status", {}, "shop")
    for _ in range(200):
        hub.publish_block("logs", 1, lambda: block(1, "of the mill"), "mill")
    hub.publish("status", {}, "shop")
    since = {"instance": "me", "seq": 1}
    hub.subscribe(connection, ["status", "logs"], since, locations=["shop"])
    connection.drain()
    assert heard_at(connection) == [202]


def test_of_usage_the_newest_sample_is_kept_and_no_other_event_is_pushed_out(
    hub: StatefulHub, connection: Connection
) -> None:
    hub.publish("status", {})
    for at in range(200):
        hub.publish("usage", {"at": at, "locations": {"shop": [at, 0.5], "mill": None}})
    since = {"instance": "me", "seq": 0}
    hub.subscribe(connection, ["status", "usage"], since, locations=["shop"])
    connection.drain()
    newest = {"at": 199, "locations": {"shop": [199, 0.5]}}
    assert connection.take() == [("status", 1, {}), ("usage", 201, newest)]


def test_a_flood_of_lines_makes_nobody_forget_what_happened(
    hub: StatefulHub, connection: Connection
) -> None:
    listen(hub, Connection(), "logs", blocks=True)
    hub.publish("status", {"n": 1})
    for _ in range(100):
        hub.publish_block("logs", 2, lambda: block(1, "a", "b"))
    hub.subscribe(connection, ["status"], {"instance": "me", "seq": 0})
    connection.drain()
    assert connection.take() == [("status", 1, {"n": 1})]


def test_who_unsubscribed_hears_nothing_more(hub: StatefulHub, connection: Connection) -> None:
    first, _second = listen(hub, connection, "status"), listen(hub, connection, "status")
    assert hub.unsubscribe(connection, first) == {}
    hub.publish("status", {})
    assert len(connection.events) == 1
    with pytest.raises(RpcError, match="no subscription 1 on this connection"):
        hub.unsubscribe(connection, first)


def test_nobody_ends_the_subscription_of_another(hub: StatefulHub, connection: Connection) -> None:
    subscription = listen(hub, connection, "status")
    several: tuple[Any, ...] = (subscription, None, "x", [])
    for wrong in several:
        with pytest.raises(RpcError) as caught:
            hub.unsubscribe(Connection(), wrong)
        assert caught.value.kind == "unknown"
    hub.publish("status", {})
    assert len(connection.events) == 1


def test_a_connection_that_is_gone_is_sent_nothing(
    hub: StatefulHub, connection: Connection
) -> None:
    listen(hub, connection, "status")
    hub.subscribe(connection, ["status"])
    hub.drop(connection)
    connection.drain()
    hub.publish("status", {})
    assert connection.events == []


@pytest.mark.parametrize("topics", [[], "status", ["status", "weather"], None, 5, [[]]])
def test_unknown_topics_are_an_error_that_lists_the_known(topics: Any, hub: StatefulHub) -> None:
    with pytest.raises(RpcError, match="status, definitions, logs, builds") as caught:
        hub.subscribe(Connection(), topics)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize("since", [5, {}, {"instance": "me"}, {"instance": "me", "seq": "1"}, []])
def test_a_wrong_place_to_go_on_from_is_an_error(since: Any, hub: StatefulHub) -> None:
    with pytest.raises(RpcError, match="since must be") as caught:
        hub.subscribe(Connection(), ["status"], since)
    assert caught.value.kind == "usage"


def test_subscriptions_of_one_connection_are_bounded(
    hub: StatefulHub, connection: Connection
) -> None:
    for _ in range(SUBSCRIPTIONS):
        hub.subscribe(connection, ["status"])
    with pytest.raises(RpcError) as caught:
        hub.subscribe(connection, ["status"])
    assert caught.value.kind == "limit"
    assert hub.subscribe(Connection(), ["status"])["subscription"] == SUBSCRIPTIONS + 1


class Heard(InProcessSubscriber):
    def __init__(self) -> None:
        self.events: list[tuple[int, Any]] = []

    def take(self, subscription: int, event: Event, document: Mapping[str, Any]) -> None:
        self.events.append((event.seq, document))


async def test_in_place_of_an_event_that_is_too_large_comes_the_full_state_of_its_topic(
    hub: StatefulHub, connection: Connection
) -> None:
    inside = Heard()
    hub.subscribe(inside, ["definitions"], {"instance": "me", "seq": 0})
    await asyncio.sleep(0)
    listen(hub, connection, "status", "definitions")
    hub.publish("status", {"n": 1})
    hub.publish_in_full("definitions", {"n": 2}, "sales")
    hub.publish("status", {"n": 3})
    connection.drain()
    hub.publish("definitions", {"n": 4})
    assert connection.take() == [
        ("status", 1, {"n": 1}),
        ("status", 3, {"n": 3}),
        full("definitions", 3, missed=True),
        ("definitions", 4, {"n": 4}),
    ]
    assert inside.events == [(2, {"n": 2}), (4, {"n": 4})]


async def test_a_full_state_that_is_still_encoded_is_waited_for(connection: Connection) -> None:
    encoded: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    packed = Packed.of({"state": "definitions"}, Limits())
    hub = StatefulHub("me", lambda _: packed if encoded.done() else encoded)
    hub.subscribe(connection, ["definitions"])
    connection.drain()
    hub.publish("definitions", {"n": 1})
    assert connection.take() == []
    encoded.set_result(None)
    await asyncio.sleep(0)
    assert connection.take() == [full("definitions", 1, missed=False)]


async def test_who_cannot_be_given_the_full_state_is_told_why(connection: Connection) -> None:
    encoded: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    hub = StatefulHub("me", lambda _: encoded)
    hub.subscribe(connection, ["definitions"])
    connection.drain()
    encoded.set_exception(RpcError("limit", "it is too large"))
    await asyncio.sleep(0)
    assert connection.rejected == ["it is too large"]
