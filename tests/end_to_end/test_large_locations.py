"""A location of so many definitions that other threads of the daemon deal with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codelocd.client import Client
from tests.end_to_end.daemons import DEADLINE, StartDev, native

MANY = 5000
CODE = f"""
from codeloc import Definitions, asset

def made(n):
    @asset(key=[f"k{{n}}"], deps=[f"k{{n - 1}}"] if n else [], group="GROUP")
    def one(): ...
    return one

defs = Definitions(assets=[made(n) for n in range({MANY})])
"""


def _data(events: Iterator[Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(events)["data"]
    return found


def test_a_large_location_is_listed_shown_changed_and_kept_for_the_next_daemon(
    dev: StartDev, project: Path
) -> None:
    (project / "large.py").write_text(native("orders"))
    daemon = dev("-f", "large.py")
    daemon.until_serving("large")
    with Client(daemon.socket, timeout=DEADLINE) as client:
        events = client.subscribe(["definitions"])
        assert len(_data(events)["definitions"]) == 1
        (project / "large.py").write_text(CODE.replace("GROUP", "a"))
        news = _data(events)  # not 5,000 that were added, but all that there is
        assert (news["full"], len(news["definitions"])) == (True, MANY)
        (project / "large.py").write_text(CODE.replace("GROUP", "b"))
        news = _data(events)
        assert {each["group"] for each in news["definitions"]} == {"b"}
        (project / "large.py").write_text(CODE.replace("GROUP", "b").replace("5000", "5001"))
        news = _data(events)
        assert [each["name"] for each in news["added"]] == ["k5000"]
    with daemon.client() as client:
        shown = client.call("show", {"location": "large"})
        assert (shown["counts"]["asset"], len(shown["definitions"])) == (MANY + 1, MANY + 1)
        one = client.call("show", {"location": "large", "name": "k7"})
        assert [each["key"] for each in one["downstream"]] == [["k8"]]
    assert len(daemon.json("definitions")["definitions"]) == MANY + 1
    daemon.stop()

    (project / "large.py").write_text("import nothing_of_that_name\n")
    again = dev("-f", "large.py")
    entry = again.until("large", lambda each: each["definitions"]["asset"] == MANY + 1)
    assert (entry["state"], entry["stale"]) == ("failed", True)
    again.cli("stop", "large")
    again.until("large", lambda each: each["definitions"]["asset"] == 0)
