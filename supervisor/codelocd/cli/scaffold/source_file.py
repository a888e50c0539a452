"""What a Python file says about itself, without running it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("codeloc", "dagster")
"""Whose definitions a location may hold; the first that a file imports counts."""

HOLDERS = ("Definitions", "load_defs", "load_from_defs_folder")
"""What makes an object that holds all definitions of a location."""

WHOLE = ("repository", "definitions")
"""Decorators of functions that return all definitions of a location."""

LOOSE = ("asset", "multi_asset", "graph_asset", "dbt_assets", "observable_source_asset")
"""Decorators that make an asset, which Dagster also takes as it stands in a module."""

LARGEST = 2_000_000
"""Bytes of a file that a person may have written; a larger one was generated."""


@dataclass(frozen=True, slots=True)
class Import:
    """`from ..module import names` with `level` dots; `names` are empty for `import module`."""

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """`package` is whose definitions it uses, None if it imports neither.

    `is_whole`: it holds all definitions of a location; `is_loose`: it holds assets only.
    """

    path: Path
    imports: tuple[Import, ...]
    package: str | None
    is_whole: bool
    is_loose: bool

    @property
    def top_levels(self) -> frozenset[str]:
        """The first parts of what it imports absolutely."""
        return frozenset(each.module.partition(".")[0] for each in self.imports if not each.level)


def read(path: Path) -> SourceFile | None:
    """None for what cannot be read, or is not Python of the version that runs this."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    imports = tuple(_imports(tree))
    tops = {each.module.partition(".")[0] for each in imports if not each.level}
    package = next((name for name in PACKAGES if name in tops), None)
    own = list(_at_module_scope(tree.body)) if package else []
    return SourceFile(
        path,
        imports,
        package,
        is_whole=any(_is_whole(statement) for statement in own),
        is_loose=any(_is_decorated(statement, LOOSE) for statement in own),
    )


def _imports(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.level, node.module or "", names)


def _at_module_scope(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that an import runs: those of `if`, `try` and `with` among them."""
    for statement in body:
        yield statement
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from _at_module_scope(getattr(statement, part, []))


def _is_whole(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        value = statement.value
        return isinstance(value, ast.Call) and any(name in HOLDERS for name in _dotted(value.func))
    return _is_decorated(statement, WHOLE)


def _is_decorated(statement: ast.stmt, names: tuple[str, ...]) -> bool:
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    makers = (d.func if isinstance(d, ast.Call) else d for d in statement.decorator_list)
    return any(name in names for maker in makers for name in _dotted(maker)[:1])


def _dotted(expression: ast.expr) -> list[str]:
    """The names of `a.b.c`, the last one first."""
    names = []
    while isinstance(expression, ast.Attribute):
        names.append(expression.attr)
        expression = expression.value
    if isinstance(expression, ast.Name):
        names.append(expression.id)
    return names
