"""What user code finds around it: as `python FILE` or `python -m MODULE` would leave it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence

    from .settings import Settings


def search_path(settings: Settings, path: Sequence[str]) -> List[str]:
    """The working directory first, as Dagster has it; then, for a file, its folder.

    `python FILE` knows the folder alone. With both, siblings of the file are found as well as
    what lies in the working directory, which wins; for most locations they are the same.
    """
    first = [settings.working_directory]
    if settings.kind == "python_file":
        first.append(os.path.dirname(settings.value))
    return [*dict.fromkeys(first), *path]


def arguments(settings: Settings) -> List[str]:
    """For a module "-m", which is what Python itself has there until it has found the module."""
    return [settings.value if settings.kind == "python_file" else "-m"]


def arrange(settings: Settings, path: Sequence[str]) -> None:
    sys.path[:] = path
    sys.argv[:] = arguments(settings)
    empty_main()


def empty_main() -> None:
    """`__main__` becomes an empty module: with the runner's there, a `multiprocessing` child
    would run the runner once more. Once: packages that were preloaded may hold the module.
    """
    if hasattr(sys.modules["__main__"], "__file__"):
        sys.modules["__main__"] = type(sys)("__main__")
