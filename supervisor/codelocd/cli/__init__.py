"""The command line."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Sequence


def main() -> int:
    """Run the command that `sys.argv` asks for; the exit code."""
    from codelocd.cli import guard, output

    output.prepare()
    return guard.guarded(lambda: _run(sys.argv[1:]))


def _run(arguments: Sequence[str]) -> int:
    from codelocd.cli import quick

    order = quick.parsed(arguments)
    if order is not None:
        return order()
    from codelocd.cli.app import run

    return run(arguments)
