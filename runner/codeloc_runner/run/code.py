"""The code that is served, whatever is on the disk by now: sources by the digests of a manifest.

The manifest has for each source the digest of the text that the runner compiled, and for each
module the source that it was made of. Texts lie in a folder, each under its digest.
"""

from __future__ import annotations

import io
import linecache
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import SourceFileLoader, spec_from_file_location

from ..load.exceptions import LoadFailure
from ..load.sources import RUNNING, coding_in, compile_sources, digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Dict, List, Mapping, Optional, Sequence

    from .order import CodeOrder


MARK = b"\xef\xbb\xbf"
"""What editors write before UTF-8."""


class ServedCode:
    """`late` fills with the digests of what is read from the disk, since it was never served."""

    def __init__(self, order: CodeOrder) -> None:
        self._folder = order.code
        self._sources = order.sources
        self._modules = order.modules
        self.late: Dict[str, str] = {}

    def install(self) -> Dict[str, str]:
        """From now on every import of the location's gets what was served; `late` is returned."""
        compile_sources(self._text_of, lambda code: None)
        sys.meta_path.insert(0, ServedFinder(self._modules))
        sys.meta_path.append(ServedNamespaces(self._modules))
        return self.late

    def has(self, path: str) -> bool:
        return path in self._sources or os.path.isfile(path)

    def _text_of(self, loader: SourceFileLoader, file: str, path: str) -> bytes:
        """Raises LoadFailure where neither the folder nor the disk has what was served."""
        wanted = self._sources.get(path)
        if wanted is None:
            data = loader.get_data(file)
            if not is_codeloc(path):
                self.late[path] = digest(data)
            return data
        kept = self._kept(wanted)
        if kept is None:
            kept = text_on_disk(path)
            if kept is None or digest(kept) != wanted:
                raise LoadFailure(
                    f"{path} is not what it was when it was loaded, and its text was not kept:"
                    " reload the location, then run again"
                )
        self._show(file, path, kept)
        return kept

    def _kept(self, name: str) -> Optional[bytes]:
        data = None if self._folder is None else text_on_disk(os.path.join(self._folder, name))
        return data if data is not None and digest(data) == name else None

    @staticmethod
    def _show(file: str, path: str, data: bytes) -> None:
        """Have tracebacks show the lines that run. Without a time they stay."""
        lines = lines_of(data)
        RUNNING[path] = RUNNING[file] = lines
        linecache.cache[file] = (len(data), None, lines, path)


def is_codeloc(path: str) -> bool:
    """Whether it is of the API itself, which a checkout may have beside the location."""
    file = getattr(sys.modules.get("codeloc"), "__file__", None)
    return bool(file) and path.startswith(os.path.dirname(str(file)) + os.sep)


def text_on_disk(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def lines_of(data: bytes) -> List[str]:
    """With their ends, in the coding that one of the first two declares."""
    found = [coding_in(line) for line in data.split(b"\n", 2)[:2]]
    coding = next(filter(None, found), "utf-8")
    if data.startswith(MARK):  # "utf-8-sig" takes it away, too, and would have to be imported
        data = data[len(MARK) :]
    try:
        return io.TextIOWrapper(io.BytesIO(data), coding, "replace").readlines()
    except LookupError:  # Python refuses the file
        return io.TextIOWrapper(io.BytesIO(data), "utf-8", "replace").readlines()


class ServedFinder:
    """Asked first: a module that was served is made of the same source, whatever the folders on
    the search path have by now.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        file = self._modules.get(fullname)
        if file is None:
            return None
        inside = [os.path.dirname(file)] if os.path.basename(file) == "__init__.py" else None
        return spec_from_file_location(
            fullname,
            file,
            loader=SourceFileLoader(fullname, file),
            submodule_search_locations=inside,
        )


class ServedNamespaces:
    """Asked last: folders without `__init__.py` that are on the disk no more."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._folders: Dict[str, List[str]] = {}
        for name, file in modules.items():
            folder = os.path.dirname(file)
            if os.path.basename(file) == "__init__.py":
                folder = os.path.dirname(folder)
            above = name.rpartition(".")[0]
            while above and above not in modules:
                folders = self._folders.setdefault(above, [])
                if folder not in folders:
                    folders.append(folder)
                above, folder = above.rpartition(".")[0], os.path.dirname(folder)

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        folders = self._folders.get(fullname)
        if folders is None:
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = list(folders)
        return spec
