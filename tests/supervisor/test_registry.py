"""Snapshots of several locations merged into one versioned view."""

from __future__ import annotations

from typing import Any

from codelocd.core import registry
from codelocd.core.registry import Registry


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
    source = second.definitions()[0]["source"]
    assert source is not None
    assert source["line"] == 9


def test_the_lines_that_dagster_keeps_of_an_asset_make_no_changed_one_either() -> None:
    def at(line: int, table: str) -> dict[str, Any]:
        code = {"code_references": [{"file_path": "defs.py", "line_number": line}]}
        return {"dagster/code_references": code, "dagster/table_name": table}

    first, _ = Registry().publish("a", [asset("x", metadata=at(3, "t"))])
    assert not first.publish("a", [asset("x", metadata=at(9, "t"))])[1]
    assert first.publish("a", [asset("x", metadata=at(3, "other"))])[1].changed


def test_an_asset_that_joins_others_made_together_does_not_change_them() -> None:
    def of(first: str, *, can_subset: bool = True) -> dict[str, Any]:
        return asset("x", execution_set={"name": first, "can_subset": can_subset})

    first, _ = Registry().publish("a", [of("x")])
    second, difference = first.publish("a", [of("a"), asset("a")])
    assert [each["name"] for each in difference.added] == ["a"]
    assert not difference.changed
    assert second.publish("a", [of("a", can_subset=False), asset("a")])[1].changed


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


def both(*, consumer_defines: bool, **more: Any) -> Registry:
    """`ingest` defines raw; `sales` makes orders from raw, which it may define as well."""
    merged, _ = Registry().publish("ingest", [asset("raw")])
    own = [asset("raw", **more)] if consumer_defines else []
    return merged.publish("sales", [*own, asset("orders", deps=("raw",))])[0]


def test_a_location_that_defines_what_it_needs_depends_on_no_other_for_it() -> None:
    assert registry.edges(both(consumer_defines=True)) == []
    assert len(registry.edges(both(consumer_defines=True, external=True))) == 1
    assert len(registry.edges(both(consumer_defines=False))) == 1


def test_another_repository_of_the_same_location_counts_as_its_own() -> None:
    merged, _ = Registry().publish("ingest", [asset("raw")])
    own = asset("raw", repository="other")
    merged, _ = merged.publish("sales", [own, asset("orders", deps=("raw",))])
    assert registry.edges(merged) == []


def test_a_third_location_depends_on_both_that_define_what_it_needs() -> None:
    merged, _ = both(consumer_defines=True).publish("web", [asset("page", deps=("raw", "raw"))])
    assert [edge["from"]["location"] for edge in registry.edges(merged)] == ["ingest", "sales"]
    assert [conflict["key"] for conflict in registry.conflicts(merged)] == [["raw"]]


def test_what_a_location_only_describes_has_the_dependencies_of_the_real_one() -> None:
    merged = both(consumer_defines=False)
    merged, _ = merged.publish("web", [asset("orders", deps=("raw",), external=True)])
    assert [edge["to"]["location"] for edge in registry.edges(merged)] == ["sales"]
    alone = [asset("report", deps=("raw",), external=True)]
    merged, _ = merged.publish("web", alone)
    assert [edge["to"]["location"] for edge in registry.edges(merged)] == ["sales", "web"]


def test_an_asset_knows_its_producer_and_what_is_made_from_it_across_locations() -> None:
    merged, _ = both(consumer_defines=False).publish("web", [asset("orders", external=True)])
    merged, _ = merged.publish("web", [*merged.definitions(["web"]), asset("p", deps=("orders",))])
    assets: list[Any] = merged.definitions(kind="asset")[:3]
    raw, orders, stub = assets
    where = {"repository": "__repository__"}
    told = registry.relations(merged, orders)
    ingest = {"location": "ingest", **where, "key": ["raw"]}
    sales = {"location": "sales", **where, "key": ["orders"]}
    page = {"location": "web", **where, "key": ["p"]}
    upstream = [{"key": ["raw"], "producers": [ingest]}]
    assert told == {"producers": [sales], "upstream": upstream, "downstream": [page]}
    assert registry.relations(merged, raw)["downstream"] == [sales]
    described = registry.relations(merged, stub)
    assert (described["producers"], described["downstream"]) == ([sales], [page])


def test_what_nobody_produces_has_no_producer_but_those_who_need_it() -> None:
    merged, _ = Registry().publish("a", [asset("x", external=True), asset("y", deps=("x",))])
    first: Any = merged.definitions()[0]
    told = registry.relations(merged, first)
    assert (told["producers"], [one["key"] for one in told["downstream"]]) == ([], [["y"]])


def test_a_changed_definition_says_which_fields_differ() -> None:
    first, _ = Registry().publish("a", [named("schedule", "s", cron="0 6 * * *", job="j")])
    after = named("schedule", "s", cron="0 7 * * *", job="j", timezone="UTC")
    _, difference = first.publish("a", [after])
    assert difference.fields == [{"cron": ["0 6 * * *", "0 7 * * *"], "timezone": [None, "UTC"]}]
