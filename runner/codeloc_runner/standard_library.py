"""Python's standard library: where it is, what shadows it, and what was ever in it."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, List, Optional, Sequence, Set, Tuple


STANDARD_LIBRARY = os.path.dirname(os.__file__)


def entries_before(path: Sequence[str]) -> List[str]:
    """The entries of `sys.path` whose modules win over the standard library's."""
    before = []
    for entry in path:
        if os.path.basename(entry).endswith(".zip") or entry == STANDARD_LIBRARY:
            break
        before.append(entry)
    return before


def release_shadowed(known: AbstractSet[str], own: Sequence[str]) -> None:
    """Drop from `sys.modules` what the runner imported and the location's folders shadow.

    User code then gets its own `json.py`, as in plain Python. The runner keeps what it holds.
    """
    added = {name.partition(".")[0] for name in sys.modules if name not in known}
    for top in added & names_in(own):
        if is_replaceable(top) and is_shadowed(top, own):
            for name in [one for one in sys.modules if one.partition(".")[0] == top]:
                del sys.modules[name]


def names_in(folders: Sequence[str]) -> Set[str]:
    """What may be a module there: a look at each folder costs less than one for each name."""
    found: Set[str] = set()
    for folder in folders:
        try:
            found.update(name.partition(".")[0] for name in os.listdir(folder or os.curdir))
        except OSError:
            continue
    return found


def is_replaceable(name: str) -> bool:
    """Built-in and frozen modules win over any folder."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and spec.has_location


def is_shadowed(name: str, own: Sequence[str]) -> bool:
    """Whether a module or regular package of that name lies in one of the folders."""
    spec = PathFinder.find_spec(name, list(own))
    return spec is not None and spec.has_location


# https://docs.python.org/3/whatsnew/, the sections "Removed" of each version.
REMOVED = {
    "3.8": "macpath",
    "3.9": "_dummy_thread dummy_threading",
    "3.10": "formatter parser symbol",
    "3.11": "binhex",
    "3.12": "asynchat asyncore distutils imp smtpd",
    "3.13": "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib"
    " ossaudiodev pipes sndhdr spwd sunau telnetlib uu xdrlib",
}
ADDED = {
    "3.9": "graphlib zoneinfo",
    "3.11": "tomllib",
    "3.14": "annotationlib compression",
}
INSTEAD = {
    "distutils": "setuptools brings one, and shutil and subprocess replace most of it",
    "imp": "importlib replaces it",
    "asyncore": "asyncio replaces it",
    "asynchat": "asyncio replaces it",
    "smtpd": "the package aiosmtpd replaces it",
    "cgi": "the package legacy-cgi has it",
    "cgitb": "the package legacy-cgi has it",
    "pipes": "subprocess and shlex replace it",
    "telnetlib": "the package telnetlib3 replaces it",
    "crypt": "the package legacycrypt has it",
    "imghdr": "the package filetype replaces it",
    "audioop": "the package audioop-lts has it",
    "tomllib": "the package tomli has the same functions",
    "zoneinfo": "the package backports.zoneinfo has it",
}
SHARED = ("google", "azure", "airflow", "snowflake", "zope")
"""Packages that many distributions have a part of."""

OF_PYTHON_2 = {
    "__builtin__": "builtins",
    "ConfigParser": "configparser",
    "Queue": "queue",
    "StringIO": "io",
    "Tkinter": "tkinter",
    "cPickle": "pickle",
    "cStringIO": "io",
    "commands": "subprocess",
    "httplib": "http.client",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
}


def is_standard(name: str) -> bool:
    """Whether it is a module of this Python's standard library, built for this machine or not."""
    known = getattr(sys, "stdlib_module_names", None)  # from 3.10 on
    if known is not None:
        return name in known
    if name in sys.builtin_module_names:
        return True
    folders = [STANDARD_LIBRARY, os.path.join(STANDARD_LIBRARY, "lib-dynload")]
    return PathFinder.find_spec(name, folders) is not None


def of_another_python(name: str) -> Optional[str]:
    """What to do where another Python's standard library has it."""
    here = ".".join(map(str, sys.version_info[:2]))
    instead = f"; {INSTEAD[name]}" if name in INSTEAD else ""
    for version, names in REMOVED.items():
        if name in names.split() and sys.version_info >= version_numbers(version):
            return (
                f"{name} was a module of Python's own until {version} removed it, and this is"
                f" {here}{instead}"
            )
    for version, names in ADDED.items():
        if name in names.split() and sys.version_info < version_numbers(version):
            told = f"{name} is a module of Python's own from {version} on"
            return f"{told}, and this is {here}{instead}"
    if name in OF_PYTHON_2:
        return f"{name} is a module of Python 2; in Python 3 it is {OF_PYTHON_2[name]}"
    return None


def version_numbers(version: str) -> Tuple[int, ...]:
    return tuple(map(int, version.split(".")))
