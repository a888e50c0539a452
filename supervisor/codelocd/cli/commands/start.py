"""`codelocd start`"""

from __future__ import annotations

from codelocd.cli.changing import order

command = order(
    "start",
    """Start locations that are stopped, or that have given up.

    Waits until they serve, and fails if the first attempt did.

    \b
    codelocd start sales
    codelocd start --all --no-wait
    """,
)
