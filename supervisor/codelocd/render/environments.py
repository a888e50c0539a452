"""Environments: a table of the store, and one in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codelocd.render.text import Cell, Column, Screen, duration, one_line, size, table

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


def environments(document: Sequence[Mapping[str, Any]], now: float, screen: Screen) -> str:
    """The `env list --json` document as a table. `now` is Unix time."""
    rows = [
        [
            (found["key"][:12], "bold"),
            found["python"],
            str(_count(found["packages"])),
            size(found["size"]),
            size(_own(found)),
            ", ".join(found["used_by"] or ()),
            _ago(found["last_used"], now),
            found["path"],
        ]
        for found in document
    ]
    return table(TITLES, rows, screen) if rows else "no environments"


def prunable(document: Sequence[Mapping[str, Any]], now: float, screen: Screen) -> str:
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


def unused(document: Sequence[Mapping[str, Any]], now: float) -> str:
    """What goes beside environments, a line for each."""
    lines = (f"{e['kind']} {e['path']}, last used {_ago(e['last_used'], now)}" for e in document)
    return "\n".join(map(one_line, lines))


def environment(found: Mapping[str, Any], now: float, screen: Screen) -> str:
    """One environment in full."""
    lines = [
        screen.paint(found["key"], "bold"),
        f"     Path: {one_line(found['path'])}",
        f"   Python: {found['python']}",
        f"     Size: {size(found['size'])}, {size(_own(found))} of it its own",
        f"  Used by: {one_line(', '.join(found['used_by'] or ()) or '-')}",
        f"Last used: {_ago(found['last_used'], now)}",
        f"  Created: {_ago(found['created'], now)}",
    ]
    lines += [f"  Because: {one_line(why)}" for why in found.get("why", ())]
    packages = found["packages"]
    if isinstance(packages, list):
        lines += [" Packages:", *(f"    {one_line(str(name))}" for name in packages)]
    else:
        lines.append(f" Packages: {packages}")
    return "\n".join(lines)


def difference(document: Mapping[str, Any], screen: Screen) -> str:
    """The `env diff --json` document, line by line."""
    one, other = document["python"]
    lines = [f"~ python {one} -> {other}"] if one != other else []
    lines += [f"~ {name} {before} -> {after}" for name, before, after in document["changed"]]
    lines += [f"- {package}" for package in document["removed"]]
    lines += [f"+ {package}" for package in document["added"]]
    styles = {"~": "yellow", "-": "red", "+": "green"}
    return "\n".join(screen.paint(one_line(line), styles[line[0]]) for line in lines)


def _own(found: Mapping[str, Any]) -> int | None:
    """Bytes that would be free without it."""
    shared = found.get("shared")
    return None if found["size"] is None or shared is None else found["size"] - shared


def _count(packages: Any) -> int | str:
    return len(packages) if isinstance(packages, list | dict) else packages or "-"


def _ago(at: float | None, now: float) -> str:
    return "-" if at is None else f"{duration(now - at)} ago"
