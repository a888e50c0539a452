"""`codelocd config show`"""

from __future__ import annotations

from pathlib import Path

import click

from codelocd.cli import local, output
from codelocd.cli.options import config_file, json_option
from codelocd.config import describe, written


@click.command("show")
@config_file
@json_option
def command(file: Path | None, as_json: bool) -> None:
    """Print what becomes of a config: every path absolute, every default filled in.

    Without FILE the one that `codelocd dev` would take. The text is a codelocd.toml that asks for
    the same, also where the config is one of Dagster's; what has no words there is a comment.
    Values of variables that do not stand in the config itself are not shown: they may be secrets.

    \b
    codelocd config show
    codelocd config show workspace.yaml --json
    """
    config = local.config_in(file or local.found_config(), activated=True)
    if as_json:
        output.document(describe(config))
    else:
        output.say(written(config))
