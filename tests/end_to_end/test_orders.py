"""Orders of clients to locations, and the answers to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from codelocd.client import RpcError
from tests.end_to_end.daemons import StartDev, failed, native

BROKEN = "raise ValueError('broken')\n"


def two(project: Path, first: str, second: str) -> tuple[str, ...]:
    (project / "one.py").write_text(first)
    (project / "two.py").write_text(second)
    return ("-f", "one.py", "-f", "two.py")


def test_an_order_that_nobody_waits_for_does_not_fail(dev: StartDev, project: Path) -> None:
    daemon = dev(*two(project, native("good"), BROKEN))
    daemon.until("two", failed)
    assert daemon.cli("start", "two").returncode == 1
    assert daemon.cli("start", "two", "--no-wait").returncode == 0
    assert daemon.json("restart", "two", "--no-wait")["locations"][0]["ok"] is True


def test_what_is_stopped_is_not_reloaded(dev: StartDev, project: Path) -> None:
    daemon = dev(*two(project, native("first"), native("second")))
    daemon.until_serving("one", "two")
    daemon.cli("stop", "one")
    named = daemon.cli("reload", "two", "one")
    assert (named.returncode, named.stdout) == (2, "")
    assert daemon.entry("two")["generation"] == 1
    every = daemon.json("reload", "--all")["locations"]
    assert [(each["name"], each["ok"]) for each in every] == [("two", True)]
    assert daemon.entry("two")["generation"] == 2
    assert daemon.entry("one")["state"] == "stopped"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("status", {"locations": 5}),
        ("definitions", {"kind": "assets"}),
        ("start", {"locations": ["defs"], "timeout": "soon"}),
        ("call", {"location": "defs", "method": "ping", "params": [1]}),
        ("unsubscribe", {}),
    ],
)
def test_a_parameter_of_the_wrong_type_is_wrong_usage(
    dev: StartDev, project: Path, method: str, params: dict[str, object]
) -> None:
    (project / "defs.py").write_text(native("one"))
    with dev("-f", "defs.py").client() as client, pytest.raises(RpcError) as caught:
        client.call(method, params)
    assert caught.value.kind == "usage"


def test_a_code_server_of_somebody_else_is_shown_and_takes_no_orders(
    dev: StartDev, project: Path
) -> None:
    server = "{host: localhost, port: 4266, location_name: theirs}"
    (project / "workspace.yaml").write_text(
        f"load_from:\n  - grpc_server: {server}\n  - python_file: ours.py\n"
    )
    (project / "ours.py").write_text(native("one"))
    daemon = dev()
    daemon.until_serving("ours.py")
    shown = daemon.json("show", "theirs")
    assert (shown["state"], shown["definitions"], shown["output"]) == ("external", [], [])
    assert shown.keys() == daemon.json("show", "ours.py").keys()
    assert daemon.cli("show", "theirs").returncode == 0
    assert daemon.cli("status").returncode == 0
    refused = daemon.cli("restart", "theirs")
    assert refused.returncode == 2
    assert "'theirs' is a code server of its own" in refused.stderr


def test_what_did_not_load_is_shown_with_the_files_that_are_watched(
    dev: StartDev, project: Path
) -> None:
    (project / "library.py").write_text(BROKEN)
    (project / "defs.py").write_text("import library\n")
    daemon = dev("-f", "defs.py")
    daemon.until("defs", failed)
    watched = daemon.json("show", "defs")["sources"]
    sources = [each for each in watched if Path(each).is_relative_to(project)]
    assert sources == [str(project / "defs.py"), str(project / "library.py")]
    # The rest decides the environment, like a pip.conf of this machine.
    assert all(each.endswith((".conf", ".toml")) for each in set(watched) - set(sources))
    daemon.cli("stop", "defs")
    assert daemon.json("show", "defs")["sources"] == []


def test_a_call_cannot_end_a_runner_and_a_mistyped_name_is_told_the_nearest(
    dev: StartDev, project: Path
) -> None:
    daemon = dev(*two(project, native("orders"), native("orders", "second")))
    daemon.until_serving("one", "two")
    before = daemon.entry("one")
    refused = daemon.cli("call", "one", "stop")
    assert refused.returncode == 2
    assert "`codelocd stop one`" in refused.stderr
    with daemon.client() as client, pytest.raises(RpcError) as caught:
        client.call("call", {"location": "one", "method": "stop"})
    assert caught.value.kind == "usage"
    for method in ("hello", "ping", "snapshot", "describe", "stacks"):
        assert daemon.cli("call", "one", method).returncode == 0
    after = daemon.entry("one")
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
    for words, told in (
        (("call", "one", "descrbe"), '; did you mean "describe"?'),
        (("show", "oen"), '; did you mean "one"?'),
        (("show", "one/ordrs"), '; did you mean "orders"?'),
        (("show", "orders"), 'no location \'orders\'; did you mean "one/orders" or "two/orders"?'),
        (("show", "second"), "there is no location 'second'; did you mean \"two/second\"?"),
        (("show", "one/orders", "--kind", "job"), "has no job 'orders'; there are: none"),
        (("status", "tow"), '; did you mean "two"?'),
        (("reload", "nothing-like-it"), "; there are: one, two"),
    ):
        done = daemon.cli(*words)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.startswith("codelocd: ")
        assert done.stderr.endswith(f"{told}\n")
    shown = daemon.json("show", "two/orders")
    assert [each["location"] for each in shown["producers"]] == ["one", "two"]
    assert daemon.json("definitions")["edges"] == []
