"""YAML text to a document that knows its lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from codelocd.config.document import Document
from codelocd.config.errors import ConfigError, KeyPath, Mistake

_MERGE = "tag:yaml.org,2002:merge"
_DATE = "tag:yaml.org,2002:timestamp"


def parse(path: Path, text: str) -> Document:
    """The document of a file that holds one mapping; ConfigError with the parser's line."""
    try:
        node, data, notes = _constructed(path, text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError([_syntax(path, error)]) from None
    except RecursionError:
        mistake = Mistake(str(path), None, (), "is nested too deeply", "flatten it")
        raise ConfigError([mistake]) from None
    if node is None or not isinstance(data, dict):
        remedy = "write `load_from:` or `locations:` at the top"
        raise ConfigError([Mistake(str(path), None, (), "holds no mapping", remedy)])
    document = Document(path, data, lambda key: _line(node, key), notes=notes)
    document.check_texts()
    return document


class _Loader(yaml.SafeLoader):
    """As Dagster's: what looks like a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != _DATE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _constructed(path: Path, text: str) -> tuple[yaml.Node | None, object, tuple[str, ...]]:
    """Of keys that stand twice the last counts, for Dagster's reader too."""
    loader = _Loader(text)
    node = loader.get_single_node()
    notes = tuple(str(_duplicate(path, *found)) for found in _duplicates(node, set()))
    return node, loader.construct_document(node) if node else None, notes


def _syntax(path: Path, error: Exception) -> Mistake:
    """The parser's own words; a ValueError is of a date or number that does not exist."""
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
    what = f"is not valid YAML: {reason}"
    return Mistake(str(path), mark.line + 1 if mark else None, (), what, "correct it there")


def _duplicates(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Every key that its mapping already has, with the first one."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    values = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        values = [value for _, value in node.value]
        first: dict[str, yaml.Node] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if first.setdefault(key.value, key) is not key and key.tag != _MERGE:
                yield key, first[key.value]
    for value in values:
        yield from _duplicates(value, seen)


def _duplicate(path: Path, key: yaml.Node, first: yaml.Node) -> Mistake:
    what = f"stands twice in one mapping, first on line {first.start_mark.line + 1}"
    return Mistake(str(path), key.start_mark.line + 1, (key.value,), what, "the last counts")


def _line(node: yaml.Node, key: KeyPath) -> int:
    """The line of the deepest part of `key` that the file has."""
    line = node.start_mark.line + 1
    for part in key:
        step = _step(node, part)
        if step is None:
            break
        mark, node = step
        line = mark.start_mark.line + 1
    return line


def _step(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that marks a part of a key path, and the node of its value."""
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
