"""Which code server Dagster is led to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from codelocd.dagster.code_server import Drain
from codelocd.dagster.workspace import Links, Sockets


class FakeServer:
    def __init__(self, sockets: Sockets) -> None:
        self.path = sockets.new()
        self.executable = Path("python")
        self.exited = asyncio.get_running_loop().create_future()
        self.killed = False

    def kill(self) -> None:
        self.killed = True


class FakeDrain(Drain):
    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.closed: float | None = None

    def take(self, server: Any) -> None:
        self.taken.append(server)

    async def close(self, seconds: float) -> None:
        self.closed = seconds


@pytest.fixture
async def parts(tmp_path):
    sockets, drain = Sockets(tmp_path), FakeDrain()
    return Links(sockets, drain, asyncio.Event()), sockets, drain


async def test_the_server_that_is_replaced_leaves_and_the_path_stays(parts):
    links, sockets, drain = parts
    first, second = FakeServer(sockets), FakeServer(sockets)
    links.lead("sales", first)
    links.lead("sales", second)
    assert drain.taken == [first]
    assert links.current == {"sales": second}
    assert links.path("sales").readlink().name == second.path.name


async def test_a_server_that_has_ended_has_nothing_to_finish(parts):
    links, sockets, drain = parts
    first = FakeServer(sockets)
    links.lead("sales", first)
    first.exited.set_result(None)
    links.lead("sales", FakeServer(sockets))
    assert drain.taken == []


async def test_only_the_server_that_serves_can_be_released(parts):
    links, sockets, drain = parts
    first, second = FakeServer(sockets), FakeServer(sockets)
    links.lead("sales", first)
    links.release("sales", second)
    assert (links.current, drain.taken) == ({"sales": first}, [])
    links.release("sales", first)
    assert (links.current, drain.taken) == ({}, [first])


async def test_at_the_end_all_of_them_leave(parts):
    links, sockets, drain = parts
    servers = [FakeServer(sockets) for _ in range(2)]
    for number, server in enumerate(servers):
        links.lead(str(number), server)
    await links.close(5.0)
    assert (drain.taken, drain.closed) == (servers, 5.0)
    links.kill()
    assert all(server.killed for server in servers)


async def test_it_is_news_where_a_location_is_served_or_by_another_interpreter(tmp_path):
    news, sockets = asyncio.Event(), Sockets(tmp_path)
    links = Links(sockets, FakeDrain(), news)
    servers: list[Any] = [FakeServer(sockets) for _ in range(3)]
    first, second, third = servers
    links.lead("sales", first)
    assert news.is_set()
    news.clear()
    links.lead("sales", second)
    assert not news.is_set()
    third.executable = Path("other/python")
    links.lead("sales", third)
    assert news.is_set()
    assert links.served == {"sales": third.executable}
    links.release("sales", third)
    assert links.served == {"sales": third.executable}, "Dagster still shows it"
    links.forget("sales")
    assert links.served == {}
