"""The short form of `make fuzz`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import decode, dispatch

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
MESSAGES = st.one_of(
    st.tuples(st.just(0), st.integers(0, 2**32 - 1), st.text(max_size=8), st.lists(VALUES)),
    st.tuples(st.just(0), st.integers(0, 9), st.text(max_size=8), st.just([{"wrong": 1}])),
    st.tuples(st.just(1), st.integers(0, 9), VALUES, VALUES),
    st.tuples(st.just(2), st.text(max_size=8), st.lists(VALUES)),
    VALUES,
).map(lambda message: cast("bytes", msgpack.packb(message, unicode_errors="surrogatepass")))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Messages, some of which are not, with a byte or two of them changed."""
    data = bytearray(b"".join(draw(st.lists(MESSAGES | st.binary(max_size=30), max_size=6))))
    for place in draw(st.lists(st.integers(0, 400), max_size=2)):
        if place < len(data):
            data[place] = draw(st.integers(0, 255))
    return bytes(data)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One for all examples: to make one takes longer than an example."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@settings(max_examples=60, deadline=None)
@given(data=streams(), cut=st.integers(0, 60))
def test_bytes_of_anybody_end_a_connection_at_most(
    loop: asyncio.AbstractEventLoop, data: bytes, cut: int
) -> None:
    decode(data, cut)
    loop.run_until_complete(dispatch(data, cut))
