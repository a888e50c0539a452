"""Where one daemon keeps what it has, and under which file names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from codelocd.model import DaemonSettings
from codelocd.storage import sockets

Kind = Literal["dev", "user", "system"]
"""A project's own daemon, a user's service, or the machine's."""

SYSTEM_STATE = Path("/var/lib/codelocd")


REMEDY = "a socket there could be somebody else's; set XDG_RUNTIME_DIR to a folder of your own"


class UnsafeFolder(Exception):
    """A folder for sockets that somebody else owns or can write to; `str()` is one line."""


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """The places of one daemon, all absolute.

    `instance` names it among the daemons of a machine. `runtime_dir` holds the sockets of its
    runners, `state_dir` its lock, logs, wanted states and last snapshots, `store` the
    environments and package caches that all daemons of a user share.
    """

    instance: str
    socket: Path
    state_dir: Path
    store: Path
    runtime_dir: Path

    def make_folders(self, uid: int, *, shared: bool = False) -> None:
        """Create the folders of sockets (0700) and state; UnsafeFolder, OSError.

        `shared`: a group may use the control socket, so its folder is made for passing through
        (0711); the socket's own mode keeps out who is not of the group.
        """
        _make_private(self.socket.parent, uid, mode=0o711 if shared else 0o700)
        _make_private(self.runtime_dir, uid)
        _make(self.state_dir)


def daemon_paths(
    kind: Kind,
    settings: DaemonSettings,
    *,
    project: Path | None = None,
    environ: Mapping[str, str],
    uid: int,
    is_folder: Callable[[str], bool] = os.path.isdir,
) -> DaemonPaths:
    """The paths of a daemon; `project` (absolute, no links) belongs to `dev` alone.

    A service manager's $RUNTIME_DIRECTORY and $STATE_DIRECTORY (systemd.exec(5)) come before
    the defaults of a service, `settings` before everything.
    """
    runtime = _runtime(kind, project, environ, uid, is_folder)
    state = settings.state_dir or _state(kind, project, environ)
    return DaemonPaths(
        instance=_instance(kind, project),
        socket=settings.socket or Path(sockets.control(str(runtime))),
        state_dir=state,
        store=settings.store or _store(kind, environ),
        runtime_dir=runtime / "runners",
    )


def _instance(kind: Kind, project: Path | None) -> str:
    return sockets.instance(str(project)) if project is not None else kind


def _runtime(
    kind: Kind,
    project: Path | None,
    environ: Mapping[str, str],
    uid: int,
    is_folder: Callable[[str], bool],
) -> Path:
    if project is not None:
        return Path(
            sockets.dev_folder(str(project), sockets.runtime_folder(environ, uid, is_folder))
        )
    if given := _given("RUNTIME_DIRECTORY", environ):
        return given
    if kind == "system":
        return Path(sockets.SYSTEM)
    return Path(sockets.user_folder(sockets.runtime_folder(environ, uid, is_folder)))


def _state(kind: Kind, project: Path | None, environ: Mapping[str, str]) -> Path:
    if project is None and (given := _given("STATE_DIRECTORY", environ)):
        return given
    if kind == "system":
        return SYSTEM_STATE
    home = _xdg("XDG_STATE_HOME", ".local/state", environ)
    return home / "codelocd" / "daemons" / _instance(kind, project)


def _store(kind: Kind, environ: Mapping[str, str]) -> Path:
    if kind == "system":
        return (_given("STATE_DIRECTORY", environ) or SYSTEM_STATE) / "store"
    return _xdg("XDG_DATA_HOME", ".local/share", environ) / "codelocd"


def _given(variable: str, environ: Mapping[str, str]) -> Path | None:
    first = environ.get(variable, "").partition(":")[0]
    return Path(first) if os.path.isabs(first) else None


def _xdg(variable: str, default: str, environ: Mapping[str, str]) -> Path:
    given = environ.get(variable, "")
    if os.path.isabs(given):
        return Path(given)
    return Path(environ.get("HOME") or Path.home()) / default


def _make_private(folder: Path, uid: int, mode: int = 0o700) -> None:
    """Create what is missing with this mode, and trust what exists as sshd trusts a home.

    What exists is looked at before anything is made in it, and all of it afterwards.
    """
    _distrust(folder, uid)
    _make(folder, mode)
    _distrust(folder, uid)


def _make(folder: Path, mode: int = 0o700) -> None:
    """With all that is missing above it, whatever the umask lets through."""
    for missing in [f for f in (*reversed(folder.parents), folder) if not f.exists()]:
        missing.mkdir(mode=mode, exist_ok=True)


def _distrust(folder: Path, uid: int) -> None:
    """UnsafeFolder where the folder, a link on the way or what is above either is not safe.

    A link is judged at both ends: whose it is, and what it leads to.
    """
    real = folder.resolve()
    writable = folder.exists() and _mode(folder, uid) & 0o022
    for parent in dict.fromkeys((folder, *folder.parents, *real.parents)):
        if not os.path.lexists(parent):
            continue
        owner = parent.lstat().st_uid
        if owner not in (uid, 0):
            raise UnsafeFolder(f"{parent} belongs to user {owner}; {REMEDY}")
        if parent != folder and parent.exists():
            mode = _mode(parent, uid)
            writable |= 0 if mode & stat.S_ISVTX else mode & 0o002
    if writable:
        raise UnsafeFolder(f"others can write to {folder} or a folder above it; {REMEDY}")


def _mode(folder: Path, uid: int) -> int:
    found = folder.stat()
    if found.st_uid not in (uid, 0):
        raise UnsafeFolder(f"{folder} belongs to user {found.st_uid}; {REMEDY}")
    return found.st_mode


_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")


def file_name(location: str) -> str:
    """A file name for any name of a location, different for names that differ by case alone."""
    if _PLAIN.fullmatch(location):
        return location
    readable = re.sub(r"[^a-z0-9_.-]", "_", location.lower())[:80].lstrip(".")
    return f"{readable}-{blake2b(location.encode(), digest_size=6).hexdigest()}"
