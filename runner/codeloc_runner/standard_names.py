"""Names of modules that no package has to bring: Python's own, of this version or another."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

HOME = os.path.dirname(os.__file__)

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
    folders = [HOME, os.path.join(HOME, "lib-dynload")]
    return PathFinder.find_spec(name, folders) is not None


def of_another_python(name: str) -> Optional[str]:
    """What to do where another Python's standard library has it."""
    here = ".".join(map(str, sys.version_info[:2]))
    instead = f"; {INSTEAD[name]}" if name in INSTEAD else ""
    for version, names in REMOVED.items():
        if name in names.split() and sys.version_info >= numbers(version):
            return (
                f"{name} was a module of Python's own until {version} removed it, and this is"
                f" {here}{instead}"
            )
    for version, names in ADDED.items():
        if name in names.split() and sys.version_info < numbers(version):
            told = f"{name} is a module of Python's own from {version} on"
            return f"{told}, and this is {here}{instead}"
    if name in OF_PYTHON_2:
        return f"{name} is a module of Python 2; in Python 3 it is {OF_PYTHON_2[name]}"
    return None


def numbers(version: str) -> Tuple[int, ...]:
    return tuple(map(int, version.split(".")))
