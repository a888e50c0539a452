"""The difference between what runs and what a config asks for."""

from dataclasses import replace
from pathlib import Path

from codeloc_envs.request import Index, Installation, Request
from codelocd.core.config_diff import plan
from codelocd.model import GrpcServer, LocationSpec, Policy, Target

SALES = LocationSpec("sales", Target("module", "sales"), Path("/p"), "codelocd.toml")
INGEST = replace(SALES, name="ingest")


def test_nothing_changed_means_nothing_to_do() -> None:
    assert plan({"sales": SALES}, [SALES]) == plan({}, [])


def test_new_and_missing_locations_are_added_and_removed() -> None:
    difference = plan({"sales": SALES}, [INGEST])
    assert (difference.added, difference.removed) == ((INGEST,), ("sales",))


def test_another_target_or_variable_loads_a_new_runner() -> None:
    changed = replace(SALES, variables={"REGION": "eu"})
    assert plan({"sales": SALES}, [changed]).reloaded == (changed,)


def test_other_rules_are_applied_without_a_new_runner() -> None:
    changed = replace(SALES, policy=Policy(stop_timeout=3), watch=("*.sql",))
    difference = plan({"sales": SALES}, [changed])
    assert (difference.reloaded, difference.adjusted) == ((), (changed,))


def test_another_start_method_loads_a_new_runner() -> None:
    changed = replace(SALES, policy=Policy(start_method="spawn"))
    assert plan({"sales": SALES}, [changed]).reloaded == (changed,)


def test_a_location_that_becomes_external_is_removed_and_added() -> None:
    outside = replace(SALES, target=GrpcServer(port=4000))
    difference = plan({"sales": SALES}, [outside])
    assert (difference.added, difference.removed) == ((outside,), ("sales",))


def test_what_differs_is_told_by_key_and_no_secret_with_it() -> None:
    before = replace(SALES, variables={"KEEP": "1", "OLD": "2", "TOKEN": "old-secret"})
    after = replace(
        before,
        target=Target("python_file", "/p/sales.py"),
        variables={"KEEP": "1", "TOKEN": "new-secret", "NEW": "3"},
        credentials={"OLD": "key"},
        environment=Request(
            packages=("git+https://me:pass@host/x",),
            installation=Installation(Index(url="https://me:pass@index/simple")),
        ),
        policy=Policy(stop_timeout=3),
    )
    difference = plan({"sales": before, "ingest": INGEST}, [after, INGEST])
    assert set(difference.changes) == {"sales"}
    told = difference.as_json()["changes"]["sales"]
    assert told["module"] == ("sales", None)
    assert told["python_file"] == (None, "/p/sales.py")
    assert told["stop_timeout"] == (10.0, 3)
    assert told["environment.packages"] == (None, ["git+https://…@host/x"])
    assert told["index"][1]["url"] == "https://…@index/simple"
    names = {name: told[f"env.{name}"] for name in ("OLD", "NEW", "TOKEN")}
    shown = "(not shown)"
    credential = {"credential": "key"}
    assert names == {"OLD": (shown, credential), "NEW": (None, shown), "TOKEN": (shown, shown)}
    assert "env.KEEP" not in told
    assert not [word for word in ("secret", "pass") if word in str(told)]
