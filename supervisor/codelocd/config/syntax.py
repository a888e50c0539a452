"""TOML and YAML as documents that know the line of each key.

What reads YAML is imported where it is needed: that takes a twentieth of a daemon's start.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codelocd.config.document import Document
from codelocd.config.errors import ConfigError, KeyPath, Mistake
from codelocd.core.config_files import PYPROJECT

if TYPE_CHECKING:
    import yaml

_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


def parse_toml(path: Path, text: str) -> Document:
    """The document; ConfigError with the parser's own words and line.

    What other tools write into a pyproject.toml is theirs: of that only the table that is used
    is looked at further.
    """
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError([_toml_mistake(path, str(error), text)]) from None
    except RecursionError:
        raise _too_deep(path) from None
    if _is_deep(data):
        raise _too_deep(path)
    document = Document(path, data, _LineFinder(text).line_of)
    return document if path.name == PYPROJECT else document.checked()


DEEPEST = 64
"""Tables and arrays within each other: a key of a few hundred bytes may have hundreds of dots."""


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [one for each in inner for one in each if isinstance(one, dict | list)]
        if not level:
            return False
    return True


def _too_deep(path: Path) -> ConfigError:
    return ConfigError([Mistake(str(path), None, (), "is nested too deeply", "flatten it")])


def _toml_mistake(path: Path, message: str, text: str) -> Mistake:
    position = _POSITION.search(message)
    at = position["line"] if position else None
    line = int(at) if at else len(text.splitlines()) or None
    what = f"is not valid TOML: {_POSITION.sub('', message)}"
    return Mistake(str(path), line, (), what, "correct the syntax there")


class _LineFinder:
    """Finds the line of a key with nothing but the parser, which gives none.

    Each statement of a file is TOML itself: what it says stands where it begins.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def line_of(self, key: KeyPath) -> int | None:
        while key and key not in self._by_key:
            key = key[:-1]
        return self._by_key.get(key)

    @cached_property
    def _by_key(self) -> Mapping[KeyPath, int]:
        """The line at which each key is first known."""
        lines: dict[KeyPath, int] = {}
        arrays: dict[KeyPath, int] = {}
        table: KeyPath = ()
        for line, text in _statements(self._text.splitlines(keepends=True)):
            said = tomllib.loads(text)
            is_header = text.lstrip().startswith("[")
            if is_header:
                *_, named = _keys(said)
                table = _in_arrays(named, arrays, begins=text.lstrip().startswith("[["))
            for depth in range(1, len(table) + 1):
                lines.setdefault(table[:depth], line)
            for key in () if is_header else _keys(said):
                lines.setdefault((*table, *key), line)
        return lines


def _statements(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Each with the number of its first line; what is no TOML at the end is none."""
    begin = 0
    for end in range(1, len(lines) + 1):
        text = "".join(lines[begin:end])
        try:
            said = tomllib.loads(text)
        except ValueError:
            continue
        if said:
            yield begin + 1, text
        begin = end


def _keys(data: Any) -> Iterator[KeyPath]:
    """All that are in it, outer ones first."""
    items = data if isinstance(data, dict) else dict(enumerate(data if type(data) is list else ()))
    for name, value in items.items():
        yield (name,)
        yield from ((name, *key) for key in _keys(value))


def _in_arrays(named: KeyPath, arrays: dict[KeyPath, int], *, begins: bool) -> KeyPath:
    """Where a header leads, by its keys: below an array of tables to its last table, or where it
    `begins` one to that."""
    names = [part for part in named if isinstance(part, str)]
    key: KeyPath = ()
    for count, name in enumerate(names, 1):
        key = (*key, name)
        if begins and count == len(names):
            arrays[key] = arrays.get(key, -1) + 1
        if key in arrays:
            key = (*key, arrays[key])
    return key


_MERGE = "tag:yaml.org,2002:merge"
_DATE = "tag:yaml.org,2002:timestamp"


def parse_yaml(path: Path, text: str) -> Document:
    """The document of a file that holds one mapping; ConfigError with the parser's line."""
    import yaml

    try:
        node, data, notes = _constructed(path, text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError([_yaml_mistake(path, error)]) from None
    except RecursionError:
        raise _too_deep(path) from None
    if node is None or not isinstance(data, dict):
        remedy = "write `load_from:` or `locations:` at the top"
        raise ConfigError([Mistake(str(path), None, (), "holds no mapping", remedy)])
    return Document(path, data, lambda key: _line(node, key), notes=notes).checked()


def yaml_data(text: str) -> Any:
    """What a text of YAML, or of JSON, holds, read as Dagster does. Raises ValueError."""
    import yaml

    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506 it is a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None


@cache
def _loader() -> type[yaml.SafeLoader]:
    """As Dagster's: what looks like a date is text."""
    import yaml

    class Loader(yaml.SafeLoader):
        """With resolvers of its own."""

    Loader.yaml_implicit_resolvers = {
        first: [each for each in resolvers if each[0] != _DATE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def _constructed(path: Path, text: str) -> tuple[yaml.Node | None, object, tuple[str, ...]]:
    """Of keys that stand twice the last counts, for Dagster's reader too."""
    loader = _loader()(text)
    node = loader.get_single_node()
    notes = tuple(str(_duplicate(path, *found)) for found in _duplicates(node, set()))
    return node, loader.construct_document(node) if node else None, notes


def _yaml_mistake(path: Path, error: Exception) -> Mistake:
    """The parser's own words; a ValueError is of a date or number that does not exist."""
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
    what = f"is not valid YAML: {reason}"
    return Mistake(str(path), mark.line + 1 if mark else None, (), what, "correct it there")


def _duplicates(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Every key that its mapping already has, with the first one."""
    import yaml

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
    import yaml

    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
