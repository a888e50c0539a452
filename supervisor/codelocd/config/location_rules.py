"""What the keys of one location's table must be together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codelocd.config.defaults import TARGETS
from codelocd.config.document import Document
from codelocd.config.mistakes import KeyPath, Mistake, UnfitError
from codelocd.config.names import check_own

_WAYS = (("packages", "requirements"), ("project",), ("lock",), ("path",))
"""The ways to say what is in an environment, of which it has one."""


def broken(document: Document, name: str, table: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every rule that the location's complete table breaks."""
    key = ("location", name)
    try:
        check_own(name)
    except UnfitError as error:
        yield document.mistake(key, error.what, error.remedy)
    targets = [target for target in TARGETS if target in table]
    if not targets:
        yield document.mistake(key, "names no code", "add python_file, module or package")
    elif len(targets) > 1:
        yield document.mistake(key, f"has {' and '.join(targets)}", "keep one of them")
    environment = table.get("environment")
    if isinstance(environment, Mapping):
        yield from _environment(document, (*key, "environment"), environment)


def _environment(document: Document, key: KeyPath, table: Mapping[str, Any]) -> Iterator[Mistake]:
    used = [[name for name in way if name in table] for way in _WAYS]
    ways = [" and ".join(names) for names in used if names]
    if len(ways) > 1:
        yield document.mistake(key, f"has {' beside '.join(ways)}", "keep one of them")
    if "path" in table and "python" in table:
        what = "has python beside path, which brings its own"
        yield document.mistake(key, what, "remove one of them")
    if not table.keys() & {"project", "lock"}:
        for name in ("extras", "groups"):
            if name in table:
                what = "belongs to a project or a lock"
                yield document.mistake((*key, name), what, "add project or lock, or remove it")
