"""`codelocd config schema`"""

from __future__ import annotations

import click

from codelocd.cli import output
from codelocd.config import json_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of codelocd.toml, with which editors complete and check it.

    \b
    codelocd config schema > codelocd.schema.json
    """
    output.document(json_schema())
