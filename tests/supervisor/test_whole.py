"""Documents of other versions: whatever they lack or have of another type, they can be shown."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import (
    Any,
    Literal,
    NotRequired,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import pytest

from codelocd.cli.commands.change import _step_lines
from codelocd.cli.dev_output import DevOutput
from codelocd.cli.status import document as status_json
from codelocd.cli.status import verdict
from codelocd.core import findings, whole
from codelocd.documents import answers, definitions, events, locations
from codelocd.render import environments, journal
from codelocd.render import location as pages
from codelocd.render import status as tables
from codelocd.render.definitions import definition
from codelocd.render.definitions import definitions as listed
from codelocd.render.text import PLAIN, Screen
from tests.shapes import faults

NOW = 1700000000.0
NARROW = Screen(colour=True, width=60, height=10)


def full(shape: Any) -> Any:
    """A document that has everything that `shape` declares, but no list of definitions: what
    `test_shapes` shows of those needs no more than what a runner must say.
    """
    origin, inner = get_origin(shape), get_args(shape)
    if shape is Any:
        return {"any": ["thing", 1]}
    if origin is NotRequired:
        return full(inner[0])
    if origin is Literal:
        return inner[0]
    if is_typeddict(shape):
        hints = get_type_hints(shape, include_extras=True)
        return {name: full(kind) for name, kind in hints.items()}
    if origin is dict:
        return {full(inner[0]): full(inner[1])}
    if origin is list:
        return [full(inner[0])] if inner[0] is not definitions.Listed else []
    if origin is tuple:
        return [full(kind) for kind in inner]
    if inner:  # a union
        return full(next(kind for kind in inner if kind is not type(None)))
    return {str: "text", int: 3, float: 7.5, bool: True}[shape]


def _status(found: Any) -> None:
    tables.status(found, PLAIN)
    tables.failed(found, PLAIN)
    tables.page(found, "12:00", NARROW)
    tables.under_way(found["locations"])
    status_json(found, only_failed=True)
    verdict(found)


def _shown(found: Any) -> None:
    pages.location(found, NOW, PLAIN)
    pages.page(found)


def _environments(found: Any) -> None:
    environments.environments(found, NOW, PLAIN)
    for each in found:
        environments.environment(each, NOW, PLAIN)
    list(findings.dagsters(found))


def _event(found: Any) -> None:
    list(DevOutput(["text"], PLAIN, 0.0, loudness="verbose").lines(found, 1.0))
    if "event" in found["data"]:
        journal.event(found["data"]["event"], NARROW)


def _actions(found: Any) -> None:
    for each in found["locations"]:
        pages.outcome(each, PLAIN)


def _stacks(found: Any) -> None:
    pages.stacks(found, warm=True, screen=PLAIN)


def _logs(found: Any) -> None:
    for each in found["lines"]:
        journal.output(each, PLAIN, "cyan")


def _events(found: Any) -> None:
    for each in found["events"]:
        journal.event(each, NARROW)


SHOWN: list[tuple[str, Any, Callable[[Any], Any]]] = [
    ("status", locations.StatusDocument, _status),
    ("show", locations.ShownLocation, _shown),
    ("show, where no daemon runs", locations.LeftLocation, _shown),
    ("show, as it is kept", locations.KeptLocation, lambda found: tables.state(found)),
    ("an asset", definitions.ShownAsset, lambda found: definition(found, PLAIN)),
    ("definitions", definitions.DefinitionsDocument, lambda found: listed(found, PLAIN)),
    ("environments", list[answers.EnvironmentDocument], _environments),
    ("stacks", answers.StacksDocument, _stacks),
    ("logs", answers.LogsDocument, _logs),
    ("events", answers.EventsDocument, _events),
    ("apply", answers.AppliedConfig, lambda found: list(_step_lines(found, PLAIN))),
    ("start", answers.ActionOutcomes, _actions),
    ("a change of state", events.StatusEvent, _event),
    ("a change of definitions", events.DefinitionsEvent, _event),
    ("a line", events.LogsEvent, _event),
    ("a step", events.BuildsEvent, _event),
]
"""What comes from daemons of other versions, its declaration, and what shows it."""

OTHERS: tuple[Any, ...] = (None, True, math.inf, 2**70, "x\x1b[2J", [7], {})
MISSING = object()
ALLOWED = re.compile("none of \\(|, which [A-Za-z]+ has not")
"""What a newer daemon may say: words and fields that are not declared."""


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value within a document."""
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    items = enumerate(value[:1]) if isinstance(value, list) else items
    for name, each in items:
        yield (*way, name)
        yield from _places(each, (*way, name))


def _changed(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    made = copy.copy(document)
    name, *rest = way
    if rest:
        made[name] = _changed(document[name], tuple(rest), value)
    elif value is MISSING:
        del made[name]
    else:
        made[name] = value
    return made


@pytest.mark.parametrize(("shape", "show"), [each[1:] for each in SHOWN], ids=[e[0] for e in SHOWN])
def test_a_document_that_lacks_anything_or_has_it_of_another_type_is_shown(
    shape: Any, show: Callable[[Any], Any]
) -> None:
    right = full(shape)
    assert whole.whole(right, shape) == right
    show(right)
    for way in _places(right):
        for other in (MISSING, *OTHERS):
            made = whole.whole(_changed(right, way, other), shape)
            if other is MISSING:  # the rest would say the same, and take seconds
                wrong = [each for each in faults(made, shape) if not ALLOWED.search(each)]
                assert not wrong, way
            try:
                show(made)
            except Exception as error:
                raise AssertionError(f"with {other!r} at {way}") from error


def test_what_a_newer_daemon_says_besides_stays() -> None:
    problem = {**full(locations.ProblemDocument), "kind": "flood", "river": "Elbe"}
    made = whole.whole(problem, locations.ProblemDocument)
    assert made == problem
    assert whole.answer("tides", {"high": 1}) == {"high": 1}


def test_a_state_that_is_missing_is_unknown_and_what_may_be_missing_is_none() -> None:
    made = whole.answer("status", {"locations": [{"name": "sales"}, 7]})
    (sales,) = made["locations"]
    assert (sales["name"], sales["state"], sales["pid"]) == ("sales", "unknown", None)
    assert "condition" not in made["daemon"]
