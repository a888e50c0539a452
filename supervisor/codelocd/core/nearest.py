"""Suggests an existing name for one that does not exist. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice

LONGEST = 200
"""Characters of a word that is looked for: to compare a longer one would take too long."""

COMPARED = 5000
"""Names that are looked at for one that is only similar, which takes 20 microseconds for each."""

SHOWN = 30
"""More names than this in one message do not help."""


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: in other letters, mistyped, or the end of a longer one."""
    from difflib import get_close_matches  # only on the way to an error

    everything = list(names)
    read: list[tuple[str, dict[str, str]]] = []
    for written in (str.casefold, _last_part):
        forms: dict[str, str] = {}
        for name in everything:
            forms.setdefault(written(name), name)
        read.append((written(word), forms))
    found = [forms[form] for form, forms in read if form in forms]  # before what is only similar
    for form, forms in read:
        found += (forms[each] for each in get_close_matches(form, islice(forms, COMPARED), n=1))
    return next((name for name in found if name != word), None)


def advice(word: str, names: Iterable[str], else_say: str = "there are") -> str:
    """`did you mean "sales"?`, or where no name is close all of them: `there are: sales, web`."""
    everything, word = list(names), word[:LONGEST]
    close = closest(word, everything)
    if close is not None:
        return f"did you mean {json.dumps(close, ensure_ascii=False)}?"
    more = len(everything) - SHOWN
    shown = ", ".join(everything[:SHOWN]) or "none"
    return f"{else_say}: {shown}" + (f" and {more} more" if more > 0 else "")


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].casefold()
