"""The command line."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence

DAEMONS = ("dev", "serve")
"""Commands that run until they are told to stop. Their end by a signal is no failure, even during
the start."""


def main() -> int:
    """Run the command that `sys.argv` asks for; the exit code."""
    arguments = sys.argv[1:]
    command = command_in(arguments)
    service = command == "serve"
    if service:
        _keep_sigterm()
    from codelocd.cli import exit_codes, output

    output.prepare()
    if command in DAEMONS:
        _announce(command, arguments)
        return exit_codes.guarded_daemon(lambda: _run(arguments), service=service)
    return exit_codes.guarded(lambda: _run(arguments))


def command_in(arguments: Sequence[str]) -> str | None:
    """The first word that is neither an option nor its value: a location may be called `serve`."""
    words = iter(arguments)
    for word in words:
        if word == "--socket":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None


def _keep_sigterm() -> None:
    """One that comes from now on waits until the daemon heeds it: what an earlier daemon has left
    is to end with this one. The first that a service does: what comes earlier ends it."""
    import _signal  # type: ignore[import-not-found]  # `signal` takes as long as a Python's start

    _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGTERM})


def _announce(command: str, arguments: Sequence[str]) -> None:
    """Have commands wait for the daemon that this process becomes: it takes a while to load."""
    from codelocd.cli import which
    from codelocd.rpc import starting

    try:
        folder = os.getcwd()
    except OSError:
        return  # it says so itself
    uid = os.getuid()
    for socket in which.own_sockets(command, arguments, environ=os.environ, folder=folder, uid=uid):
        starting.announce(socket)


def _run(arguments: Sequence[str]) -> int:
    from codelocd.cli import quick

    order = quick.parsed(arguments)
    if order is not None:
        return order()
    from codelocd.cli.app import run

    return run(arguments)
