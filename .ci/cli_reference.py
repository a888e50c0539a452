"""Writes docs/cli.md from what `--help` of every command says, and the schema of codelocd.toml.

`make docs` runs it; a test compares. Nothing in the two files is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from codelocd.cli.app import app
from codelocd.config import json_schema

DOCUMENTS = Path(__file__).parents[1] / "docs"
PAGE = DOCUMENTS / "cli.md"
SCHEMA = DOCUMENTS / "codelocd.schema.json"
WIDTH = 100
HEAD = """\
# The command line

Every command and option, as `--help` prints it. This page is made from it:
`make docs` writes it again.
"""


def page() -> str:
    """The text of docs/cli.md."""
    sections = [_section(path, context) for path, context in commands("codelocd", app, None)]
    contents = " · ".join(f"[{path}](#{path.replace(' ', '-')})" for path, _ in sections)
    return "\n".join([HEAD, f"Contents: {contents}\n", *(text for _, text in sections)])


def commands(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Context]]:
    context = command.context_class(
        command, parent, name, terminal_width=WIDTH, max_content_width=WIDTH,
        **{k: v for k, v in command.context_settings.items() if k != "max_content_width"},
    )  # fmt: skip
    yield context.command_path, context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from commands(each, found, context)


def _section(path: str, context: click.Context) -> tuple[str, str]:
    text = click.unstyle(context.get_help()).replace("`\b`", "")
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    return path, f"## {path}\n\n```text\n{text}\n```\n"


def schema() -> str:
    """What `codelocd config schema` prints."""
    return json.dumps(json_schema(), indent=2) + "\n"


def main() -> None:
    for path, text in ((PAGE, page()), (SCHEMA, schema())):
        path.write_text(text)
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
