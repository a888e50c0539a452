"""`codeloc` made importable where it is not installed, and nothing else of the kit with it."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import spec_from_file_location

from .sources import KIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Optional, Sequence

NAME = "codeloc"


class Exposed:
    """A finder for exactly one name, asked last: an installed copy wins."""

    @staticmethod
    def find_spec(
        fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname != NAME:
            return None
        folder = os.path.join(KIT, "api", NAME)
        return spec_from_file_location(
            NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )


def withdraw() -> None:
    """For a process that shall find nothing but what is installed."""
    sys.meta_path.remove(Exposed)
    for name, module in list(sys.modules.items()):
        file = getattr(getattr(module, "__spec__", None), "origin", None)
        if name.partition(".")[0] == NAME and isinstance(file, str) and file.startswith(KIT):
            del sys.modules[name]


def expose() -> None:
    """Once, however often it is asked for."""
    if Exposed not in sys.meta_path:
        sys.meta_path.append(Exposed)
