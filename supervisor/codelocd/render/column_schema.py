"""The columns of a table, as Dagster keeps them among the metadata of an asset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codelocd.render.text import Column, Screen, one_line, table

COLUMN_TITLES = (
    Column("COLUMN", least=16),
    Column("TYPE", 1, least=8),
    Column("CONSTRAINTS", 2, least=12),
    Column("DESCRIPTION", 3, least=16),
)
MARGIN = "    "


def is_schema(value: object) -> bool:
    if not isinstance(value, Mapping) or "constraints" not in value:
        return False
    return isinstance(value.get("columns"), list) and bool(value["columns"])


def column_schema(name: str, schema: Mapping[str, Any], screen: Screen) -> str:
    """`dagster/column_schema:`, and a line per column below it."""
    width = screen.width - len(MARGIN) if screen.width is not None else None
    inner = Screen(colour=screen.colour, width=width, height=screen.height)
    columns = [each for each in schema["columns"] if isinstance(each, Mapping)]
    rows = [
        (
            str(each.get("name") or ""),
            str(each.get("type") or ""),
            ", ".join(_constraints(each.get("constraints"))),
            str(each.get("description") or ""),
        )
        for each in columns
    ]
    lines = table(COLUMN_TITLES, rows, inner).splitlines()
    cut = [one_line(str(each)) for each in schema["columns"] if not isinstance(each, Mapping)]
    own = [one_line(str(rule)) for rule in _others(schema.get("constraints"))]
    body = [*lines, *cut, *(["of the table: " + ", ".join(own)] if own else [])]
    return "\n".join([f"{one_line(name):>18}:", *(MARGIN + line for line in body)])


def _constraints(rules: object) -> Iterator[str]:
    if isinstance(rules, Mapping):
        if rules.get("nullable") is False:
            yield "not null"
        if rules.get("unique"):
            yield "unique"
        yield from map(str, _others(rules))


def _others(rules: object) -> list[Any]:
    found = rules.get("other") if isinstance(rules, Mapping) else None
    return found if isinstance(found, list) else []
