"""What the daemon tells clients that draw pictures: the journal, usage, one location alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codelocd.client import Client, RpcError
from codelocd.documents import answers
from tests.end_to_end.daemons import Dev, native
from tests.shapes import faults

TWO = '[location.shop]\npython_file = "shop.py"\n[location.mill]\npython_file = "mill.py"\n'


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Two locations that serve."""
    home = tmp_path_factory.mktemp("heard")
    project = home / "project"
    project.mkdir()
    (project / "codelocd.toml").write_text(TWO)
    for name in ("shop", "mill"):
        (project / f"{name}.py").write_text(native(name))
    started = Dev(project, home / "home", ())
    try:
        started.until_serving("shop", "mill")
        yield started
    finally:
        started.stop()


def journal(client: Client, after: int, until: str) -> list[dict[str, Any]]:
    """Entries of `shop` after that number, up to the first that is called `until`."""
    for event in client.subscribe(["status"]):
        params = {"locations": ["shop"], "after": after, "lines": 1000}
        entries: list[dict[str, Any]] = client.call("events", params)["events"]
        names = [each["event"] for each in entries]
        if until in names and event:
            return entries[: names.index(until) + 1]
    raise AssertionError("the daemon closed the connection")


def last(client: Client) -> int:
    number: int = client.call("events", {"lines": 0})["last"]
    return number


def test_the_entries_of_a_save_have_one_attempt_and_what_came_of_it(daemon: Dev) -> None:
    source = daemon.project / "shop.py"
    with daemon.client() as client:
        before = last(client)
        source.write_text(native("shop", "till"))
        entries = journal(client, before, "loaded")
    attempts = {entry["attempt"] for entry in entries}
    assert len(attempts) == 1
    assert None not in attempts
    assert entries[0]["by"] == "file"
    loaded = entries[-1]
    assert (loaded["added"], loaded["changed"], loaded["removed"]) == (1, 0, 0)
    assert loaded["timing"]["total"] > 0
    assert all(entry["timing"] is None for entry in entries[:-1])


def test_a_load_that_failed_has_its_time_too(daemon: Dev) -> None:
    source = daemon.project / "shop.py"
    with daemon.client() as client:
        before = last(client)
        source.write_text("nothing here =\n")
        failed = journal(client, before, "load-failed")[-1]
        assert failed["timing"]["total"] > 0
        assert failed["timing"]["publish"] is None
        assert failed["added"] is None
        before = last(client)
        source.write_text(native("shop"))
        journal(client, before, "loaded")


def test_an_order_has_the_name_of_the_client_that_gave_it(daemon: Dev) -> None:
    with daemon.client() as client:
        before = last(client)
        client.call("reload", {"locations": ["shop"], "by": "page"})
        client.call("reload", {"locations": ["shop"]})
        daemon.cli("reload", "shop")
        params = {"locations": ["shop"], "after": before}
        asked = [e for e in client.call("events", params)["events"] if "asked" in e["event"]]
    assert [entry["by"] for entry in asked] == ["page", "client", "cli"]


def test_usage_is_sampled_while_a_client_has_subscribed_and_what_is_not_known_is_nil(
    daemon: Dev,
) -> None:
    with daemon.client() as client:
        client.call("stop", {"locations": ["mill"]})
        heard = client.subscribe(["usage"])
        full: Any = next(heard)["data"]
        sample: Any = next(heard)["data"]
        memory, cpu = sample["locations"]["shop"]
        assert full["full"] is True
        assert memory > 1_000_000
        assert cpu is None or cpu >= 0
        assert sample["locations"]["mill"] is None
        client.call("start", {"locations": ["mill"]})


def test_who_subscribes_for_one_location_hears_of_no_other(daemon: Dev) -> None:
    with daemon.client() as client, daemon.client() as other:
        heard = client.subscribe(["status", "definitions"], locations=["shop"])
        fulls: list[Any] = [next(heard)["data"] for _ in range(2)]
        assert [each["name"] for each in fulls[0]["locations"]] == ["shop"]
        assert [each["name"] for each in fulls[1]["definitions"]] == ["shop"]
        other.call("reload", {"locations": ["mill"]})
        other.call("reload", {"locations": ["shop"]})
        first: Any = next(heard)["data"]
        assert first["event"]["location"] == "shop"
        with pytest.raises(RpcError, match="did you mean"):
            client.call("subscribe", {"topics": ["status"], "locations": ["shp"]})


def test_an_environment_is_told_with_its_packages_and_compared(daemon: Dev) -> None:
    key = daemon.entry("shop")["environment"]["key"]
    with daemon.client() as client:
        found = client.call("environment", {"key": key[:12]})
        assert found["key"] == key
        assert {"shop"} <= {*found["used_by"]}
        assert found["why"]
        assert faults(found, answers.ShownEnvironment, "environment") == []
        same = client.call("diff", {"environments": [key, key[:12]]})
        assert faults(same, answers.EnvironmentsDiff, "diff") == []
        assert (same["removed"], same["added"], same["changed"]) == ([], [], [])
        with pytest.raises(RpcError, match="there is no environment"):
            client.call("environment", {"key": "nothing"})
