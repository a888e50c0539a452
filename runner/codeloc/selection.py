"""Chooses assets by text, in the words of Dagster's selections: `group:raw`, `+orders`."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import key_text
from codeloc.errors import RunError, listing, suggestion

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping

    from codeloc.arguments import Key
    from codeloc.assets import AssetDefinition

    Graph = Mapping[Key, Iterable[Key]]
    AnyAsset = AssetDefinition[..., Any]


FORM = "a key, key:, group:, tag:, kind: or owner:, with + for what is up- or downstream"
ALL = -1
"""Layers, without an end."""


def select(items: Iterable[str], assets: Mapping[Key, AnyAsset], upstream: Graph) -> list[Key]:
    """The keys that any of the items means, in the order of `assets`. Raises RunError.

    `upstream`: what each asset is made from, as far as it is among them.
    """
    chosen: set[Key] = set()
    for item in items:
        above, body, below = _split(item)
        found = [key for key, asset in assets.items() if _matcher(item, body)(asset)]
        if not found:
            names = [key_text(key) for key in assets]
            hint = suggestion(body, names)
            raise RunError(f"no asset is meant by {item!r}{hint} (assets: {listing(names)})")
        chosen.update(found, _reached(found, upstream, above))
        chosen.update(_reached(found, _reversed(upstream), below))
    return [key for key in assets if key in chosen]


def with_upstream(keys: Iterable[Key], upstream: Graph) -> set[Key]:
    """The assets, and all that they are made from."""
    found = list(keys)
    return {*found, *_reached(found, upstream, ALL)}


def _split(item: str) -> tuple[int, str, int]:
    """Layers above, what stands between, layers below: `2+orders+` is (2, "orders", ALL)."""
    body = item.strip()
    above = below = 0
    before, plus, rest = body.partition("+")
    if plus and rest and (not before or before.isdigit()):
        above, body = int(before) if before else ALL, rest
    rest, plus, after = body.rpartition("+")
    if plus and rest and (not after or after.isdigit()):
        below, body = int(after) if after else ALL, rest
    if not body or "+" in body or len(body.split()) != 1:
        raise RunError(f"{item!r} is no selection: write {FORM}")
    return above, body, below


def _matcher(item: str, body: str) -> Callable[[AnyAsset], bool]:
    attribute, colon, wanted = body.partition(":")
    if not colon:
        attribute, wanted = "key", body
    wanted = wanted.strip("\"'")
    matchers: dict[str, Callable[[AnyAsset], bool]] = {
        "key": lambda asset: _is_like(key_text(asset.key), wanted),
        "group": lambda asset: asset.group == wanted,
        "kind": lambda asset: wanted in asset.kinds,
        "owner": lambda asset: wanted in asset.owners,
        "tag": lambda asset: _has_tag(asset.tags, wanted),
    }
    if attribute not in matchers:
        raise RunError(f"{item!r}: {attribute!r} is none of {', '.join(matchers)}")
    return matchers[attribute]


def _is_like(text: str, pattern: str) -> bool:
    """`*` stands for any characters."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    if not text.startswith(first):
        return False
    text = text[len(first) :]
    *middle, last = others
    for part in middle:
        place = text.find(part)
        if place < 0:
            return False
        text = text[place + len(part) :]
    return text.endswith(last)


def _has_tag(tags: Mapping[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in tags and (not equals or tags[name].strip("\"'") == value.strip("\"'"))


def _reversed(graph: Graph) -> dict[Key, list[Key]]:
    found: dict[Key, list[Key]] = {}
    for key, others in graph.items():
        for other in others:
            found.setdefault(other, []).append(key)
    return found


def _reached(start: Iterable[Key], graph: Graph, layers: int) -> set[Key]:
    """What is reached in so many steps; `layers`: ALL for any number."""
    found: set[Key] = set()
    layer = set(start)
    while layer and layers:
        layer = {other for key in layer for other in graph.get(key, ())} - found
        found |= layer
        layers -= 1
    return found
