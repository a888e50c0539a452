"""Snapshots of several locations merged into one versioned view."""

from __future__ import annotations

from typing import Any

from codelocd import registry
from codelocd.registry import Registry


def asset(*key: str, deps: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "repository": "__repository__",
        "kind": "asset",
        "name": "/".join(key),
        "key": list(key),
        "deps": [dep.split("/") for dep in deps],
        "source": {"file": "defs.py", "line": 1},
        **more,
    }


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"repository": "__repository__", "kind": kind, "name": name, **more}


def test_publishing_the_same_again_changes_no_revision() -> None:
    first, _ = Registry().publish("a", [asset("x")])
    second, difference = first.publish("a", [asset("x")])
    assert second is first
    assert not difference


def test_the_difference_names_what_came_changed_and_went() -> None:
    first, _ = Registry().publish("a", [asset("x"), asset("y", group="g"), named("job", "j")])
    second, difference = first.publish("a", [asset("y", group="h"), asset("z"), named("job", "j")])
    assert [d["name"] for d in difference.added] == ["z"]
    assert [d["name"] for d in difference.changed] == ["y"]
    assert [d["name"] for d in difference.removed] == ["x"]
    assert second.revision == first.revision + 1


def test_a_definition_that_only_moved_in_its_file_is_not_a_changed_one() -> None:
    first, _ = Registry().publish("a", [asset("x")])
    moved = asset("x", source={"file": "defs.py", "line": 9})
    second, difference = first.publish("a", [moved])
    assert not difference
    assert second.definitions()[0]["source"]["line"] == 9


def test_an_asset_and_a_job_of_one_name_are_two_definitions() -> None:
    merged, _ = Registry().publish("a", [asset("x"), named("job", "x")])
    assert len(merged.definitions()) == 2


def test_checks_of_two_assets_may_share_a_name() -> None:
    checks = [named("asset_check", "ok", key=["x"]), named("asset_check", "ok", key=["y"])]
    merged, _ = Registry().publish("a", checks)
    assert len(merged.definitions()) == 2


def test_keys_are_compared_as_lists_and_not_as_text() -> None:
    merged, _ = Registry().publish("a", [asset("b/c"), asset("b", "c")])
    assert len(merged.definitions()) == 2


def test_a_dependency_on_another_location_is_an_edge() -> None:
    merged, _ = Registry().publish("ingest", [asset("raw")])
    merged, _ = merged.publish("sales", [asset("orders", deps=("raw",)), asset("own")])
    where = {"repository": "__repository__"}
    assert registry.edges(merged) == [
        {
            "from": {"location": "ingest", **where, "key": ["raw"]},
            "to": {"location": "sales", **where, "key": ["orders"]},
        }
    ]


def test_a_dependency_within_a_location_is_no_edge() -> None:
    merged, _ = Registry().publish("a", [asset("x"), asset("y", deps=("x",))])
    assert registry.edges(merged) == []


def test_one_key_in_two_locations_is_a_conflict_that_names_both() -> None:
    merged, _ = Registry().publish("sales", [asset("orders")])
    merged, _ = merged.publish("finance", [asset("orders")])
    (conflict,) = registry.conflicts(merged)
    assert (conflict["kind"], conflict["key"]) == ("asset", ["orders"])
    assert [d["location"] for d in conflict["definitions"]] == ["finance", "sales"]


def test_what_a_location_only_describes_is_joined_with_the_real_one_and_is_no_conflict() -> None:
    merged, _ = Registry().publish("ingest", [asset("orders")])
    merged, _ = merged.publish(
        "sales", [asset("orders", external=True), asset("x", deps=("orders",))]
    )
    assert registry.conflicts(merged) == []
    (edge,) = registry.edges(merged)
    assert (edge["from"]["location"], edge["to"]["location"]) == ("ingest", "sales")


def test_a_withdrawn_location_leaves_nothing_behind() -> None:
    merged, _ = Registry().publish("a", [asset("x")])
    merged, difference = merged.withdraw("a")
    assert merged.definitions() == []
    assert [d["name"] for d in difference.removed] == ["x"]
    assert sum(merged.counts("a").values()) == 0


def test_definitions_can_be_asked_for_by_location_and_kind() -> None:
    merged, _ = Registry().publish("a", [asset("x"), named("job", "j")])
    merged, _ = merged.publish("b", [named("job", "k")])
    assert [d["name"] for d in merged.definitions(kind="job")] == ["j", "k"]
    assert [d["name"] for d in merged.definitions(["b"])] == ["k"]
