"""The RPC methods of a runner, over its socket."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
from typing import cast

import msgpack
import pytest

from tests.runner.process.failure import Failure

HERE = sys.executable
GOOD = """
from codeloc import Definitions, asset, job

@asset
def orders(): ...

@job
def refresh(): ...

defs = Definitions(assets=[orders], jobs=[refresh])
"""
ENDLESS = """
def turn():
    while True:
        pass

turn()
"""


def test_hello_tells_protocol_process_and_methods(run, python):
    runner = run(python, GOOD)
    hello = runner.call("hello")
    assert hello["protocol"] == 1
    assert hello["pid"] == runner.process.pid
    asking = ["hello", "ping", "snapshot", "describe", "stacks"]
    assert hello["methods"] == [*asking, "serve", "hand_over", "manifest", "stop"]
    assert f"{os.sep}{hello['python']}{os.sep}" in python


def test_the_snapshot_holds_definitions_and_digests_of_sources(run, code, python):
    content = run(python, GOOD).load()
    names = [(one["kind"], one["name"], one["repository"]) for one in content["definitions"]]
    assert names == [
        ("asset", "orders", "__repository__"),
        ("job", "refresh", "__repository__"),
    ]
    digest = hashlib.blake2b(GOOD.encode(), digest_size=16).hexdigest()
    assert content["sources"] == {str(code / "defs.py"): digest}
    assert content["loader"] == "native"
    assert content["load_seconds"] >= 0


def test_describe_counts_or_tells_the_one_that_is_meant(run, python):
    runner = run(python, GOOD)
    runner.load()
    described = runner.call("describe")
    assert described["definitions"] == {
        "asset": 1,
        "asset_check": 0,
        "job": 1,
        "resource": 0,
        "schedule": 0,
        "sensor": 0,
    }
    assert (described["loader"], described["sources"]) == ("native", 1)
    assert runner.call("describe", kind="asset", name="orders")["key"] == ["orders"]


def test_a_definition_that_is_not_there_is_unknown(run, extreme):
    runner = run(extreme, GOOD)
    runner.load()
    with pytest.raises(Failure, match="no asset 'nothing' in this location") as failure:
        runner.call("describe", kind="asset", name="nothing")
    assert failure.value.kind == "unknown"


def test_several_that_match_are_a_wrong_usage_that_lists_them(run, extreme):
    two = run(extreme, TWO_REPOSITORIES)
    two.load()
    with pytest.raises(Failure, match="2 definitions match 'orders'") as failure:
        two.call("describe", kind="asset", name="orders")
    assert failure.value.kind == "usage"
    assert [one["repository"] for one in failure.value.data["matches"]] == ["first", "second"]
    assert two.call("describe", name="orders", repository="second")["repository"] == "second"


TWO_REPOSITORIES = """
from codeloc import asset, repository

@asset
def orders(): ...

@repository
def first():
    return [orders]

@repository
def second():
    return [orders]
"""


def test_before_the_load_has_ended_describe_is_busy(run, extreme):
    runner = run(extreme, ENDLESS)
    with pytest.raises(Failure, match="still loading") as failure:
        runner.call("describe")
    assert failure.value.kind == "busy"


def test_a_snapshot_that_waits_does_not_hold_up_the_calls_behind_it(run, code, python):
    wait = "import time, pathlib\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    runner = run(python, wait + GOOD)
    connection = runner.connect()
    snapshot = connection.send("snapshot")
    assert connection.call("ping") == {}
    assert snapshot not in connection.early
    (code / "go").touch()
    assert connection.answer(snapshot)["ok"] is True


def test_stacks_show_where_an_endless_import_is(run, code, python):
    runner = run(python, ENDLESS)
    (main,) = runner.until(lambda: in_turn(runner.call("stacks")["threads"]))
    assert main["name"] == "MainThread"
    outer, inner = main["stack"]
    assert outer == f'File "{code / "defs.py"}", line 6, in <module>\n  turn()'
    assert "in turn\n" in inner


def in_turn(threads):
    return threads if "in turn" in str(threads) else None


def test_stacks_name_the_threads_of_user_code(run, extreme):
    source = """
