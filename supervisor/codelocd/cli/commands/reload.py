"""`codelocd reload`"""

from __future__ import annotations

from codelocd.cli.changing import order

command = order(
    "reload",
    """Load the code again, even if nothing changed.

    A new runner loads beside the old one, which serves until the new one is good. If the new
    one fails, the old one stays.

    \b
    codelocd reload sales
    codelocd reload --all
    """,
)
