"""A runner that answers anything: what is listed of it never breaks what asks for the list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import packb

from codelocd.core import registry, shapes
from codelocd.daemon import status
from codelocd.render.definitions import changes
from codelocd.render.definitions import definition as shown
from codelocd.render.definitions import definitions as listed
from codelocd.render.text import Screen
from codelocd.rpc.messages import response
from codelocd.rpc.requests import Limits
from codelocd.runners.api import Answer, FailedOutcome, LoadedOutcome

COMMON = {
    "name": "orders",
    "repository": "__repository__",
    "description": None,
    "tags": {},
    "owners": [],
    "metadata": {"schema": {"columns": [{"name": "id"}], "constraints": None}},
    "resources": ["db"],
    "source": {"file": "/a.py", "line": 3},
}
GOOD: dict[str, dict[str, Any]] = {
    "asset": {**COMMON, "kind": "asset", "key": ["orders"], "deps": [["raw"]], "kinds": ["csv"]},
    "asset_check": {**COMMON, "kind": "asset_check", "key": ["orders"]},
    "job": {**COMMON, "kind": "job", "assets": [["orders"]]},
    "schedule": {**COMMON, "kind": "schedule", "cron": "0 6 * * *", "job": "orders"},
    "sensor": {**COMMON, "kind": "sensor", "minimum_interval": 30, "job": "orders"},
    "resource": {**COMMON, "kind": "resource", "type": "int"},
}
FACTS: dict[str, Any] = {
    "modules": [],
    "named": [],
    "variables": [],
    "changed": [],
    "divergence": None,
    "seconds": 0.1,
    "import_seconds": 0.1,
}


def snapshot(*definitions: Any, **changed: Any) -> dict[str, Any]:
    told = {"loader": "native", "python": "3.12.1", "load_seconds": 0.1, "sources": {"/a": "0"}}
    return {**told, "watch": [], "definitions": list(definitions), **changed}


def said(body: Any, /, **changed: Any) -> dict[str, Any]:
    encoded = {"body": json.dumps(body).encode(), "imports": json.dumps(FACTS).encode()}
    return {"ok": True, **encoded, **changed}


def refusal(body: Any, **changed: Any) -> str:
    with pytest.raises(shapes.WrongShape) as caught:
        Answer.of(said(body, **changed))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_a_good_runner_says_is_taken() -> None:
    outcome = Answer.of(said(snapshot(*GOOD.values()))).outcome
    assert isinstance(outcome, LoadedOutcome)
    assert outcome.snapshot.definitions == tuple(GOOD.values())
    problem = {"summary": "1 / 0", "detail": "", "missing": None, "error": None}
    bad = Answer.of(said({"problem": problem, "sources": {}}, ok=False)).outcome
    assert isinstance(bad, FailedOutcome)
    assert bad.problem == {**problem, "frames": ()}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"deps": 7}, "definition 1 ('asset' 'orders'): deps is 7, not a list of keys"),
        ({"deps": ["raw"]}, "deps is a list of 1, not a list of keys"),
        ({"deps": None}, "it has no deps"),
        ({"key": [1]}, "key is a list of 1, not a list of texts"),
        ({"key": "orders"}, "key is 'orders', not a list of texts"),
        ({"kind": "pipeline"}, "kind is 'pipeline', not one of asset,"),
        ({"kind": ["asset"]}, "kind is a list of 1, not one of asset,"),
        ({"name": None}, "name is nothing, not a text"),
        ({"location": "finance"}, "location is 'finance', not for a runner to say"),
        ({"source": {"file": "/a.py"}}, ""),
        ({"source": {"line": 1}}, "source is an object of 1, not an object with file and line"),
        ({"metadata": {"n": 2**70}}, "the number of 71 bits has no form"),
        ({"metadata": {"n": float("nan")}}, "the number nan has no form"),
        ({"metadata": json.loads('{"a":' * 200 + "1" + "}" * 200)}, "nested more than 128 levels"),
    ],
)
def test_a_definition_of_another_shape_is_named_with_what_is_wrong(
    changed: dict[str, Any], message: str
) -> None:
    body = snapshot({**GOOD["asset"], **changed})
    if not message:
        Answer.of(said(body))
    else:
        assert message in refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        7,
        None,
        [],
        {},
        snapshot(7),
        snapshot({}),
        snapshot({"kind": "job"}),
        snapshot(definitions={}),
        snapshot(loader=1),
        snapshot(load_seconds=-1),
        snapshot(load_seconds=True),
        snapshot(sources=[]),
        snapshot(sources={"/a": 1}),
        snapshot(watch=[1]),
    ],
)
def test_a_snapshot_of_another_shape_is_refused(body: Any) -> None:
    refusal(body)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        7,
        {},
        {"ok": True},
        said(snapshot(), body="text"),
        said(snapshot(), body=b"\xff"),
        said(snapshot(), body=b"[" * 100_000),
        said(snapshot(), imports=b"{}"),
        said(snapshot(), ok=False),
        said({"problem": {"summary": 1}, "sources": {}}, ok=False),
        said({"problem": {"summary": "", "error": {"type": 1}}, "sources": {}}, ok=False),
        said({"problem": {"summary": "", "missing": []}, "sources": {}}, ok=False),
        said({"problem": {"summary": "", "frames": [1]}, "sources": {}}, ok=False),
        said(
            {"problem": {"summary": "", "frames": [{"code": [["1", 2]]}]}, "sources": {}}, ok=False
        ),
    ],
)
def test_an_answer_of_another_shape_is_refused(answer: Any) -> None:
    with pytest.raises(shapes.WrongShape):
        Answer.of(answer)


def in_lists(*definitions: Any, each: int = 1) -> dict[str, Any]:
    """An answer whose definitions come in lists of so many each."""
    body = {name: value for name, value in snapshot().items() if name != "definitions"}
    pieces = [definitions[at : at + each] for at in range(0, len(definitions), each)]
    lists = [json.dumps(piece).encode() for piece in pieces]
    return said(body, definitions=lists)


def wrong(answer: Any) -> str:
    with pytest.raises(shapes.WrongShape) as caught:
        Answer.of(answer)
    return str(caught.value)


def test_a_snapshot_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "DEFINITIONS", 2)
    assert "it has 3 definitions, and 2 is the most" in refusal(snapshot(*[GOOD["job"]] * 3))
    monkeypatch.setattr(shapes, "VALUES", 10)
    assert "more than 10 values" in refusal(snapshot(GOOD["job"]))
    assert "it has more than 10 values" in wrong(in_lists(GOOD["job"], GOOD["job"]))
    monkeypatch.undo()
    monkeypatch.setattr(shapes, "BODY_BYTES", 3 * 2**20)
    large = {**GOOD["job"], "description": "x" * 2 * 2**20}
    assert "it takes more than 3 MiB as JSON" in wrong(in_lists(large, large))


def test_definitions_that_come_in_lists_are_the_same_as_in_one_body() -> None:
    jobs = [{**GOOD["job"], "name": f"j{n}"} for n in range(5)]
    whole = Answer.of(said(snapshot(*jobs))).outcome
    for each in (1, 2, 5):
        apart = Answer.of(in_lists(*jobs, each=each)).outcome
        assert isinstance(whole, LoadedOutcome)
        assert isinstance(apart, LoadedOutcome)
        assert apart.snapshot == whole.snapshot
        assert apart.body is not None
        assert shapes.snapshot(shapes.decoded(apart.body)) == whole.snapshot


@pytest.mark.parametrize(
    ("piece", "why"),
    [
        (b'["' + b"x" * 4 * 2**20 + b'"]', "4.0 MiB of JSON are in one piece"),
        (b'["' + b"\\n" * 2**20 + b'"]', "too many values or escapes in one piece"),
        (b"[" + b"0," * 2**21, "4.0 MiB of JSON are in one piece"),
        (b"[" + b"0," * 2 * 10**6 + b"0]", "too many values or escapes in one piece"),
        (b"[" * 2**16, "nested too deep"),
        (b'{"a": 1}', "definitions has an object"),
        ("[]", "where JSON was expected"),
        (b"[1]", "definition 1: it is 1, not an object"),
    ],
)
def test_what_would_be_decoded_in_one_go_is_bounded(piece: Any, why: str) -> None:
    assert why in wrong({**in_lists(), "definitions": [piece]})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["file", "line", "columns", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = sorted({*COMMON, *(name for each in GOOD.values() for name in each), "execution_set"})


@st.composite
def anything(draw: st.DrawFn) -> Any:
    """A definition with some fields left out, or holding anything; or no definition at all."""
    made: Any = dict(draw(st.sampled_from(list(GOOD.values()))))
    for name in draw(st.lists(st.sampled_from([*FIELDS, "location", "other"]), max_size=3)):
        if draw(st.booleans()):
            made[name] = draw(VALUES)
        else:
            made.pop(name, None)
    if draw(st.integers(0, 9)) == 0:
        made = draw(VALUES)
    if isinstance(made, dict) and draw(st.booleans()):
        metadata = {"schema": {"columns": draw(VALUES), "constraints": draw(VALUES)}}
        made["metadata"] = metadata
    return made


@given(st.lists(anything(), max_size=4), st.lists(anything(), max_size=2))
@settings(max_examples=300, deadline=None)
def test_a_runner_that_answers_anything_never_breaks_definitions_status_or_show(
    first: list[Any], second: list[Any]
) -> None:
    merged, _ = registry.Registry().publish("good", GOOD.values())
    for definitions in (first, second):
        try:
            outcome = Answer.of(said(snapshot(*definitions))).outcome
        except shapes.WrongShape:
            continue
        assert isinstance(outcome, LoadedOutcome)
        shapes.snapshot(json.loads(json.dumps(outcome.snapshot.to_json())))  # as it is kept
        merged, difference = merged.publish("hostile", outcome.snapshot.definitions)
        for fields in difference.fields:
            changes(fields)
    document = status.definitions(merged, None, None)
    Limits().encode(response(1, document))
    packb(document, unicode_errors="surrogateescape")
    merged.counts("hostile")
    listed(document, Screen(colour=False, width=80))
    for each in merged.definitions():
        same = [one for one in merged.definitions([each["location"]]) if one == each]
        if each["kind"] == "asset" and same:
            relations = registry.relations(merged, each)
            whole: Any = {**each, **relations, "last_made": None}
            shown(whole, Screen(colour=False, width=80))
        shown(each, Screen(colour=False, width=80))
