"""A document of another version, made such that it has the shape that is declared. Pure.

What a daemon of this version says has its shape. What another one says, or left on disk, may lack
fields, have others, or have them of another type; and whatever shows a document reads it as it is
declared. So such a document is made whole once, where it comes in. This module reads the
declarations themselves, whose import takes longer than most answers: import it where it is needed.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from codelocd.documents import answers, definitions, events, locations, releases

UNKNOWN = "unknown"
"""Stands for a word that a document lacks: no state, kind or origin is called so."""

ANSWERS: dict[str, Any] = {
    "status": locations.StatusDocument,
    "show": locations.ShownLocation | definitions.ShownAsset | definitions.Listed,
    "definitions": definitions.DefinitionsDocument,
    "environments": list[answers.EnvironmentDocument],
    "environment": answers.ShownEnvironment,
    "diff": answers.EnvironmentsDiff,
    "stacks": answers.StacksDocument,
    "command": answers.CommandDocument,
    "logs": answers.LogsDocument,
    "events": answers.EventsDocument,
    "apply": answers.AppliedConfig,
    **dict.fromkeys(("start", "stop", "restart", "reload"), answers.ActionOutcomes),
    "releases": releases.ReleasesDocument,
    "release_upload": releases.ReleaseUpload,
    **dict.fromkeys(("deploy", "rollback"), releases.DeployOutcome),
}
"""By method of the control socket."""

MOST = 2**53
"""Of a number: JSON carries no larger one exactly, and no clock knows such a moment."""


class _Unfit(Exception):
    """A value of another type."""


def answer(method: str, value: Any) -> Any:
    """The result of a method of another version's daemon, as this version declares it."""
    return whole(value, ANSWERS[method]) if method in ANSWERS else value


def event(value: Any) -> Any:
    """The parameters of the notification `event`, likewise."""
    return whole(value, events.TopicEvent)


def status(value: Any) -> locations.StatusDocument:
    """What another daemon left of its status."""
    made: locations.StatusDocument = whole(value, locations.StatusDocument)
    return made


def kept_location(value: Any) -> locations.KeptLocation:
    """What another daemon left of one location."""
    made: locations.KeptLocation = whole(value, locations.KeptLocation)
    return made


def whole(value: Any, shape: Any) -> Any:
    """`value` with what it lacks, and without what is of another type.

    In their place stands None where that is allowed, else what is empty; fields and words that
    are not declared stay: a newer daemon may have more of them.
    """
    try:
        return _fitted(value, shape)
    except _Unfit:
        return _empty(shape)


def _fitted(value: Any, shape: Any) -> Any:
    origin, inner = get_origin(shape), get_args(shape)
    if shape is Any:
        return value
    if origin in (Union, types.UnionType):
        return _nearest(value, inner)
    if origin is Literal:
        return _typed(value, *{type(word) for word in inner})
    if is_typeddict(shape):
        return _map(_typed(value, dict), shape)
    if origin is dict:
        return dict(_fitting(_typed(value, dict).items(), inner[1]))
    if origin is list:
        return [each for _, each in _fitting(enumerate(_typed(value, list)), inner[0])]
    if origin is tuple:
        if len(_typed(value, list, tuple)) != len(inner):
            raise _Unfit
        return [whole(each, kind) for each, kind in zip(value, inner, strict=True)]
    return _typed(value, *((int, float) if shape is float else (shape,)))


def _typed(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds or (type(value) in (int, float) and not -MOST < value < MOST):
        raise _Unfit
    return value


def _fitting(items: Any, shape: Any) -> Iterator[tuple[Any, Any]]:
    """What is of another type among many is left out."""
    for name, each in items:
        try:
            yield name, _fitted(each, shape)
        except _Unfit:
            continue


def _map(value: dict[str, Any], shape: Any) -> dict[str, Any]:
    made = dict(value)
    for name, (kind, is_needed) in _fields(shape).items():
        if name in value:
            made[name] = whole(value[name], kind)
        elif is_needed:
            made[name] = _empty(kind)
    return made


@cache
def _fields(shape: Any) -> dict[str, tuple[Any, bool]]:
    """The type of each field, and whether it must be there."""
    hints = get_type_hints(shape, include_extras=True)
    return {
        name: (get_args(kind)[0], False) if get_origin(kind) is NotRequired else (kind, True)
        for name, kind in hints.items()
    }


def _nearest(value: Any, shapes: tuple[Any, ...]) -> Any:
    """As the alternative that it is nearest to; of objects, that with most of its fields."""
    if value is None and type(None) in shapes:
        return None
    if type(value) is dict:
        shapes = tuple(sorted(shapes, key=lambda shape: _likeness(value, shape), reverse=True))
    for shape in shapes:
        try:
            return _fitted(value, shape)
        except _Unfit:
            continue
    raise _Unfit


def _likeness(value: dict[str, Any], shape: Any) -> tuple[int, int]:
    """How many of its words are those of `shape`, and how many fields it shares or lacks."""
    if not is_typeddict(shape):
        return 0, 0
    fields = _fields(shape)
    words = {name: get_args(kind) for name, (kind, _) in fields.items() if _is_word(kind)}
    same = sum(value.get(name) in known for name, known in words.items())
    return same, sum(1 if name in value else -1 for name in fields if fields[name][1])


def _is_word(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _empty(shape: Any) -> Any:
    origin, inner = get_origin(shape), get_args(shape)
    if shape is Any or type(None) in inner:
        return None
    if origin in (Union, types.UnionType):
        return _empty(inner[0])
    if origin is Literal:
        return UNKNOWN if type(inner[0]) is str else inner[0]
    if is_typeddict(shape):
        return _map({}, shape)
    if origin is tuple:
        return [_empty(kind) for kind in inner]
    return (origin or shape)()
