"""Turns what a pydantic model finds wrong with a table into mistakes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from codelocd.config.document import Document
from codelocd.config.errors import ConfigError, KeyPath, Mistake, UnfitError, nearest

Model = TypeVar("Model", bound=BaseModel)
Part = TypeVar("Part")

_TYPES = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
_UNKNOWN = ("extra_forbidden", "invalid_key")
_BOUNDS = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
}


def parsed(
    document: Document, model: type[Model], environ: Mapping[str, str] | None = None
) -> Model:
    """The document's data as `model`, which may look up `environ` as its validation context.

    Raises ConfigError with everything that the model refuses, and all unfit texts.
    """
    try:
        found = model.model_validate(document.data, context=environ)
    except ValidationError as error:
        wrong = (_mistake(document, model, each) for each in error.errors())
        raise ConfigError([*document.unfit, *wrong]) from None
    if document.unfit:
        raise ConfigError(document.unfit)
    return found


def parsed_in_part(
    document: Document, parse: Callable[[Document], Part], entries: KeyPath
) -> tuple[Part | None, list[int], tuple[Mistake, ...]]:
    """What `parse` makes of the document without those entries of the list at `entries` that have
    mistakes; the places in the list of those that are left; and all mistakes.

    None where the mistakes cannot be left out.
    """
    listed = _entries(document.data, entries)
    try:
        return parse(document), list(range(len(listed))), ()
    except ConfigError as error:
        mistakes = error.problems
    head = (*document.root, *entries)
    data = copy.deepcopy(dict(document.data))
    for mistake in mistakes:
        if mistake.key[: len(head)] != head:
            _without(data, mistake.key[len(document.root) :])
    broken = {each.key[len(head)] for each in mistakes if each.key[: len(head)] == head != each.key}
    kept = [index for index in range(len(listed)) if index not in broken]
    left = _entries(data, entries)
    left[:] = [left[index] for index in kept if index < len(left)]
    try:
        return parse(replace(document, data=data, unfit=())), kept, mistakes
    except ConfigError:
        return None, [], mistakes


def _entries(data: Any, key: KeyPath) -> list[Any]:
    for part in key:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data if isinstance(data, list) else []


def parsed_leniently(
    document: Document, model: type[Model], unread: Iterable[KeyPath] = ()
) -> tuple[Model, tuple[str, ...]]:
    """As `parsed`, for a table whose own reader passes over what it does not know.

    Unknown keys, and whatever is wrong at or below a key of `unread`, are left out: with one line
    about each. Raises ConfigError with everything else.
    """
    data, notes = copy.deepcopy(dict(document.data)), list[str]()
    while True:
        try:
            valid = model.model_validate(data)
        except ValidationError as error:
            found = [(_passed_over(each, unread), each) for each in error.errors()]
        else:
            if document.unfit:
                raise ConfigError(document.unfit)
            return valid, tuple(notes)
        wrong = [_mistake(document, model, each) for key, each in found if key is None]
        if wrong:
            raise ConfigError([*document.unfit, *wrong]) from None
        for key, each in found:
            if key is not None and _without(data, key):
                mistake = _mistake(document, model, each)
                notes.append(document.passed_over(key, mistake.what, mistake.remedy))


def _passed_over(error: ErrorDetails, unread: Iterable[KeyPath]) -> KeyPath | None:
    """The key to leave out, None where its reader would refuse it too."""
    loc = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] in _UNKNOWN:
        return loc
    return next((key for key in unread if loc[: len(key)] == key), None)


def _without(data: Any, key: KeyPath) -> bool:
    """Take the key away; False where it is gone already."""
    try:
        for part in key[:-1]:
            data = data[part]
        del data[key[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _mistake(document: Document, model: type[BaseModel], error: ErrorDetails) -> Mistake:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] in _UNKNOWN:
        what, remedy = "unknown key", nearest(str(loc[-1]), _keys(model, loc[:-1]))
    else:
        what, remedy = _words(error)
    return document.mistake(loc, what, remedy)


def _words(error: ErrorDetails) -> tuple[str, str]:
    """What is wrong and what to do about it."""
    kind, context = error["type"], error.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, UnfitError):
        return cause.what, cause.remedy
    if kind == "missing":
        return "is missing", "add it"
    if kind in ("string_too_short", "too_short"):
        return "is empty", "give it a value or leave it out"
    if kind == "literal_error":
        return _choice(error["input"], str(context["expected"]))
    if kind in _BOUNDS:
        bound = _BOUNDS[kind].format(**context)
        return f"must be {bound}, not {_written(error['input'])}", "choose another value"
    if kind in _TYPES:
        return _type(_TYPES[kind], error["input"])
    return f"is refused: {error['msg']}", "correct it"


def _type(expected: str, found: object) -> tuple[str, str]:
    remedy = f"write {expected}"
    if expected == "a string" and isinstance(found, int | float):
        remedy = f'write it in quotes: "{found}"'
    return f"must be {expected}, not {_named(found)}", remedy


def _choice(found: object, expected: str) -> tuple[str, str]:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    return f"must not be {_written(found)}", nearest(str(found), choices)


def _written(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pydantic before 2.12 tells a whole number as the float it became
    return json.dumps(value, default=str, ensure_ascii=False)


def _named(value: object) -> str:
    """The type of a value. Never the value itself, which may be a secret."""
    names: dict[type, str] = {
        str: "a string",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a table",
        type(None): "nothing",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _keys(model: type[BaseModel], loc: KeyPath) -> list[str]:
    """The keys that are valid in the table at `loc`."""
    parts = iter(loc)
    for part in parts:
        field = model.model_fields[str(part)]
        model = _model_in(field.annotation) or model
        if _is_collection(field.annotation):
            next(parts, None)
    return list(model.model_fields)


def _is_collection(annotation: Any) -> bool:
    is_one = get_origin(annotation) in (dict, list)
    return is_one or any(map(_is_collection, get_args(annotation)))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
