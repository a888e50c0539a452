"""The names of locations that are files on a command line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path


def file_names(paths: Iterable[Path], taken: Collection[str] = ()) -> dict[Path, str]:
    """For each absolute path its stem, or where that is not the only one, `FOLDER.STEM`.

    Those that are still alike, or `taken`, get more folders, as far as there are any.
    """
    names = {path: path.stem for path in paths}
    folders = {path: path.parent for path in names}
    while growing := [path for path in _alike(names, taken) if folders[path].name]:
        for path in growing:
            names[path] = f"{folders[path].name}.{names[path]}"
            folders[path] = folders[path].parent
    return names


def _alike(names: dict[Path, str], taken: Collection[str]) -> list[Path]:
    count = Counter([*names.values(), *set(taken)])
    return [path for path, name in names.items() if count[name] > 1]
