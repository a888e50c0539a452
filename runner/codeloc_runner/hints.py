"""What to do about an import that failed, where we know better than Python."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Optional, Tuple

    from .settings import Settings

UPWARDS = 3
"""How many folders above the working directory are looked at."""
RELATIVE = "attempted relative import"


def of(error: BaseException, settings: Settings) -> Tuple[Optional[str], Optional[str]]:
    """(A remedy, or None; the top-level module that no folder nearby has, or None)."""
    failure = import_failure(error)
    if failure is None:
        return None, None
    if str(failure).startswith(RELATIVE):
        return about_relative_import(settings), None
    name = (failure.name or "").partition(".")[0]
    if not name or name in sys.modules:
        return None, None
    folder = next((one for one in nearby(settings.working_directory) if has(one, name)), None)
    if folder is None:
        return None, name
    remedy = f"{folder} has {name!r}: set working_directory to that folder (-d {folder})"
    return remedy, None


def import_failure(error: Optional[BaseException]) -> Optional[ImportError]:
    """The first that went wrong: Dagster wraps what it imports in errors of its own."""
    found = None
    while error is not None:
        if isinstance(error, ImportError):
            found = error
        error = error.__cause__ or error.__context__
    return found


def about_relative_import(settings: Settings) -> str:
    return (
        f"{os.path.basename(settings.value)} is loaded as a file, which is in no package;"
        " name its module instead (module, python_module, -m), or import absolutely"
    )


def nearby(working_directory: str) -> Iterator[str]:
    """The folders around, from which an import could have worked."""
    yield from (entry.path for entry in entries(working_directory) if entry.is_dir())
    folder = working_directory
    for _ in range(UPWARDS):
        folder = os.path.dirname(folder)
        yield folder


def entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def has(folder: str, module: str) -> bool:
    path = os.path.join(folder, module)
    return os.path.isfile(path + ".py") or os.path.isfile(os.path.join(path, "__init__.py"))
