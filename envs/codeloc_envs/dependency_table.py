"""A dependency that stands in a table, as Pipenv and Poetry write it, as a line for pip."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def line(name: str, entry: Mapping[str, Any], folder: Path) -> str:
    """The requirement; `version` is a specifier or `*`, paths start at `folder`."""
    extras = ",".join(entry.get("extras") or ())
    full = f"{name}[{extras}]" if extras else name
    marker = f" ; {entry['markers']}" if entry.get("markers") else ""
    where = entry.get("path") or entry.get("file") or entry.get("url")
    if "git" in entry:
        revision = next(
            (entry[key] for key in ("ref", "rev", "tag", "branch") if entry.get(key)), ""
        )
        return f"{full} @ git+{entry['git']}{'@' if revision else ''}{revision}{marker}"
    if where and "://" not in where:
        path = Path(os.path.normpath(folder / where))
        if entry.get("editable"):
            return f"-e {path}{f'[{extras}]' if extras else ''}{marker}"
        return f"{full} @ {path.as_uri()}{marker}"
    if where:
        return f"{full} @ {where}{marker}"
    version = entry.get("version") or ""
    return f"{full}{'' if version == '*' else version}{marker}"
