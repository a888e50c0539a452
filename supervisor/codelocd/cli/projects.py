"""Finds the project that a folder belongs to. Few imports: `codelocd status` must start at once."""

from __future__ import annotations

import os

from codelocd.core.config_files import CODELOCD_TOML, FILES, PYPROJECT, TOOLS

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Callable, Mapping
    from typing import Any


def nearest(folder: str, qualifies: Callable[[str], bool]) -> str | None:
    """The first of `folder` and the folders above it that qualifies."""
    while not qualifies(folder):
        folder, last = os.path.dirname(folder), folder
        if folder == last:
            return None
    return folder


def is_project(folder: str) -> bool:
    """Whether `codelocd dev` finds something there without a target."""
    if any(os.path.isfile(os.path.join(folder, name)) for name in FILES):
        return True
    content = _content(folder, PYPROJECT)
    if not any(name.encode() in content for name in TOOLS):
        return False
    from codelocd.config.discovery import tables

    return bool(tables(content.decode(errors="replace")))


def own_socket(folder: str) -> str | None:
    """The socket that the project's configuration names, absolute; None where it names none."""
    return _own_path(folder, "socket")


def own_state(folder: str) -> str | None:
    """The same for the folder of its daemon's state."""
    return _own_path(folder, "state_dir")


def service_folder(service: str, environ: Mapping[str, str]) -> str:
    """The folder of a service's config, where none is named: of the `user` or the `system`."""
    if service == "system":
        return "/etc/codelocd"
    given = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(given, "codelocd")


def _own_path(folder: str, key: str) -> str | None:
    content = _content(folder, CODELOCD_TOML)
    if content:
        daemon = _table(_parsed(content, key), "daemon")
    else:
        daemon = _table(_parsed(_content(folder, PYPROJECT), key), "tool", "codelocd", "daemon")
    given = daemon.get(key)
    if not isinstance(given, str):
        return None
    return os.path.normpath(os.path.join(folder, os.path.expanduser(given)))


def _content(folder: str, name: str) -> bytes:
    path = os.path.join(folder, name)
    if not os.path.isfile(path):  # a pipe would wait for a writer
        return b""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _parsed(content: bytes, key: str) -> Mapping[str, Any]:
    """What TOML says; nothing where it is broken (`dev` complains) or does not have `key`.

    The import of the parser alone takes as long as asking the daemon.
    """
    if key.encode() not in content:
        return {}
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}


def _table(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        found = document.get(name)
        document = found if isinstance(found, dict) else {}
    return document
