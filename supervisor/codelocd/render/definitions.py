"""Definitions: a table of them, the bonds between locations, and one in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from codelocd.core.weight import weight
from codelocd.render.column_schema import column_schema, is_schema
from codelocd.render.text import (
    Cell,
    Column,
    Screen,
    indented,
    interval,
    one_line,
    plural,
    shortened,
    table,
)

if TYPE_CHECKING:
    from codelocd.documents.definitions import (
        AssetKey,
        AssetNode,
        Conflict,
        DefinitionsDocument,
        Edge,
        Listed,
        ListedJob,
        ShownAsset,
        Upstream,
    )


TITLES = (
    Column("LOCATION", 2, least=10),
    Column("KIND", 1),
    Column("NAME", least=16),
    Column("ABOUT", 3, least=16),
    Column("SOURCE", 4, least=24),
)

DEFAULT_REPOSITORY = "__repository__"
"""What a `Definitions` object is listed under."""

HEADER = ("location", "repository", "kind", "name")

RELATIONS = ("producers", "upstream", "downstream")
"""What `show` knows of an asset beside its definition; `upstream` says more than `deps`."""


def definitions(document: DefinitionsDocument, screen: Screen) -> str:
    """The `definitions --json` document as a table, with edges and conflicts below."""
    rows = [_row(definition) for definition in document["definitions"]]
    parts = [table(TITLES, rows, screen) if rows else "no definitions"]
    parts += _section("Depends on another location", map(_edge, document["edges"]), screen)
    conflicts = map(conflict, document["conflicts"])
    parts += _section("Defined more than once", conflicts, screen)
    return "\n\n".join(parts)


def place(definition: Listed | AssetNode) -> str:
    """`sales`, or `sales (repository finance)` where the repository has a name of its own."""
    location = one_line(definition["location"])
    repository = definition["repository"]
    if repository == DEFAULT_REPOSITORY:
        return location
    return f"{location} (repository {one_line(repository)})"


def conflict(found: Conflict) -> str:
    """`asset mart/orders: finance, sales`."""
    places = ", ".join(place(definition) for definition in found["definitions"])
    return f"{found['kind']} {joined(found['key'])}: {places}"


def joined(key: Sequence[str]) -> str:
    """An asset key as text."""
    return one_line("/".join(key))


def about(definition: Listed) -> str:
    """What matters most about a definition of its kind, in a few words.

    A runner need not say all that its kind can have; another daemon may say more or less.
    """
    if definition["kind"] == "asset":
        return _after(definition["deps"])
    if definition["kind"] == "asset_check":
        return f"checks {joined(definition['key'])}"
    if definition["kind"] == "job":
        return _parts(definition)
    if definition["kind"] == "schedule":
        zone = f" {definition['timezone']}" if definition.get("timezone") else ""
        return f"{definition.get('cron')}{zone} → {definition.get('job')}"
    if definition["kind"] == "sensor":
        pause = definition.get("minimum_interval")
        often = f"every {interval(pause)} " if isinstance(pause, (int, float)) else ""
        return f"{often}→ {definition.get('job')}"
    return str(definition.get("type") or "")


def _parts(job: ListedJob) -> str:
    """How many assets, or ops, a job makes."""
    counts = (("asset", job.get("assets") or []), ("op", job.get("ops") or []))
    return ", ".join(plural(len(names), noun) for noun, names in counts if names)


def definition(found: Listed | ShownAsset, screen: Screen) -> str:
    """One definition in full: every field that says something."""
    title = f"{found['kind']} {one_line(found['name'])}"
    lines = [screen.paint(title, "bold"), _field("location", place(found))]
    lines += [_field(name, value) for name, value in _relations(found)]
    told = (*HEADER, *RELATIONS, *(("deps",) if "upstream" in found else ()))
    for name, value in found.items():
        if name not in told and value not in (None, "", [], {}):
            lines += _told(name, value, screen)
    return "\n".join(lines)


def _told(name: str, value: Any, screen: Screen) -> Iterator[str]:
    """One field; schemas of tables among the metadata are tables below the rest of it."""
    schemas = {}
    if name == "metadata":
        schemas = {key: one for key, one in value.items() if is_schema(one)}
        value = {key: one for key, one in value.items() if key not in schemas}
    if value or not schemas:
        yield _field(name, _value(name, value))
    for key, schema in schemas.items():
        yield column_schema(key, schema, screen)


def _relations(found: Listed | ShownAsset) -> Iterator[tuple[str, str]]:
    """Who produces an asset, what it is made from and what is made from it."""
    if "producers" not in found:
        return
    asset = cast("ShownAsset", found)
    producers = asset["producers"]
    twice = " (defined more than once)" if len(producers) > 1 else ""
    yield "producer", (", ".join(map(place, producers)) or "nowhere here") + twice
    upstream = [_from(each, asset) for each in asset["upstream"]]
    yield "upstream", ", ".join(upstream) or "nothing"
    downstream = [_at(each["key"], [each], asset) for each in asset["downstream"]]
    yield "downstream", ", ".join(downstream) or "nothing"


def _from(each: Upstream, found: ShownAsset) -> str:
    if not each["producers"]:
        return f"{joined(each['key'])} (produced nowhere here)"
    return _at(each["key"], each["producers"], found)


def _at(key: AssetKey, places: Sequence[AssetNode], found: ShownAsset) -> str:
    """`raw_orders (ingest)`; without the location where it is that of `found`."""
    there = {place(each): None for each in places if place(each) != place(found)}
    return f"{joined(key)} ({', '.join(there)})" if there else joined(key)


def source(definition: Listed) -> str:
    """`file:line`, or nothing."""
    found = definition.get("source")
    return f"{found['file']}:{found['line']}" if found else ""


def _row(found: Listed) -> list[Cell]:
    return [
        (place(found), "bold"),
        found["kind"],
        found["name"],
        about(found),
        (source(found), "dim"),
    ]


def _after(deps: Sequence[Sequence[str]]) -> str:
    return "← " + ", ".join(map(joined, deps)) if deps else ""


def _section(title: str, lines: Iterator[str], screen: Screen) -> list[str]:
    found = [f"  {line}" for line in lines]
    return ["\n".join([screen.paint(title, "bold"), *found])] if found else []


def _edge(edge: Edge) -> str:
    upstream, downstream = edge["from"], edge["to"]
    return (
        f"{place(upstream)}: {joined(upstream['key'])} → "
        f"{place(downstream)}: {joined(downstream['key'])}"
    )


def _field(name: str, value: str) -> str:
    first, *rest = value.splitlines() or [""]
    return "\n".join([f"{name.replace('_', ' '):>18}: {first}", *rest])


def _value(name: str, value: Any) -> str:
    if name == "last_made":
        from codelocd.render.run_pages import last_made  # a daemon under `dev` prints no run

        return last_made(value)
    if name == "source":
        return one_line(f"{value['file']}:{value['line']}")
    if name == "key":
        return joined(value)
    if isinstance(value, Mapping):
        return _pairs(value)
    if isinstance(value, list | tuple):
        return ", ".join(joined(one) if _is_key(one) else _inner(one) for one in value)
    return indented(str(value), " " * 20).lstrip()


def _is_key(value: object) -> bool:
    """Whether it is an asset's key: no other list of strings stands within a list."""
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _pairs(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{one_line(str(key))} = {_inner(item)}" for key, item in value.items())


def _inner(value: object) -> str:
    """What stands within a list or a mapping."""
    if isinstance(value, Mapping):
        return f"{{{_pairs(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inner, value))}]"
    return one_line("-" if value is None else str(value))


# --- what changed in a definition --------------------------------------------------------------

SHOWN = 3
"""Changes of one definition that are told one by one."""

WIDTH = 40
"""Columns that one value may take."""

LONG = 2000  # weight of a value of which it is not asked whether it takes more


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
    both = [_short_value(old), _short_value(new)]
    if None in both or old == new:  # too long to be read there, or not shown
        return f"{name} changed"
    return f"{name} {both[0]} → {both[1]}"


def _short_value(value: Any) -> str | None:
    """As JSON has it, on one line; None for what is too long to be read there."""
    if value is None:
        return "none"
    if weight(value, LONG) >= LONG:
        return None
    text = one_line(json.dumps(value, ensure_ascii=False, default=str))
    return text if shortened(text, WIDTH) == text else None


def _plain(value: Any) -> str:
    """An asset's key as text, anything else as a value."""
    if isinstance(value, str):
        return shortened(one_line(value[:LONG]), WIDTH)
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return shortened(one_line("/".join(value)[:LONG]), WIDTH)
    return _short_value(value) or "…"
