"""What a check found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codelocd.render.definitions import conflict
from codelocd.render.location import counts
from codelocd.render.problem import rest
from codelocd.render.screen import STATES, Screen
from codelocd.render.text import one_line, plural


def passed(document: Mapping[str, Any]) -> bool:
    """Every location loads, and none defines what another does."""
    return all(found["ok"] for found in document["locations"]) and not document["conflicts"]


def checked(found: Mapping[str, Any], screen: Screen) -> str:
    """One location of the `check --json` document: a line, its problem in full below it."""
    return "\n".join(_location(found, screen))


def result(document: Mapping[str, Any], screen: Screen) -> str:
    """What the `check --json` document says of all locations together."""
    mark = _mark(ok=False, screen=screen)
    conflicts = (f"{mark} defined more than once: {conflict(c)}" for c in document["conflicts"])
    return "\n".join([*conflicts, _sum(document)])


def _location(found: Mapping[str, Any], screen: Screen) -> Iterator[str]:
    name = screen.paint(one_line(found["name"]), "bold")
    problem = found["problem"]
    words = counts(found) if found["ok"] else _words(problem)
    yield f"{_mark(ok=found['ok'], screen=screen)} {name}: {words}"
    if problem:
        yield from rest(problem, "    ")


def _words(problem: Mapping[str, Any] | None) -> str:
    return f"{problem['kind']}: {one_line(problem['summary'])}" if problem else "failed"


def _mark(*, ok: bool, screen: Screen) -> str:
    return screen.paint("✓", STATES["serving"]) if ok else screen.paint("✗", STATES["failed"])


def _sum(document: Mapping[str, Any]) -> str:
    found = document["locations"]
    failed = sum(not location["ok"] for location in found)
    conflicts = plural(len(document["conflicts"]), "conflict")
    return f"{plural(len(found), 'location')} checked, {failed} failed, {conflicts}"
