"""Says in a few words what changed in a definition."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from codelocd.render.text import one_line, shortened

SHOWN = 3
"""Changes of one definition that are told one by one."""

WIDTH = 40
"""Columns that one value may take."""


def _words(name: str) -> str:
    return one_line(name.replace("_", " "))


def changes(
    fields: Mapping[str, Sequence[Any]],
    shown: int = SHOWN,
    word: Callable[[str], str] = _words,
) -> str:
    """`cron "0 6 * * *" → "0 7 * * *", deps + raw_orders`; `fields`: each with before and after.

    `shown`: how many are told one by one; `word`: a field's name as it is to be read.
    """
    told = [text for name, (old, new) in fields.items() for text in _of(word(name), old, new)]
    rest = len(told) - shown
    return ", ".join(told[:shown]) + (f" and {rest} more" if rest > 0 else "")


def _of(name: str, old: Any, new: Any) -> Iterator[str]:
    if _is(old, Mapping) and _is(new, Mapping):
        yield from _of_mappings(name, old or {}, new or {})
    elif _is(old, list | tuple) and _is(new, list | tuple):
        yield from _of_lists(name, old or (), new or ())
    else:
        yield _pair(name, old, new)


def _is(value: object, types: Any) -> bool:
    return value is None or isinstance(value, types)


def _of_mappings(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in new:
        if key not in old:
            yield f"{name} + {one_line(str(key))}"
        elif old[key] != new[key]:
            yield _pair(f"{name} {one_line(str(key))}", old[key], new[key])
    for key in old:
        if key not in new:
            yield f"{name} - {one_line(str(key))}"


def _of_lists(name: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    came = [f"+ {_plain(one)}" for one in new if one not in old]
    went = [f"- {_plain(one)}" for one in old if one not in new]
    yield f"{name} {' '.join([*came, *went]) or 'in another order'}"


def _pair(name: str, old: Any, new: Any) -> str:
    both = [_value(old), _value(new)]
    if None in both or old == new:  # too long to be read there, or not shown
        return f"{name} changed"
    return f"{name} {both[0]} → {both[1]}"


def _value(value: Any) -> str | None:
    """As JSON has it, on one line; None for what is too long to be read there."""
    if value is None:
        return "none"
    text = one_line(json.dumps(value, ensure_ascii=False, default=str))
    return text if shortened(text, WIDTH) == text else None


def _plain(value: Any) -> str:
    """An asset's key as text, anything else as a value."""
    if isinstance(value, str):
        return shortened(one_line(value), WIDTH)
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return shortened(one_line("/".join(value)), WIDTH)
    return _value(value) or "…"
