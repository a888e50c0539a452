"""What the preloaded modules came from, to notice that it is no longer the same."""

from __future__ import annotations

import os
import sys

from ..sources import is_installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, Optional, Sequence, Tuple

    Stamp = Optional[Tuple[int, int, int]]


class Stamps:
    """Files of modules, `.pth` files and interpreter by their stat, package folders by names.

    A package that is installed, removed or upgraded in place changes one of them.
    """

    __slots__ = ("_files", "_folders")

    def __init__(self, path: Sequence[str]) -> None:
        """Before anything is preloaded: what is installed meanwhile is a change."""
        self._folders = {entry: names(entry) for entry in path if is_installed(entry + os.sep)}
        self._files = {file: stamp(file) for file in deciding(self._folders)}

    def cover_modules(self) -> None:
        for module in list(sys.modules.values()):
            file = getattr(getattr(module, "__spec__", None), "origin", None)
            if isinstance(file, str) and os.path.isabs(file):
                self._files.setdefault(file, stamp(file))

    def changed(self) -> Optional[str]:
        """The first file or folder that is not what it was."""
        for folder, known in self._folders.items():
            if names(folder) != known:
                return folder
        for file, former in self._files.items():
            if stamp(file) != former:
                return file
        return None


def names(folder: str) -> Sequence[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name != "__pycache__")
    except OSError:
        return ()


def stamp(file: str) -> Stamp:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def deciding(folders: Dict[str, Sequence[str]]) -> Iterable[str]:
    """What decides about `sys.path` and the interpreter itself."""
    yield sys.executable
    yield os.path.join(sys.prefix, "pyvenv.cfg")
    for folder, inside in folders.items():
        yield from (os.path.join(folder, name) for name in inside if name.endswith(".pth"))
