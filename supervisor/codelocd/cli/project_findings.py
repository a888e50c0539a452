"""The code locations that a folder holds, found by reading its Python files."""

from __future__ import annotations

import ast
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from codelocd.render.text import plural

# --- what a file says --------------------------------------------------------------------------

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


# --- what the files of a folder are ------------------------------------------------------------

DEEPEST = 6
MOST = 5000
"""Folders below each other, and files, that are looked at."""

PASSED_OVER = ("__pycache__", "build", "dist", "node_modules", "site-packages", "test", "tests")
"""Folders that hold no code of a location; neither do hidden ones and environments."""

USUAL = ("definitions", "defs", "repository", "repo", "main", "code_location", "__init__")
"""Names of files that say nothing about what is in them: the folder's name does."""


@dataclass(frozen=True, slots=True)
class FoundLocation:
    """A location: its code as a config names it, and what it imports from elsewhere.

    `module` is None where the code is loaded as a file.
    """

    name: str
    file: Path
    module: str | None
    working_directory: Path
    package: str | None
    imports: frozenset[str]


@dataclass(frozen=True)
class Findings:
    """Of `folder`; `unfinished` are files with assets of codeloc that no Definitions holds."""

    folder: Path
    locations: tuple[FoundLocation, ...]
    unfinished: tuple[Path, ...]

    @cached_property
    def name(self) -> str:
        """What a location may be called after the folder."""
        return _name(self.folder.name)

    def told(self) -> str:
        if not self.locations:
            return f"nothing in {self.folder} defines a location: a small project to begin with"
        files = ", ".join(str(each.file.relative_to(self.folder)) for each in self.locations)
        return f"found {plural(len(self.locations), 'location')}: {files}"


def look(folder: Path) -> Findings:
    """Read the Python files of `folder` (absolute) and of those below it."""
    files = {path: source for path in _paths(folder) if (source := read(path)) is not None}
    roots = _not_imported([each for each in files.values() if each.is_whole], files, folder)
    if not roots:
        loose = [each for each in files.values() if each.is_loose and each.package == "dagster"]
        roots = _not_imported(loose, files, folder)
    held = {path for each in roots for path in _reached(each, files, folder)}
    unfinished = [s.path for s in files.values() if s.is_loose and s.package == "codeloc"]
    found = _distinct(folder, [_found(each, files, folder) for each in roots])
    return Findings(folder, tuple(found), tuple(p for p in unfinished if p not in held))


# --- which files -----------------------------------------------------------------------------


def _paths(folder: Path) -> Iterator[Path]:
    return islice(_walk(folder, DEEPEST, set()), MOST)


def _walk(folder: Path, depth: int, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_dir(), entry.name))
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir():
            if depth and not _is_passed_over(path):
                yield from _walk(path, depth - 1, seen)
        elif path.suffix == ".py" and not _is_test(path.name) and _can_be_written(entry.path):
            yield path


def _is_passed_over(folder: Path) -> bool:
    is_environment = (folder / "pyvenv.cfg").exists() or (folder / "conda-meta").exists()
    return folder.name.startswith(".") or folder.name in PASSED_OVER or is_environment


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"


def _can_be_written(path: str) -> bool:
    """Whether a config in UTF-8 can name it."""
    return path.isprintable()


# --- what imports what -----------------------------------------------------------------------


def _not_imported(
    sources: list[SourceFile], files: Mapping[Path, SourceFile], folder: Path
) -> list[SourceFile]:
    """Those whose definitions no other one of them gathers."""
    gathered = {
        path
        for source in sources
        for path in _reached(source, files, folder)
        if path != source.path
    }
    return [source for source in sources if source.path not in gathered] or sources[:1]


def _reached(source: SourceFile, files: Mapping[Path, SourceFile], folder: Path) -> set[Path]:
    """The files of ours that are imported with `source`, itself among them."""
    root = _root(source, folder)
    reached: set[Path] = set()
    waiting = [source.path]
    while waiting:
        path = waiting.pop()
        if path in reached or path not in files:
            continue
        reached.add(path)
        for each in files[path].imports:
            waiting += _files_of(each, path, root)
    return reached


def _files_of(imported: Import, by: Path, root: Path) -> Iterator[Path]:
    base = by.parents[imported.level - 1] if 0 < imported.level <= len(by.parents) else root
    parts = [part for part in imported.module.split(".") if part]
    whole = base.joinpath(*parts)
    for path in (base.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)):
        yield from (path.with_name(f"{path.name}.py"), path / "__init__.py")
    for name in imported.names:
        yield from (whole / f"{name}.py", whole / name / "__init__.py")


# --- how a config names it -------------------------------------------------------------------


def _root(source: SourceFile, folder: Path) -> Path:
    """The folder from which the code imports: where most of what it imports is to be found."""
    top = _above_package(source)
    places = [*([] if _module(source, top) else [folder]), top, *_between(top, folder)]
    places += [folder / "src"] if (folder / "src").is_dir() else []
    tops = source.top_levels
    return max(places, key=lambda place: sum(_has(place, name) for name in tops))


def _between(place: Path, folder: Path) -> Iterable[Path]:
    if not place.is_relative_to(folder):
        return ()
    return (p for p in place.parents if p.is_relative_to(folder))


def _above_package(source: SourceFile) -> Path:
    """The folder that holds the package of a file, or the file itself."""
    above = source.path.parent
    while (above / "__init__.py").is_file() and above != above.parent:
        above = above.parent
    levels = max((each.level for each in source.imports), default=0)
    relative = source.path.parents[min(levels, len(source.path.parents) - 1)]
    return min(above, relative, key=lambda path: len(path.parts))


def _module(source: SourceFile, root: Path) -> str | None:
    """Its dotted name; None for what is in no package, or cannot be named so."""
    parts = list(source.path.relative_to(root).with_suffix("").parts)
    if len(parts) == 1 or not all(part.isidentifier() for part in parts):
        return None
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _has(place: Path, name: str) -> bool:
    return (place / f"{name}.py").is_file() or (place / name).is_dir()


def _found(source: SourceFile, files: Mapping[Path, SourceFile], folder: Path) -> FoundLocation:
    root = _root(source, folder)
    in_package = _above_package(source) != source.path.parent
    module = _module(source, root) if in_package else None
    used = {name for path in _reached(source, files, folder) for name in files[path].top_levels}
    ours = {name for name in used if _has(root, name) or _has(source.path.parent, name)}
    foreign = used - ours - sys.stdlib_module_names - {"codeloc"}
    name = _own_name(source.path, module, folder)
    return FoundLocation(name, source.path, module, root, source.package, frozenset(foreign))


def _own_name(path: Path, module: str | None, folder: Path) -> str:
    if module is not None:
        return _name(module.partition(".")[0])
    return _name(path.parent.name if path.stem in USUAL else path.stem)


def _distinct(folder: Path, found: list[FoundLocation]) -> list[FoundLocation]:
    """Where names are alike, the whole path of each tells them apart."""
    count = Counter(each.name for each in found)
    return [
        each if count[each.name] == 1 else replace(each, name=_long_name(each, folder))
        for each in found
    ]


def _long_name(found: FoundLocation, folder: Path) -> str:
    return _name(".".join(found.file.relative_to(folder).with_suffix("").parts))


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:100] or "location"
