"""The folders and files of one daemon."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from codeloc_envs.files import make_folder
from codeloc_envs.ownership import distrusted
from codelocd.model import DaemonSettings
from codelocd.storage import sockets

Kind = Literal["dev", "user", "system"]
"""A project's own daemon, a user's service, or the machine's."""

SYSTEM_STATE = Path("/var/lib/codelocd")


REMEDY = "a socket there could be another user's; set XDG_RUNTIME_DIR to a folder of your own"
_OF_FILES = (
    "what is there decides what is run; name a folder of your own in [daemon], "
    "or change its owner and mode"
)


class UnsafeFolder(Exception):
    """A folder of the daemon that another user owns or can write to; `str()` is one line."""


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """The places of one daemon, all absolute.

    `instance` names it among the daemons of a machine. `runtime_dir` holds the sockets of its
    runners and of its holder, `state_dir` its lock, logs, wanted states and last snapshots,
    `store` the environments and package caches that all daemons of a user share.
    """

    instance: str
    socket: Path
    state_dir: Path
    store: Path
    runtime_dir: Path

    def make_folders(self, uid: int, *, shared: bool = False) -> None:
        """Create those of sockets and state (0700), judge the store's; UnsafeFolder, OSError.

        `shared`: a group may use the control socket, so its folder is made for passing through
        (0711); the socket's own mode keeps out who is not of the group.
        """
        _make_private(self.socket.parent, uid, REMEDY, 0o711 if shared else 0o700)
        _make_private(self.runtime_dir, uid, REMEDY)
        self.make_state_folder(uid)
        _distrust(self.store, uid, _OF_FILES)

    def make_state_folder(self, uid: int) -> None:
        """The one of the state alone, in the same way."""
        _make_private(self.state_dir, uid, _OF_FILES)

    def values(self, location: str, repository: str) -> Path:
        """Where runs leave the values of a repository's assets for later runs."""
        return self.state_dir / "values" / file_name(location) / file_name(repository)


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
    own = Path(os.path.abspath(settings.state_dir)) if settings.state_dir else None
    state = own or _state(kind, project, environ)
    return DaemonPaths(
        instance=_instance(kind, project),
        socket=settings.socket or Path(sockets.control(str(runtime))),
        state_dir=state,
        store=settings.store or _store(kind, environ),
        runtime_dir=runtime / _runners(own),
    )


def _runners(own: Path | None) -> str:
    """The folder of runners' sockets in the runtime folder, which daemons of one user may share:
    one for each state folder that a config names, since a daemon takes over all it finds there."""
    return "runners" if own is None else f"runners-{_short(os.fsencode(own), 4)}"


def _short(data: bytes, size: int) -> str:
    return blake2b(data, digest_size=size).hexdigest()


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


def page_folder(environ: Mapping[str, str], *, system: bool = False) -> Path:
    """Where pages keep the secret of their links, and say where they listen: all of a user's in one
    folder, those of a service manager's unit in its own. `system`: of the machine's daemon.
    """
    if given := _given("STATE_DIRECTORY", environ):
        return given / "ui"
    if system:
        return SYSTEM_STATE / "ui"
    return _xdg("XDG_STATE_HOME", ".local/state", environ) / "codelocd" / "ui"


def _given(variable: str, environ: Mapping[str, str]) -> Path | None:
    first = environ.get(variable, "").partition(":")[0]
    return Path(first) if os.path.isabs(first) else None


def _xdg(variable: str, default: str, environ: Mapping[str, str]) -> Path:
    given = environ.get(variable, "")
    if os.path.isabs(given):
        return Path(given)
    return Path(environ.get("HOME") or Path.home()) / default


def _make_private(folder: Path, uid: int, remedy: str, mode: int = 0o700) -> None:
    """Create what is missing with this mode. What exists is looked at before anything is made in
    it, and all of it afterwards.
    """
    _distrust(folder, uid, remedy)
    make_folder(folder, mode)
    _distrust(folder, uid, remedy)


def _distrust(folder: Path, uid: int, remedy: str) -> None:
    """UnsafeFolder where a user other than this one and root decides what is in the folder."""
    why = distrusted(folder, (uid, 0), private=True)
    if why:
        raise UnsafeFolder(f"{why}; {remedy}")


_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")


def file_name(location: str) -> str:
    """A file name for any name of a location, different for names that differ by case alone."""
    if _PLAIN.fullmatch(location):
        return location
    readable = re.sub(r"[^a-z0-9_.-]", "_", location.lower())[:80].lstrip(".")
    return f"{readable}-{_short(location.encode(), 6)}"


# --- the lock that allows one daemon for each state directory ----------------------------------


class Busy(Exception):
    """Another daemon has the state directory; `str()` is one line."""


@contextlib.contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold the lock. The kernel frees it when the process ends, however that happens; the file has
    its pid.

    Raises Busy, and OSError.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _take(file, path.parent)
        with contextlib.suppress(OSError):  # a full disk: held all the same, by an unknown pid
            os.ftruncate(file, 0)
            os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def lock_holder(path: Path) -> int | None:
    """The process that has locked the file with flock(2), as Linux tells of it; None if unknown."""
    with contextlib.suppress(OSError, ValueError):
        number = path.stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, pid, place, *_ = line.split()
            if kind == "FLOCK" and place.rpartition(":")[2] == str(number) and int(pid) > 0:
                return int(pid)
    return None


def _take(file: int, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.read(file, 20)
        holder = written.decode() if written.isdigit() else "unknown"
        message = f"another daemon (pid {holder}) uses {folder}; stop it first"
        raise Busy(message) from None
