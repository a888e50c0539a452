"""Says what to do about a failed import, where the runner knows more than Python."""

from __future__ import annotations

import os
import re
import sys
from _frozen_importlib_external import PathFinder

from .. import standard_library
from . import exceptions
from .sources import is_ours, is_source, source_line
from .summary import is_users, places_of, told_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, List, Optional

    from ..process import LoadTarget


UPWARDS = 3
"""How many folders above the working directory are looked at."""
FILES = 1000
"""How many entries of a folder are looked at."""
RELATIVE = "attempted relative import"
CIRCULAR = ("partially initialized module", "circular import")
ATTRIBUTE_OF = re.compile(
    r"module '([\w.]+)' (?:from '.*' )?has no attribute"
    r"|cannot access (?:submodule|attribute) '\w+' of module '([\w.]+)'"
)


class Hint:
    """`remedy`: what to do. `missing`: a module that neither the location nor Python has."""

    __slots__ = ("missing", "remedy")

    def __init__(self, remedy: Optional[str] = None, missing: Optional[str] = None) -> None:
        self.remedy = remedy
        self.missing = missing


def of(error: BaseException, settings: LoadTarget) -> Hint:
    hidden = hidden_by(error, settings)
    if hidden is not None:
        return Hint(hidden)
    failure = import_failure(error)
    if failure is None:
        return Hint()
    said = exceptions.message(failure)
    if said.startswith(RELATIVE):
        return Hint(about_relative_import(settings))
    full = name_in(failure, said)
    name = full.partition(".")[0]
    if not name:
        return Hint()
    own = own_file(name, settings)
    if own is not None:
        return Hint(about_own(name, own, failure, said, settings))
    if standard_library.is_standard(name):
        return Hint()
    folder = own_namespace(name, settings)
    if folder is not None and name not in standard_library.SHARED:
        return Hint(about_namespace(name, folder, settings))
    other = standard_library.of_another_python(name)
    if other is not None:
        return Hint(other)
    if name in standard_library.SHARED:
        full = written_in_full(name, error) or full
    if name in sys.modules:
        return Hint(missing=full if is_namespace(name) else None)
    folder = next((one for one in nearby(settings.working_directory) if has(one, name)), None)
    if folder is None:
        return Hint(missing=full)
    return Hint(about_folder(name, folder, settings))


def import_failure(error: BaseException) -> Optional[BaseException]:
    """The nearest that names a module: libraries wrap what they import in errors of their own."""
    for one in exceptions.chain_of(error)[:20]:
        said = exceptions.message(one)
        is_import = exceptions.is_a(one, ImportError)
        if (is_import and (name_in(one, said) or said.startswith(RELATIVE))) or (
            exceptions.is_a(one, AttributeError) and ATTRIBUTE_OF.search(said)
        ):
            return one
    return None


def name_in(failure: BaseException, said: str) -> str:
    """The module that an error is about, with its packages."""
    if exceptions.is_a(failure, ImportError):
        name = exceptions.attribute(failure, ImportError, "name")
        return name if type(name) is str else ""
    found = ATTRIBUTE_OF.search(said)
    return found[1] or found[2] if found else ""


def written_in_full(name: str, error: BaseException) -> Optional[str]:
    """`google.cloud.bigquery`, by the line that imports it: Python looks for `google` first."""
    for file, line in reversed(places_of(error)):
        found = re.search(
            rf"(?:from|import)\s+({name}(?:\.\w+)*)(?:\s+import\s+(\w+))?", source_line(file, line)
        )
        if found:
            return ".".join(part for part in found.groups() if part)
    return None


def own_file(name: str, settings: LoadTarget) -> Optional[str]:
    """The location's own file or folder that stands for a top-level module."""
    if settings.kind == "python_file" and stem(settings.value) == name:
        return settings.value
    for folder in own_folders(settings):
        path = os.path.join(folder, name)
        for file in (os.path.join(path, "__init__.py"), path + ".py"):
            if os.path.isfile(file):
                return file
    return None


def own_namespace(name: str, settings: LoadTarget) -> Optional[str]:
    """The location's own folder of that name that holds modules, but no `__init__.py`."""
    for folder in own_folders(settings):
        path = os.path.join(folder, name)
        if any(entry.name.endswith(".py") for entry in entries(path)[:FILES]):
            return path
    return None


def about_namespace(name: str, folder: str, settings: LoadTarget) -> Optional[str]:
    if name not in sys.modules:
        return None
    told = told_path(folder, settings.working_directory)
    return (
        f"{name} is the folder {told} here: correct what is imported from it, or rename the folder"
        f" if a package {name} is meant"
    )


def hidden_by(error: BaseException, settings: LoadTarget) -> Optional[str]:
    """Where a package, or Python itself, imports a file of the location's for one of Python's."""
    files = [file for file, _ in places_of(error) if not is_ours(file)]
    if exceptions.is_a(error, SyntaxError):
        files.append(str(exceptions.attribute(error, SyntaxError, "filename")))
    for caller, file in zip(files, files[1:]):
        name = stem(file)
        foreign = not is_users(caller) and is_users(file)
        if foreign and standard_library.is_standard(name) and own_file(name, settings) == file:
            told = told_path(file, settings.working_directory)
            return f"{told} hides the standard module {name}: rename it"
    return None


