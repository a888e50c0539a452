"""Rules about the product's files, and its figures: `python -m tests.architecture [ROOT]`.

Layers are import-linter's, in pyproject.toml. These rules are the rest of what keeps the code such
that a newcomer finds their way: no circle of imports, nothing too long to read at once, one meaning
for each class name, and no module named in words that only its author knew.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCES = ("supervisor", "runner", "envs", "ui")
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION = 350, 250, 45
"""In lines. A function's are counted from its `def`; decorators are not."""

OLD_WORDS = {"companion", "door", "ear", "hands", "house", "keeper", "keep", "orders", "side"}
OLD_WORDS |= {"strays", "thrift", "turns", "undisturbed", "upkeep", "wanted", "words"}
"""Names that modules had when they were named for what their author thought of."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of the product; `name` is the dotted one that it is imported by."""

    name: str
    file: Path
    tree: ast.Module
    lines: int

    @property
    def package(self) -> str:
        """Where its relative imports start."""
        inside = self.file.name == "__init__.py"
        return self.name if inside else self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Fault:
    """A rule that is broken, and where."""

    file: Path
    line: int
    what: str


# --- what is there -----------------------------------------------------------------------------


def modules(root: Path) -> dict[str, Module]:
    """All modules of the product, by name. SyntaxError for a file that does not parse."""
    found = {}
    for source in SOURCES:
        for file in sorted((root / source).rglob("*.py")):
            parts = file.relative_to(root / source).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = file.read_text()
            tree = ast.parse(text, str(file))
            found[name] = Module(name, file.relative_to(root), tree, text.count("\n"))
    return found


def imports(module: Module, known: Mapping[str, Module]) -> set[str]:
    """The product's modules that it imports when it is run, at once or later."""
    return {
        target
        for node in _run(module.tree)
        for name in _named(node, module.package)
        if (target := _module_of(name, known)) is not None and target != module.name
    }


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node, but not those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield other
                yield from _run(other)
            continue
        yield node
        yield from _run(node)


def _named(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def _module_of(name: str, known: Mapping[str, Module]) -> str | None:
    """`a.b.C` is in `a.b`, unless `a.b.C` is a module itself."""
    if name in known:
        return name
    above = name.rpartition(".")[0]
    return above if above in known else None


# --- rules -------------------------------------------------------------------------------------


def faults(known: Mapping[str, Module]) -> list[Fault]:
    """Every rule that is broken, by file and line."""
    found = [*_circles(known), *_class_names(known)]
    for module in known.values():
        found += [*_too_long(module), *_old_words(module)]
    return sorted(found, key=lambda fault: (str(fault.file), fault.line))


def _circles(known: Mapping[str, Module]) -> Iterator[Fault]:
    graph = {name: imports(module, known) for name, module in known.items()}
    for members in _strongly_connected(graph):
        if len(members) > 1:
            circle = ", ".join(members)
            yield Fault(known[members[0]].file, 1, f"modules import each other: {circle}")


def _strongly_connected(graph: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Sets of modules that can all reach each other."""
    reach = {name: _reachable(name, graph) for name in graph}
    seen: set[str] = set()
    for name in sorted(graph):
        if name not in seen:
            members = [other for other in sorted(reach[name]) if name in reach[other]]
            seen |= {name, *members}
            yield members or [name]


def _reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def _class_names(known: Mapping[str, Module]) -> Iterator[Fault]:
    places: dict[str, list[tuple[Module, ast.ClassDef]]] = defaultdict(list)
    for module in known.values():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append((module, node))
    for name, defined in places.items():
        for module, node in defined[1:]:
            first = defined[0][0].file
            yield Fault(module.file, node.lineno, f"{first} defines a class {name} already")


def _too_long(module: Module) -> Iterator[Fault]:
    if module.lines > LONGEST_FILE:
        yield Fault(module.file, 1, f"{module.lines} lines, at most {LONGEST_FILE} in a file")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            yield from _length(module, node, "class", LONGEST_CLASS)
        elif isinstance(node, Function):
            yield from _length(module, node, "function", LONGEST_FUNCTION)


def _length(
    module: Module, node: ast.ClassDef | Function, what: str, longest: int
) -> Iterator[Fault]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines > longest:
        said = f"{node.name}: {lines} lines, at most {longest} in a {what}"
        yield Fault(module.file, node.lineno, said)


def _old_words(module: Module) -> Iterator[Fault]:
    last = module.name.rpartition(".")[2]
    for word in sorted(OLD_WORDS.intersection(last.split("_"))):
        yield Fault(module.file, 1, f"a module named {last}: {word!r} is not a word of the field")


# --- figures -----------------------------------------------------------------------------------


def figures(known: Mapping[str, Module]) -> Iterator[str]:
    """What is told of a tree in which no rule is broken, a line each."""
    lines = [module.lines for module in known.values()]
    importers = Counter(target for module in known.values() for target in imports(module, known))
    single = sum(importers[name] == 1 for name in known)
    yield f"{len(known)} files, {sum(lines)} lines, {statistics.median(lines):g} in the median file"
    yield f"{single} files have exactly one importer"


def main(arguments: Iterable[str]) -> int:
    root = Path(next(iter(arguments), Path(__file__).parents[1]))
    known = modules(root)
    found = faults(known)
    for fault in found:
        print(f"{fault.file}:{fault.line}: {fault.what}")
    for line in figures(known):
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