import threading

def wait_for_news():
    started.set()
    threading.Event().wait()

started = threading.Event()
threading.Thread(target=wait_for_news, name="listener", daemon=True).start()
started.wait()
"""
    runner = run(extreme, source + GOOD)
    runner.load()
    stacks = {one["name"]: "\n".join(one["stack"]) for one in runner.call("stacks")["threads"]}
    assert set(stacks) == {"MainThread", "listener"}
    assert "in wait_for_news" in stacks["listener"]


def test_stop_runs_atexit_functions_then_ends_with_0(run, python):
    runner = run(python, GOOD + "\nimport atexit\natexit.register(print, 'goodbye')\n")
    runner.load()
    assert runner.stop() == 0
    assert runner.output["stdout"] == b"goodbye\n"


def test_stop_during_an_endless_import_ends_at_once(run, extreme):
    runner = run(extreme, ENDLESS)
    assert runner.stop() == 0


def test_stop_does_not_wait_for_ever_for_an_atexit_function(run):
    hang = "\nimport atexit, sys, time\natexit.register(time.sleep, 3600)\n"
    hang += "for module in list(sys.modules.values()):\n"
    hang += "    if hasattr(module, 'STOP_SECONDS'): module.STOP_SECONDS = 0.2\n"
    runner = run(HERE, GOOD + hang)
    runner.load()
    assert runner.stop() == 0


def test_stop_does_not_wait_for_threads_that_are_no_daemons(run, extreme):
    forever = "\nimport threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    runner = run(extreme, GOOD + forever)
    runner.load()
    assert runner.stop() == 0


def test_unknown_methods_and_parameters_are_told(run, extreme):
    connection = run(extreme, GOOD).connect()
    with pytest.raises(Failure, match="no method 'dance'") as unknown:
        connection.call("dance")
    assert unknown.value.kind == "unknown"
    with pytest.raises(Failure, match="ping takes no parameter 'loudly'") as usage:
        connection.call("ping", loudly=True)
    assert usage.value.kind == "usage"
    assert connection.call("ping") == {}


@pytest.mark.parametrize(
    "hostile",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xc1",
        msgpack.packb([0, 1, "ping"]),
        msgpack.packb([0, "one", "ping", []]),
        msgpack.packb([0, 1, "ping", [1]]),
        msgpack.packb([0, 1, "ping", [{}, {}]]),
        msgpack.packb({"method": "ping"}),
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_what_is_not_messagepack_rpc_closes_that_connection_only(run, hostile):
    runner = run(HERE, GOOD)
    other = runner.connect()
    assert other.call("ping") == {}
    connection = runner.connect()
    connection.socket.sendall(hostile)
    connection.socket.shutdown(1)
    assert connection.is_closed()
    assert other.call("ping") == {}


def test_notifications_are_not_answered(run):
    connection = run(HERE, GOOD).connect()
    connection.socket.sendall(msgpack.packb([2, "stop", []]))
    assert connection.call("ping") == {}


def test_a_request_may_arrive_byte_by_byte(run):
    connection = run(HERE, GOOD).connect()
    for byte in cast("bytes", msgpack.packb([0, 7, "ping", []])):
        connection.socket.sendall(bytes([byte]))
    assert connection.answer(7) == {}


def test_many_connections_are_served_at_once(run, extreme):
    runner = run(extreme, GOOD)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(runner.connect().call("snapshot")["ok"]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


def test_the_end_of_a_connection_is_not_the_end_of_the_runner(run, extreme):
    runner = run(extreme, GOOD)
    runner.connect().socket.close()
    assert json.loads(runner.call("snapshot")["body"])["loader"] == "native"


def test_too_many_calls_in_flight_close_the_connection(run):
    runner = run(HERE, ENDLESS)
    connection = runner.connect()
    with contextlib.suppress(BrokenPipeError):  # it may be closed before the last is sent
        for _ in range(100):
            connection.send("snapshot")
    assert connection.is_closed()
    assert runner.call("ping") == {}
