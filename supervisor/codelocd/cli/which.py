"""Which daemon a command means."""

from __future__ import annotations

import os

from codelocd.cli.exit_codes import ExitCode, Failure, NoDaemon, SilentDaemon
from codelocd.core.config_files import CODELOCD_TOML, FILES, PYPROJECT, TOOLS
from codelocd.rpc import starting
from codelocd.storage import sockets

TYPE_CHECKING = False

if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, TypeAlias

    Service: TypeAlias = Literal["user", "system"]


# --- the project of a folder -------------------------------------------------------------------


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


# --- the daemon that is meant ------------------------------------------------------------------

VARIABLE = "CODELOCD_SOCKET"

ABSENT = ("absent", "refused")
"""Reasons where no process listens at all."""

REMEDIES = {
    "denied": "only its owner and the group of its config may; --socket PATH names another",
    "silent": "it hangs or is stopped; see its log, or kill it",
    "foreign": "nothing was asked; if you mean that daemon, name it with --socket PATH",
}


class Asked:
    """What the command line says: `--socket`, `--user` or `--system`, at most one of them."""

    __slots__ = ("service", "socket")

    def __init__(self, socket: str | None = None, service: Service | None = None) -> None:
        self.socket = socket
        self.service: Service | None = service


class DaemonAddress:
    """A daemon that is meant, whether or not it answers.

    `name` is for messages; `project` is set where it is the project's own. `others`: what to say of
    services that may be meant where this one does not run. `foreign`: it may be another user's,
    since its socket was named, or is one that only root could let it have.
    """

    __slots__ = ("foreign", "name", "others", "project", "socket")

    def __init__(
        self,
        socket: str,
        name: str,
        project: str | None = None,
        others: Sequence[str] = (),
        *,
        foreign: bool = False,
    ) -> None:
        self.socket = socket
        self.name = name
        self.project = project
        self.others = others
        self.foreign = foreign

    def unreachable(self, why: str, reason: str) -> Failure:
        """It cannot be asked anything; `reason` is that of DaemonUnreachable."""
        if reason not in ABSENT:
            summary = f"{why}; {REMEDIES.get(reason, 'see its log')}"
            if reason == "silent":
                return SilentDaemon(summary, self.name, self.project)
            return Failure(summary, ExitCode.NO_DAEMON)
        if self.project is not None:
            summary = f"no dev daemon for {self.project}; --user or --system reach the others"
        elif self.others:
            summary = f"{why}; {'; '.join(self.others)}"
        else:
            summary = f"{why}; start one with `codelocd serve`, or name another with --socket PATH"
        return NoDaemon(summary, self.project)


def which(
    asked: Asked,
    *,
    environ: Mapping[str, str],
    folder: str,
    uid: int,
    exists: Callable[[str], bool],
    is_project: Callable[[str], bool] = is_project,
    own_socket: Callable[[str], str | None] = own_socket,
    is_folder: Callable[[str], bool] = os.path.isdir,
) -> DaemonAddress:
    """The daemon meant by a command that runs in `folder` (absolute, no links).

    A folder where a dev daemon with targets of its own listens is a project as well.
    Raises Failure where there is no project and neither service has a socket.
    """
    named = asked.socket or (None if asked.service else environ.get(VARIABLE))
    if named:
        return DaemonAddress(os.path.join(folder, named), "the daemon", foreign=True)
    runtime = sockets.runtime_folder(environ, uid, is_folder)
    if asked.service:
        services = _services(runtime, environ, own_socket)
        found = services[asked.service]
        if not exists(found.socket):
            found.others = _others(found, services, environ, uid, exists)
        return found

    def is_own(candidate: str) -> bool:
        listening = exists(sockets.control(sockets.dev_folder(candidate, runtime)))
        return listening or is_project(candidate)

    project = nearest(folder, is_own)
    if project is not None:
        usual = sockets.control(sockets.dev_folder(project, runtime))
        return DaemonAddress(own_socket(project) or usual, f"the dev daemon of {project}", project)
    return _first(_services(runtime, environ, own_socket), exists)


