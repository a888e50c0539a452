"""Whole documents as text: a location, its definitions, a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codelocd.render.definitions import about, definition, definitions
from codelocd.render.location import checked, location, passed, result
from codelocd.render.text import PLAIN

if TYPE_CHECKING:
    from codelocd.documents.definitions import (
        AssetNode,
        DefinitionsDocument,
        ListedAsset,
        Relations,
        Upstream,
    )
    from codelocd.documents.locations import ProblemDocument, ShownLocation

NOW = 1700000100.0
PROBLEM: ProblemDocument = {
    "kind": "load",
    "summary": "SyntaxError: invalid syntax (defs.py, line 3)",
    "detail": 'Traceback:\n  File "defs.py", line 3',
    "at": NOW - 5,
    "frames": [],
    "remedy": None,
}
STALE: ShownLocation = {
    "name": "sales",
    "state": "serving",
    "phase_seconds": 2.0,
    "wanted": True,
    "reloading": "starting",
    "stale": True,
    "generation": 3,
    "restarts": 1,
    "restarts_1h": 1,
    "last_failure": None,
    "last_answer": None,
    "pid": 123,
    "node": None,
    "start_method": "fork",
    "release": None,
    "uptime": 75.0,
    "memory": 31457280,
    "cpu": 0.3,
    "environment": {
        "key": "k",
        "path": "/store/e",
        "python": "3.12.1",
        "executable": "/store/e/bin/python",
        "origin": "built",
    },
    "definitions": [],
    "counts": {"asset": 2, "asset_check": 1, "job": 0},
    "loader": "native",
    "load_seconds": 0.05,
    "problem": PROBLEM,
    "sources": ["/a/defs.py"],
    "why": {
        "environment": "inline script metadata",
        "inputs": [],
        "start_method": None,
        "placement": None,
        "hooks": {"at_exit": {"logging": 1}, "at_fork": {"threading": 1, "random": 1}},
    },
    "last_exit": {"pid": 9, "status": None, "signal": 9, "at": NOW - 60, "asked": False},
    "output": [
        {
            "seq": 1,
            "at": NOW,
            "location": "sales",
            "stream": "stdout",
            "text": "hello\x1b[2J",
            "generation": 3,
        }
    ],
    "timing": None,
    "declared_in": "codelocd.toml",
    "working_directory": "/a",
    "variables": [],
    "lock": "/state/serving/sales.lock",
    "config": {"file": None, "state": "applied", "problem": None, "at": NOW},
    "changed_by": None,
    "left_out": [],
    "runs": {"running": 0, "queued": 0},
    "polled": [],
    "own_writes": [],
}
ASSET: ListedAsset = {
    "location": "sales",
    "repository": "__repository__",
    "kind": "asset",
    "name": "mart/orders",
    "key": ["mart", "orders"],
    "description": None,
    "deps": [["raw"], ["ext", "customers"]],
    "group": None,
    "kinds": [],
    "tags": {"team": "x"},
    "owners": [],
    "resources": [],
    "source": {"file": "/a/defs.py", "line": 12},
    "metadata": {},
}


def test_a_page_shows_state_reason_last_exit_traceback_and_output() -> None:
    assert location(STALE, NOW, PLAIN).splitlines() == [
        "● sales: serving, stale, reloading",
        "     Serving: generation 3 for 1m 15s, 1 restart",
        "      Runner: pid 123, 30 MiB, 30% of a core, native code loaded in 50ms, started by fork",
        "   Inherited: hooks at exit: logging; at fork: random, threading",
        " Environment: Python 3.12.1 in /store/e (built)",
        "     Because: inline script metadata",
        " Definitions: 2 assets, 1 asset check",
        "     Sources: 1 file watched",
        "   Last exit: SIGKILL, 1m 0s ago",
        "",
        "Problem (load, 5.0s ago): SyntaxError: invalid syntax (defs.py, line 3)",
        "",
        "  Traceback:",
        '    File "defs.py", line 3',
        "",
        "Last output",
        "  hello",
    ]


def test_a_location_that_never_ran_has_a_page() -> None:
    never: ShownLocation = {
        **STALE,
        "name": "x",
        "state": "stopped",
        "wanted": None,
        "reloading": None,
        "stale": False,
        "generation": None,
        "restarts": 0,
        "pid": None,
        "uptime": None,
        "environment": None,
        "problem": None,
        "node": None,
        "why": {
            "environment": None,
            "inputs": [],
            "start_method": None,
            "placement": None,
            "hooks": None,
        },
        "last_exit": None,
        "output": [],
    }
    page = location(never, NOW, PLAIN)
    assert page.splitlines()[:2] == ["● x: stopped", "     Serving: nothing, 0 restarts"]


def test_an_asset_comes_with_its_producer_and_what_is_upstream_and_downstream() -> None:
    def node(location: str, *key: str) -> AssetNode:
        return {"location": location, "repository": "__repository__", "key": list(key)}

    upstream: list[Upstream] = [
        {"key": ["raw"], "producers": [node("ingest", "raw")]},
        {"key": ["own"], "producers": [node("sales", "own")]},
        {"key": ["ext", "customers"], "producers": []},
    ]
    relations: Relations = {
        "producers": [node("sales", "mart", "orders")],
        "upstream": upstream,
        "downstream": [node("sales", "report"), node("web", "page")],
    }
    lines = definition({**ASSET, **relations, "last_made": None}, PLAIN).splitlines()
    assert lines[2:5] == [
        "          producer: sales",
        "          upstream: raw (ingest), own, ext/customers (produced nowhere here)",
        "        downstream: report, page (web)",
    ]
    assert not [line for line in lines if "deps:" in line]
    two = [node("finance", "mart", "orders"), *relations["producers"]]
    changed: Relations = {**relations, "producers": two, "downstream": []}
    text = definition({**ASSET, **changed, "last_made": None}, PLAIN)
    assert "producer: finance, sales (defined more than once)" in text
    assert "downstream: nothing" in text


def test_definitions_are_a_table_with_edges_and_conflicts_below() -> None:
    node: AssetNode = {
        "location": "sales",
        "repository": "__repository__",
        "key": ["orders"],
    }
    other: AssetNode = {"location": "ingest", "repository": "named", "key": ["raw"]}
    document: DefinitionsDocument = {
        "revision": 1,
        "definitions": [ASSET],
        "edges": [{"from": other, "to": node}],
        "conflicts": [{"kind": "asset", "key": ["raw"], "definitions": [node, other]}],
    }
    text = definitions(document, PLAIN)
    assert "sales     asset  mart/orders  ← raw, ext/customers  /a/defs.py:12" in text
    assert "  ingest (repository named): raw → sales: orders" in text
    assert "  asset raw: sales, ingest (repository named)" in text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"kind": "asset", "deps": []}, ""),
        ({"kind": "asset_check", "key": ["a", "b"]}, "checks a/b"),
        ({"kind": "job", "assets": [["a"]]}, "1 asset"),
        ({"kind": "job", "ops": ["a", "b"]}, "2 ops"),
        (
            {"kind": "schedule", "cron": "0 6 * * *", "timezone": "UTC", "job": "j"},
            "0 6 * * * UTC → j",
        ),
        ({"kind": "sensor", "minimum_interval": 30.0, "job": "j"}, "every 30s → j"),
        ({"kind": "sensor", "minimum_interval": None, "job": "j"}, "→ j"),
        ({"kind": "resource", "type": "Warehouse"}, "Warehouse"),
    ],
)
def test_what_matters_about_a_definition_depends_on_its_kind(found: Any, text: str) -> None:
    assert about(found) == text


def test_a_definition_in_full_leaves_out_what_says_nothing() -> None:
    assert definition(ASSET, PLAIN).splitlines() == [
        "asset mart/orders",
        "          location: sales",
        "               key: mart/orders",
        "              deps: raw, ext/customers",
        "              tags: team = x",
        "            source: /a/defs.py:12",
    ]


def test_a_column_schema_is_shown_as_a_table() -> None:
    rules = {"nullable": False, "unique": True, "other": ["indexed"]}
    schema = {
        "columns": [
            {"name": "id", "type": "int", "description": "Which\none", "constraints": rules},
            {"name": "note", "type": "string", "description": None, "constraints": {}},
            "… (7 of 9 cut)",
        ],
        "constraints": {"other": ["id < 10"]},
    }
    metadata = {"dagster/column_schema": schema, "dagster/table_name": "shop.orders"}
    assert definition({**ASSET, "metadata": metadata}, PLAIN).splitlines()[-7:] == [
        "          metadata: dagster/table_name = shop.orders",
        "dagster/column_schema:",
        "    COLUMN  TYPE    CONSTRAINTS                DESCRIPTION",
        "    id      int     not null, unique, indexed  Which one",
        "    note    string  -                          -",
        "    … (7 of 9 cut)",
        "    of the table: id < 10",
    ]


def test_what_is_nested_in_a_definition_is_told_in_words() -> None:
    found: Any = {
        "location": "sales",
        "repository": "__repository__",
        "kind": "job",
        "name": "refresh",
        "assets": [["mart", "orders"], ["raw"]],
        "config_schema": {"take": {"rows": {"type": "Int", "required": True}}},
        "mappings": [{"asset": ["raw"], "start": None}],
    }
    assert definition(found, PLAIN).splitlines()[2:] == [
        "            assets: mart/orders, raw",
        "     config schema: take = {rows = {type = Int, required = True}}",
        "          mappings: {asset = [raw], start = -}",
    ]


def test_a_check_shows_every_problem_in_full_and_counts() -> None:
    good: Any = {"name": "a", "ok": True, "problem": None, "definitions": {"asset": 2, "job": 0}}
    bad: Any = {"name": "b", "ok": False, "problem": PROBLEM, "definitions": {}}
    document: Any = {"locations": [good, bad], "conflicts": []}
    told = [checked(found, PLAIN) for found in document["locations"]]
    assert "\n".join([*told, result(document, PLAIN)]).splitlines() == [
        "✓ a: 2 assets",
        "✗ b: load: SyntaxError: invalid syntax (defs.py, line 3)",
        "    Traceback:",
        '      File "defs.py", line 3',
        "2 locations checked, 1 failed, 0 conflicts",
    ]
    assert not passed(document)


def test_a_check_passes_if_all_load_and_none_defines_what_another_does() -> None:
    good: Any = {"name": "a", "ok": True, "problem": None, "definitions": {}}
    node = {"location": "a", "repository": "__repository__", "key": ["x"]}
    conflict: Any = {
        "kind": "asset",
        "key": ["x"],
        "definitions": [node, {**node, "location": "b"}],
    }
    assert passed({"locations": [good], "conflicts": []})
    assert not passed({"locations": [good], "conflicts": [conflict]})
    assert result({"locations": [good], "conflicts": [conflict]}, PLAIN).splitlines() == [
        "✗ defined more than once: asset x: a, b",
        "1 location checked, 0 failed, 1 conflict",
    ]


def test_a_problem_of_one_line_is_told_once() -> None:
    summary = "no file /a/gone.py; create it, or correct the path"
    found: Any = {
        "name": "sales",
        "ok": False,
        "problem": {**PROBLEM, "summary": summary, "detail": f"{summary}\n"},
        "definitions": {},
    }
    assert checked(found, PLAIN).count(summary) == 1
