"""`codelocd env`"""

from __future__ import annotations

import click

from codelocd.cli.app import Commands

SECTIONS = {"Commands": ("list", "show", "diff", "build", "prune", "pythons")}


@click.group("env", cls=Commands, package=__name__, sections=SECTIONS, no_args_is_help=True)
def command() -> None:
    """Look at environments, build them, and remove those that have gone unused.

    Environments are kept in a store that all daemons of a user share. One that a location
    found (a .venv, an activated one) is not in it, and is never modified.
    """
