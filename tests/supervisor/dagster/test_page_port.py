"""Where the page can listen."""

from __future__ import annotations

import socket

import pytest

from codelocd.dagster.webserver import FIRST, free_port, is_taken


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody


def test_a_port_is_taken_where_somebody_listens_and_free_afterwards(listening):
    port = listening.getsockname()[1]
    assert is_taken("127.0.0.1", port)
    assert is_taken("localhost", port)
    listening.close()
    assert not is_taken("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no host at all"])
def test_a_host_that_is_none_of_this_machine_is_left_to_those_who_listen(host):
    assert not is_taken(host, FIRST)


def test_the_first_free_port_is_free():
    assert not is_taken("127.0.0.1", free_port("127.0.0.1"))
