"""MessagePack-RPC messages as bytes and back, within bounds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codelocd.rpc.errors import RpcError, received
from codelocd.rpc.messages import (
    Decoder,
    Malformed,
    failure,
    known_id,
    notification,
    pack,
    parameters,
    request,
    response,
)
from codelocd.rpc.packed import Packed
from codelocd.rpc.requests import Limits
from tests.supervisor.rpc.world import packed

SMALL = Limits(message_bytes=1000, depth=10, elements=100)


def decoder(limits: Limits = SMALL) -> Decoder:
    return Decoder(limits.message_bytes, limits.depth, limits.elements)


def rejected(data: bytes, limits: Limits = SMALL) -> Malformed:
    with pytest.raises(Malformed) as caught:
        list(decoder(limits).feed(data))
    return caught.value


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_messages_have_the_shapes_of_the_specification() -> None:
    error = RpcError("busy", "later", {"after": 3})
    assert request(7, "status", {"a": 1}) == [0, 7, "status", [{"a": 1}]]
    assert request(7, "status", None) == [0, 7, "status", []]
    assert response(7, "done") == [1, 7, None, "done"]
    document = {"kind": "busy", "message": "later", "data": {"after": 3}}
    assert failure(7, error) == [1, 7, document, None]
    assert notification("event", {}) == [2, "event", []]


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1), st.integers(1, 12))
def test_however_messages_are_cut_they_arrive_whole(ids: list[int], step: int) -> None:
    sent = [request(msgid, "method", {"text": "é" * msgid}) for msgid in ids]
    stream = b"".join(pack(message) for message in sent)
    receiver = decoder()
    got: list[Any] = []
    for begin in range(0, len(stream), step):
        got += receiver.feed(stream[begin : begin + step])
    assert got == sent


def test_text_that_is_not_utf_8_leaves_as_the_bytes_that_came() -> None:
    message = pack([1, 1, None, None])[:-1] + b"\xa3a\xffb"
    (decoded,) = decoder().feed(message)
    assert pack(decoded) == message


def test_half_a_surrogate_pair_does_not_stop_a_message() -> None:
    assert msgpack.unpackb(pack(["a\ud800b"])) == ["a\\ud800b"]


def test_a_timestamp_is_unix_seconds() -> None:
    stamp = packed(msgpack.Timestamp(1_700_000_000, 500_000_000))
    assert list(decoder().feed(b"\x94\x01\x01\xc0" + stamp)) == [[1, 1, None, 1_700_000_000.5]]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "GET / HTTP/1.1",
        {},
        [],
        [3, 1, "m", []],
        [True, 1, "m", []],
        [0, 1, "m"],
        [0, 1, "m", [], None],
        [0, -1, "m", []],
        [0, 1 << 32, "m", []],
        [0, "1", "m", []],
        [0, True, "m", []],
        [0, 1, b"m", []],
        [0, 1, "m", {}],
        [0, 1, "m", None],
        [1, 1, None],
        [1, None, None, None],
        [2, "m"],
        [2, 5, []],
    ],
)
def test_what_is_not_messagepack_rpc_is_rejected(wrong: object) -> None:
    error = rejected(pack(wrong)).error
    assert error.kind == "protocol"
    assert error.message.startswith("not MessagePack-RPC: ")


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x94\x00\x01\xa1m\x91\x81\x90\x01",  # an array as the key of a map
        b"\x94\x00\x01\xa1m\x91\xd4\x05\x00",  # an extension type
    ],
)
def test_what_is_not_messagepack_is_rejected(data: bytes) -> None:
    assert rejected(data).error.kind == "protocol"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [("x" * 1001, "larger than 1000 bytes"), (nested(10), "nested"), ([1] * 100, "elements")],
    ids=["size", "depth", "elements"],
)
def test_what_exceeds_a_bound_is_rejected_at_both_ends(value: object, complaint: str) -> None:
    message = request(9, "method", {"value": value})
    received_end = rejected(pack(message))
    with pytest.raises(RpcError, match=complaint) as sending_end:
        SMALL.encode(message)
    assert received_end.error.kind == sending_end.value.kind == "limit"
    assert complaint in received_end.error.message
    assert received_end.msgid == 9


def test_what_just_keeps_the_bounds_is_accepted() -> None:
    for value in ("x" * 970, nested(7), [1] * 90):
        message = request(9, "method", {"value": value})
        assert list(decoder().feed(SMALL.encode(message))) == [message]


def test_a_message_is_rejected_before_it_is_complete() -> None:
    receiver, message = decoder(), pack([0, 3, "m", [{"x": "y" * 5000}]])
    for begin in range(0, 1000, 100):
        assert list(receiver.feed(message[begin : begin + 100])) == []
    with pytest.raises(Malformed, match="larger than 1000 bytes") as caught:
        list(receiver.feed(message[1000:1100]))
    assert caught.value.msgid == 3


def test_a_message_that_only_claims_to_be_large_is_rejected_by_what_comes() -> None:
    for header in (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"):
        assert rejected(header + b"\x00" * 70_000_000, Limits()).error.kind in ("limit", "protocol")
    deep = rejected(b"\xdd\x00\x3f\xff\xff" * 5000, Limits())
    assert deep.error.kind == "limit"


def test_good_messages_before_a_bad_one_arrive() -> None:
    good = request(1, "ping", None)
    stream = decoder().feed(pack(good) + b"\xc1")
    assert next(stream) == good
    with pytest.raises(Malformed):
        next(stream)


def test_a_large_message_does_not_keep_its_memory() -> None:
    tracemalloc.start()
    try:
        receiver = Decoder()
        for number in (1, 2):
            message = response(number, b"x" * 8_000_000)
            assert list(receiver.feed(pack(message))) == [message]
        del message
        assert tracemalloc.get_traced_memory()[0] < 4_000_000
    finally:
        tracemalloc.stop()


def test_the_id_of_a_bad_request_is_known_where_it_has_one() -> None:
    assert known_id([0, 5, 5, 5]) == 5
    assert known_id([0, -5, "m", []]) is None
    assert known_id([1, 5, None, None]) is None
    assert known_id("text") is None
    assert rejected(pack([0, 70_000, b"m", []])).msgid == 70_000
    assert rejected(b"\x94\x00\x05\xa1m" + b"\xc1").msgid == 5
    assert rejected(b"\xc1").msgid is None


def test_parameters_are_one_map_of_names() -> None:
    assert parameters([]) == {}
    assert parameters([{"a": 1}]) == {"a": 1}
    several: list[list[Any]] = [[1], [{}, {}], [[]], [{1: 2}], [None]]
    for wrong in several:
        with pytest.raises(RpcError) as caught:
            parameters(wrong)
        assert caught.value.kind == "usage"


def test_an_error_survives_the_journey_and_a_foreign_one_is_understood() -> None:
    error = received(RpcError("unknown", "no location x", ["y"]).document())
    assert (error.kind, error.message, error.data) == ("unknown", "no location x", ["y"])
    for foreign in ("boom", 5, {"code": 3}, {"kind": "weird"}):
        assert received(foreign).kind == "internal"


@pytest.mark.parametrize("count", [0, 1, 15, 16, 100, 101, 250])
def test_a_result_that_is_packed_in_pieces_says_the_same(count: int) -> None:
    result = {"revision": 7, "definitions": [{"n": n, "deps": [[]]} for n in range(count)], "": []}
    packed = Packed.of(result, Limits())
    items = b"".join(packed.items)
    whole = packed.head({"full": True}) + items
    assert msgpack.unpackb(whole) == {"full": True, **result}
    assert msgpack.unpackb(packed.head({}) + items) == result


def test_a_result_that_is_packed_in_pieces_keeps_the_bounds() -> None:
    for limits in (Limits(elements=50), Limits(message_bytes=200), Limits(depth=3)):
        with pytest.raises(RpcError) as caught:
            Packed.of({"definitions": [{"name": ["x"]}] * 30}, limits)
        assert caught.value.kind == "limit"
