"""`codelocd config`"""

from __future__ import annotations

import click

from codelocd.cli.app import Commands

SECTIONS = {"Commands": ("validate", "show", "schema")}


@click.group("config", cls=Commands, package=__name__, sections=SECTIONS, no_args_is_help=True)
def command() -> None:
    """Check a config, see what becomes of it, and get its schema for an editor."""
