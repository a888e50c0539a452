"""`codelocd restart`"""

from __future__ import annotations

from codelocd.cli.changing import order

command = order(
    "restart",
    """Stop locations, then start them.

    Nothing serves in between: where that matters, `codelocd reload` is what you want.

    \b
    codelocd restart sales
    codelocd restart --all --timeout 60
    """,
)