def own_folders(settings: LoadTarget) -> List[str]:
    entries: List[str] = [entry for entry in sys.path if type(entry) is str]
    absolute = [entry for entry in entries if os.path.isabs(entry)]
    own = [entry for entry in absolute if is_source(os.path.join(entry, ""))]
    return list(dict.fromkeys([settings.working_directory, *own]))


def about_own(
    name: str, file: str, failure: BaseException, said: str, settings: LoadTarget
) -> Optional[str]:
    """It is the location's own, so it is never to be installed."""
    told = told_path(file, settings.working_directory)
    if standard_library.is_standard(name):
        return f"{told} hides the standard module {name}: rename it"
    other = installed(name)
    if other is not None and not is_told(failure, other):
        return f"{told} hides the installed package {name} ({other}): rename it"
    if any(part in said for part in CIRCULAR) or file in files_of(failure):
        return about_circle(failure, settings)
    return None


def installed(name: str) -> Optional[str]:
    """Where an installer has put a module of that name, seen or not."""
    folders = [
        entry
        for entry in sys.path
        if type(entry) is str and os.path.basename(entry) in ("site-packages", "dist-packages")
    ]
    spec = PathFinder.find_spec(name, folders)
    if spec is None or spec.origin is None:
        return None
    return os.path.dirname(spec.origin) if spec.submodule_search_locations else spec.origin


def is_told(failure: BaseException, place: str) -> bool:
    """Whether the installed one is what was imported: then nothing hides it."""
    if not exceptions.is_a(failure, ImportError):
        return False
    path = exceptions.attribute(failure, ImportError, "path")
    return type(path) is str and path.startswith(place)


def about_circle(failure: BaseException, settings: LoadTarget) -> str:
    """The files that import each other, by the traceback."""
    files = files_of(failure)
    last = files[-1] if files else settings.value
    again = files.index(last) if last in files else 0
    ring = list(dict.fromkeys(files[again:])) or [last]
    if len(ring) < 2:
        ring = list(dict.fromkeys(files))[-2:]
    told = [told_path(file, settings.working_directory) for file in ring]
    if len(told) < 2:
        return f"{told[0]} imports itself: take the import out, or rename the file"
    return (
        f"{' and '.join(told)} import each other: move what both need into a third file, or one of"
        " the imports into the function that uses it"
    )


def files_of(failure: BaseException) -> List[str]:
    """The location's own files that were being imported, the innermost last."""
    entries = exceptions.entries_of(exceptions.traceback_of(failure))
    codes = [entry.tb_frame.f_code for entry in entries]
    files = [code.co_filename for code in codes if code.co_name == "<module>"]
    return [file for file in files if is_users(file)]


def told_path(file: str, working_directory: str) -> str:
    return told_place((file, 0), working_directory)[: -len(":0")]


def about_relative_import(settings: LoadTarget) -> str:
    if settings.kind != "python_file":
        return (
            f"{settings.value.rpartition('.')[0] or settings.value} is the top-level package here:"
            " import absolutely, or set working_directory to the folder above it"
        )
    return (
        f"{os.path.basename(settings.value)} is loaded as a file, which is in no package;"
        " name its module instead (module, python_module, -m), or import absolutely"
    )


def about_folder(name: str, folder: str, settings: LoadTarget) -> str:
    return f"{folder} has {name!r}: set working_directory to that folder (-d {folder})"


def is_namespace(name: str) -> bool:
    """A package of several distributions, such as `google`: one of them may be what is missing."""
    module = sys.modules.get(name)
    return getattr(module, "__file__", None) is None and hasattr(module, "__path__")


def stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def nearby(working_directory: str) -> Iterator[str]:
    """The folders around, from which an import could have worked."""
    yield from (entry.path for entry in entries(working_directory) if entry.is_dir())
    folder = working_directory
    for _ in range(UPWARDS):
        folder = os.path.dirname(folder)
        yield folder


def entries(folder: str) -> List[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def has(folder: str, module: str) -> bool:
    path = os.path.join(folder, module)
    return os.path.isfile(path + ".py") or os.path.isfile(os.path.join(path, "__init__.py"))


def about_damage(gone: List[str], files: List[str], settings: LoadTarget) -> str:
    """What the code took away from Python, and the line that did it, where it can be found."""
    what, others = gone[0], len(gone) - 1
    verb = "called" if "(" in what else "deleted" if what.startswith("builtins.") else "emptied"
    line = line_with(what, files, settings.working_directory)
    told = f"the code {verb} {what}" + (f" and {others} more" if others else "")
    return f"{told} ({line})" if line else told


def line_with(what: str, files: List[str], working_directory: str) -> Optional[str]:
    part = what.partition("(")[0]
    mention = re.compile(
        rf"(?:\bdel\s+{re.escape(part)}\b|\b{re.escape(part)}\s*(?:\.clear\(|\[:?\]?.*=|=|\())"
    )
    for file in files:
        try:
            with open(file, encoding="utf-8", errors="replace") as source:
                for number, line in enumerate(source, 1):
                    if mention.search(line):
                        return told_place((file, number), working_directory)
        except OSError:
            continue
    return None
