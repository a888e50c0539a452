"""What a build does, and what a check found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codelocd.render.definitions import conflict
from codelocd.render.location import counts, rest
from codelocd.render.text import STATES, Screen, one_line, plural, size

if TYPE_CHECKING:
    from codeloc_envs.documents import ProgressDocument
    from codelocd.documents.answers import CheckDocument, CheckedLocation
    from codelocd.documents.locations import ProblemDocument


def passed(document: CheckDocument) -> bool:
    """Every location loads, and none defines what another does."""
    return all(found["ok"] for found in document["locations"]) and not document["conflicts"]


def checked(found: CheckedLocation, screen: Screen) -> str:
    """One location of the `check --json` document: a line, its problem in full below it."""
    return "\n".join(_location(found, screen))


def result(document: CheckDocument, screen: Screen) -> str:
    """What the `check --json` document says of all locations together."""
    mark = _mark(ok=False, screen=screen)
    conflicts = (f"{mark} defined more than once: {conflict(c)}" for c in document["conflicts"])
    return "\n".join([*conflicts, _sum(document)])


def _location(found: CheckedLocation, screen: Screen) -> Iterator[str]:
    name = screen.paint(one_line(found["name"]), "bold")
    problem = found["problem"]
    words = counts(found["definitions"]) if found["ok"] else _words(problem)
    yield f"{_mark(ok=found['ok'], screen=screen)} {name}: {words}"
    if problem:
        yield from rest(problem, "    ")


def _words(problem: ProblemDocument | None) -> str:
    return f"{problem['kind']}: {one_line(problem['summary'])}" if problem else "failed"


def _mark(*, ok: bool, screen: Screen) -> str:
    return screen.paint("✓", STATES["serving"]) if ok else screen.paint("✗", STATES["failed"])


def _sum(document: CheckDocument) -> str:
    found = document["locations"]
    failed = sum(not location["ok"] for location in found)
    conflicts = plural(len(document["conflicts"]), "conflict")
    return f"{plural(len(found), 'location')} checked, {failed} failed, {conflicts}"


def step(data: ProgressDocument, screen: Screen) -> str:
    """`downloading 3/51 (12 MiB of 80 MiB) downloaded pandas`."""
    counted = f" {data['done']}/{data['total']}" if data["total"] else ""
    loaded = ""
    if data["bytes_total"]:
        loaded = f" ({size(data['bytes_done'])} of {size(data['bytes_total'])})"
    words = screen.paint(f"{data['phase']}{counted}{loaded}", STATES["building"])
    return f"{words} {one_line(data['message'])}".rstrip()
