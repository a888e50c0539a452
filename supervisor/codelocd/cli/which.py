"""Which daemon a command means."""

from __future__ import annotations

import os

from codelocd.cli import projects
from codelocd.cli.guard import ExitCode, Failure, NoDaemon
from codelocd.storage import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal, TypeAlias

    Service: TypeAlias = Literal["user", "system"]


VARIABLE = "CODELOCD_SOCKET"

ABSENT = ("absent", "refused")
"""Reasons where no process listens at all."""

REMEDIES = {
    "denied": "only its owner may (and its socket_group), or name another with --socket PATH",
    "silent": "it hangs or is stopped; see its log, or kill it",
}


class Asked:
    """What the command line says: `--socket`, `--user` or `--system`, at most one of them."""

    __slots__ = ("service", "socket")

    def __init__(self, socket: str | None = None, service: Service | None = None) -> None:
        self.socket = socket
        self.service: Service | None = service


class DaemonAddress:
    """A daemon that is meant, whether or not it answers.

    `name` is for messages; `project` is set where it is the project's own.
    """

    __slots__ = ("name", "project", "socket")

    def __init__(self, socket: str, name: str, project: str | None = None) -> None:
        self.socket = socket
        self.name = name
        self.project = project

    def unreachable(self, why: str, reason: str) -> Failure:
        """It cannot be asked anything; `reason` is that of DaemonUnreachable."""
        if reason not in ABSENT:
            return Failure(f"{why}; {REMEDIES.get(reason, 'see its log')}", ExitCode.NO_DAEMON)
        if self.project is not None:
            summary = f"no dev daemon for {self.project}; --user or --system reach the others"
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
    is_project: Callable[[str], bool] = projects.is_project,
    own_socket: Callable[[str], str | None] = projects.own_socket,
    is_folder: Callable[[str], bool] = os.path.isdir,
) -> DaemonAddress:
    """The daemon meant by a command that runs in `folder` (absolute, no links).

    A folder where a dev daemon with targets of its own listens is a project as well.
    Raises Failure where there is no project and neither service has a socket.
    """
    named = asked.socket or (None if asked.service else environ.get(VARIABLE))
    if named:
        return DaemonAddress(os.path.join(folder, named), "the daemon")
    runtime = sockets.runtime_folder(environ, uid, is_folder)
    services = _services(runtime)
    if asked.service:
        return services[asked.service]

    def is_own(candidate: str) -> bool:
        listening = exists(sockets.control(sockets.dev_folder(candidate, runtime)))
        return listening or is_project(candidate)

    project = projects.nearest(folder, is_own)
    if project is not None:
        usual = sockets.control(sockets.dev_folder(project, runtime))
        return DaemonAddress(own_socket(project) or usual, f"the dev daemon of {project}", project)
    return _first(services, exists)


def _services(runtime: str) -> dict[Service, DaemonAddress]:
    user = sockets.control(sockets.user_folder(runtime))
    system = sockets.control(sockets.SYSTEM)
    return {
        "user": DaemonAddress(user, "the user's daemon"),
        "system": DaemonAddress(system, "the system's daemon"),
    }


def _first(services: dict[Service, DaemonAddress], exists: Callable[[str], bool]) -> DaemonAddress:
    for daemon in services.values():
        if exists(daemon.socket):
            return daemon
    places = " or ".join(daemon.socket for daemon in services.values())
    raise NoDaemon(
        f"no daemon: nothing listens at {places}, and this folder is in no project; "
        "start one with `codelocd dev` or `codelocd serve`"
    )


def is_there(path: str) -> bool:
    """Whether something has this name, even where we may not look at it."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
