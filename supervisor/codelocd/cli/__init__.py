"""The command line."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence

DAEMONS = ("dev", "serve")
"""Commands that run until they are told to stop. Their end by a signal is no failure, even during
the start."""


def main() -> int:
    """Run the command that `sys.argv` asks for; the exit code."""
    from codelocd.cli import exit_codes, output

    output.prepare()
    arguments = sys.argv[1:]
    if any(word in DAEMONS for word in arguments[:3]):
        service = "serve" in arguments[:3]
        return exit_codes.guarded_daemon(lambda: _run(arguments), service=service)
    return exit_codes.guarded(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    from codelocd.cli import quick

    order = quick.parsed(arguments)
    if order is not None:
        return order()
    from codelocd.cli.app import run

    return run(arguments)