def asked_in(words: Sequence[str]) -> Asked:
    """What is said anywhere in a command line, as far as it makes sense."""
    socket = _value(words, "--socket")
    if socket or "--user" in words:
        return Asked(socket, None if socket else "user")
    return Asked(service="system") if "--system" in words else Asked()


def _value(words: Sequence[str], *options: str) -> str | None:
    """Of the first of these options that is there."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option in options:
            return value if equals else after
    return None


def own_sockets(
    command: str, words: Sequence[str], *, environ: Mapping[str, str], folder: str, uid: int
) -> list[str]:
    """Where the daemon that `dev` or `serve` becomes is to listen, as far as that is known before
    its command line and its config are read: of `dev` there may be one path too many."""
    asked = asked_in(words)
    named = asked.socket or environ.get(VARIABLE)
    if named:
        return [os.path.join(folder, named)]
    runtime, project = sockets.runtime_folder(environ, uid), nearest(folder, is_project)
    if command == "serve":
        file = _value(words, "-c", "-w", "--config", "--workspace")
        project = os.path.dirname(os.path.join(folder, file)) if file else project
        given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        if not os.path.isabs(given):
            is_user = asked.service == "user" or (asked.service is None and uid != 0)
            given = sockets.user_folder(runtime) if is_user else sockets.SYSTEM
        return [(own_socket(project) if project else None) or sockets.control(given)]
    usual = [sockets.control(sockets.dev_folder(at, runtime)) for at in (project or folder, folder)]
    return [own_socket(project or folder) or usual[0], usual[1]]


def _services(
    runtime: str, environ: Mapping[str, str], own_socket: Callable[[str], str | None]
) -> dict[Service, DaemonAddress]:
    """Where each listens: a socket that its usual config names, or the usual one."""
    usual = {"user": sockets.user_folder(runtime), "system": sockets.SYSTEM}

    def address(service: Service, name: str) -> DaemonAddress:
        named = own_socket(service_folder(service, environ))
        system = service == "system"  # its config and its folder are root's to make
        return DaemonAddress(named or sockets.control(usual[service]), name, foreign=system)

    return {
        "user": address("user", "the user's daemon"),
        "system": address("system", "the system's daemon"),
    }


def _others(
    meant: DaemonAddress,
    services: Mapping[Service, DaemonAddress],
    environ: Mapping[str, str],
    uid: int,
    exists: Callable[[str], bool],
) -> list[str]:
    """What else listens: the other service, or the user's that another shell has started.

    Root's `codelocd serve` is the system's; a shell without XDG_RUNTIME_DIR has another folder.
    """
    told = []
    for option, other in services.items():
        if other is not meant and exists(other.socket):
            told.append(f"{other.name} listens at {other.socket}: --{option} reaches it")
    if meant is services["user"]:
        for runtime in (f"/run/user/{uid}", sockets.fallback_folder(environ, uid)):
            path = sockets.control(sockets.user_folder(runtime))
            if path != meant.socket and exists(path):
                told.append(f"one listens at {path}: set XDG_RUNTIME_DIR={runtime} to reach it")
    return told


def _first(services: dict[Service, DaemonAddress], exists: Callable[[str], bool]) -> DaemonAddress:
    for daemon in services.values():
        if exists(daemon.socket):
            return daemon
    places = " or ".join(daemon.socket for daemon in services.values())
    raise NoDaemon(
        f"no daemon: nothing listens at {places}, and this folder is in no project; "
        "start one with `codelocd dev` or `codelocd serve`"
    )


def is_to_come(path: str) -> bool:
    """Whether a control socket is there, or that of a daemon which is starting."""
    return is_there(path) or starting.is_announced(path)


def is_there(path: str) -> bool:
    """Whether something has this name, even where we may not look at it."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
