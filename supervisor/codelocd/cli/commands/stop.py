"""`codelocd stop`"""

from __future__ import annotations

from codelocd.cli.changing import order

command = order(
    "stop",
    """Stop locations, until `codelocd start`.

    A change of their files does not start them again, nor does a restart of the daemon. Their
    definitions are no longer listed.

    \b
    codelocd stop sales weather
    codelocd stop --all
    """,
)
