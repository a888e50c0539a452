"""What somebody orders of locations, and what they hear of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import StartDev, native

from codelocd.client import RpcError

BROKEN = "raise ValueError('broken')\n"


def two(project: Path, first: str, second: str) -> tuple[str, ...]:
    (project / "one.py").write_text(first)
    (project / "two.py").write_text(second)
    return ("-f", "one.py", "-f", "two.py")


def test_an_order_that_nobody_waits_for_does_not_fail(dev: StartDev, project: Path) -> None:
    daemon = dev(*two(project, native("good"), BROKEN))
    daemon.until("two", lambda each: each["state"] == "failed")
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
