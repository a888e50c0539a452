"""Environments: a table of the store, and one in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codelocd.render.text import NOTHING, Cell, Column, Screen, duration, one_line, size, table

if TYPE_CHECKING:
    from codeloc_envs.documents import EnvironmentFacts, PrunableEnvironment, UnusedFolder
    from codelocd.documents.answers import EnvironmentDocument, EnvironmentsDiff

TITLES = (
    Column("KEY"),
    Column("PYTHON", 2),
    Column("PACKAGES", 5, right=True),
    Column("SIZE", 3, right=True),
    Column("OWN", 6, right=True),
    Column("USED BY", 1, least=12),
    Column("LAST USED", 4),
    Column("PATH", 7, least=24),
)

PRUNABLE = (
    Column("KEY"),
    Column("PYTHON", 2),
    Column("SIZE", right=True),
    Column("LAST USED", 1),
    Column("WHY", least=20),
    Column("PATH", 3, least=24),
)


def environments(document: Sequence[EnvironmentDocument], now: float, screen: Screen) -> str:
    """The `env list --json` document as a table. `now` is Unix time."""
    rows: list[list[Cell]] = [
        [
            (found["key"][:12], "bold"),
            found["python"],
            str(len(found["packages"]) or NOTHING),
            size(found["size"]),
            size(_own(found)),
            ", ".join(found["used_by"]),
            _ago(found["last_used"], now),
            found["path"],
        ]
        for found in document
    ]
    return table(TITLES, rows, screen) if rows else "no environments"


def prunable(document: Sequence[PrunableEnvironment], now: float, screen: Screen) -> str:
    """What `env prune` removes: `size` is what that frees."""
    reasons = {"idle": "unused for too long", "size": "above the size, and unused the longest"}
    rows: list[list[Cell]] = [
        [
            (found["key"][:12], "bold"),
            found["python"],
            size(found["own"]),
            _ago(found["last_used"], now),
            reasons[found["reason"]],
            found["path"],
        ]
        for found in document
    ]
    return table(PRUNABLE, rows, screen)


def unused(document: Sequence[UnusedFolder], now: float) -> str:
    """What goes beside environments, a line for each."""
    lines = (f"{e['kind']} {e['path']}, last used {_ago(e['last_used'], now)}" for e in document)
    return "\n".join(map(one_line, lines))


def environment(found: EnvironmentDocument, now: float, screen: Screen) -> str:
    """One environment in full."""
    lines = [
        screen.paint(found["key"], "bold"),
        f"     Path: {one_line(found['path'])}",
        f"   Python: {found['python']}",
        f"     Size: {size(found['size'])}, {size(_own(found))} of it its own",
        f"  Used by: {one_line(', '.join(found['used_by']) or NOTHING)}",
        f"Last used: {_ago(found['last_used'], now)}",
        f"  Created: {_ago(found['created'], now)}",
    ]
    lines += [f"  Because: {one_line(why)}" for why in found["why"]]
    lines += [" Packages:", *(f"    {one_line(name)}" for name in found["packages"])]
    return "\n".join(lines)


def difference(document: EnvironmentsDiff, screen: Screen) -> str:
    """The `env diff --json` document, line by line."""
    one, other = document["python"]
    lines = [f"~ python {one} -> {other}"] if one != other else []
    lines += [f"~ {name} {before} -> {after}" for name, before, after in document["changed"]]
    lines += [f"- {package}" for package in document["removed"]]
    lines += [f"+ {package}" for package in document["added"]]
    styles = {"~": "yellow", "-": "red", "+": "green"}
    return "\n".join(screen.paint(one_line(line), styles[line[0]]) for line in lines)


def _own(found: EnvironmentFacts) -> int:
    """Bytes that would be free without it."""
    return found["size"] - found.get("shared", 0)


def _ago(at: float, now: float) -> str:
    return f"{duration(now - at)} ago"
